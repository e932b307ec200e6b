//! Tail sampling: the window in which traces are gathered, and the rules that decide.

use crate::{
    nodes::{Body, Signal},
    notes::Notes,
    ottl::attribute,
    policies::{Asked, joined, policy, share},
    written::{Keys, items, scalar},
    yaml::Yaml,
};
use config::{Node, Period, Value};
use std::time::Duration;

/// A rule in the making.
#[derive(Clone, Debug)]
struct Rule {
    name: String,
    asked: Asked,
}

/// `correlate` and `sample`.
pub(crate) fn tail(id: &str, node: &Node, notes: &mut Notes) -> Vec<Body> {
    let mut keys = Keys::of(node, format!("processors.{id}"));
    let place = keys.place;
    let wait = keys.period("decision_wait", notes).unwrap_or(Period(Duration::from_secs(30)));
    let after_root = keys.period("decision_wait_after_root_received", notes).filter(|wait| !wait.0.is_zero());
    let bounded = "the window is bounded in bytes, and what was decided is remembered by itself";
    keys.needless(&["num_traces", "expected_new_traces_per_sec", "decision_cache", "num_shards"], bounded, notes);
    let first = "every trace is decided once, by the first rule that matches";
    keys.needless(&["sample_on_first_match", "sampling_strategy"], first, notes);
    keys.needless(&["block_on_overflow"], "at its limit traces are closed early, and nothing is dropped undecided", notes);
    let stop = "a stop decides the open traces by what is known of them";
    keys.unless("drop_pending_traces_on_shutdown", &["false"], stop, "leave it out", notes);
    let large = "a trace that is too large is decided early here, and what comes later follows";
    keys.differs(&["maximum_trace_size_bytes"], large, "caps: { bytes: 8MiB } of `correlate`", notes);
    keys.differs(
        &["tail_storage"],
        "open traces are in memory, and after a restart read again from the journal",
        "journal: { path: data/journal }",
        notes,
    );
    let close = Yaml::map([
        ("after_root", Some(Yaml::plain(after_root.unwrap_or(wait)))),
        ("idle", Some(Yaml::plain(wait))),
        ("after_first", Some(Yaml::plain(wait))),
    ]);
    let window = Body::new("correlate", [("close", Some(close))])
        .called("traces")
        .comment("A trace may be decided sooner: by itself 2 s after its root, or after 6 s without a span (leave `close` out).");
    let (mut rules, mut total) = (Vec::new(), None);
    if let Some(Value::List(list)) = keys.take("policies").map(|node| &node.value) {
        list.iter().for_each(|node| add(node, list.len(), &mut rules, &mut total, notes));
    }
    keys.finish(notes, "leave it out");
    if rules.is_empty() {
        notes.left_out(
            place,
            format!("`processors.{id}`: no policy is left, so every trace is kept"),
            "write rules: [{ name: errors, when: .error, keep: 100% }]",
        );
        return vec![window];
    }
    let (drops, rules): (Vec<Rule>, Vec<Rule>) = rules.into_iter().partition(|rule| rule.asked.keep == Some(0.0));
    let mut bodies = vec![window];
    bodies.extend(decided(drops, rules, total));
    bodies
}

/// One node where the first rule that matches can decide as the policies would together, else two.
fn decided(drops: Vec<Rule>, mut rules: Vec<Rule>, total: Option<String>) -> Vec<Body> {
    // Any of several policies keeps a trace: so that which keeps more goes first.
    let part = |rule: &Rule| (rule.asked.at_most.is_some(), -rule.asked.keep.unwrap_or(100.0));
    rules.sort_by(|one, other| part(one).partial_cmp(&part(other)).unwrap_or(std::cmp::Ordering::Equal));
    let limited = rules.iter().filter(|rule| rule.asked.at_most.is_some()).count();
    let most = limited > 1 || (limited > 0 && rules.iter().any(|rule| rule.asked.at_most.is_none() && rule.asked.is_always()));
    let mut bodies = Vec::new();
    let mut first = drops;
    if most && !first.is_empty() {
        let rest = Rule { name: "others".to_owned(), asked: Asked::default() };
        bodies.push(Body::new("sample", [("rules", Some(written(first.drain(..).chain([rest]).collect())))]).called("undropped"));
    }
    first.extend(rules);
    if !first.iter().any(|rule| rule.asked.is_always()) {
        first.push(Rule { name: "rest".to_owned(), asked: Asked { keep: Some(0.0), ..Asked::default() } });
    }
    let decides = most.then(|| Yaml::plain("most"));
    bodies.push(
        Body::new("sample", [("decides", decides), ("at_most", total.map(Yaml::Text)), ("rules", Some(written(first)))]).called("sampled"),
    );
    bodies
}

fn written(rules: Vec<Rule>) -> Yaml {
    let mut names: Vec<String> = Vec::new();
    let one = |rule: Rule| {
        let mut name = rule.name.clone();
        while names.contains(&name) {
            name.push('_');
        }
        names.push(name.clone());
        let asked = rule.asked;
        let text = |parts: Vec<String>, by: &str| (!parts.is_empty()).then(|| Yaml::Text(joined(&parts, by)));
        Yaml::map([
            ("name", Some(Yaml::Text(name))),
            ("when", text(asked.when, " && ")),
            ("any_span", text(asked.any_span, " && ")),
            ("no_span", text(asked.no_span, " || ")),
            ("keep", Some(Yaml::plain(share(asked.keep.unwrap_or(100.0))))),
            ("at_most", asked.at_most.map(Yaml::Text)),
        ])
    };
    Yaml::List(rules.into_iter().map(one).collect())
}

/// The rules of one policy. `policies`: how many there are.
fn add(node: &Node, policies: usize, rules: &mut Vec<Rule>, total: &mut Option<String>, notes: &mut Notes) {
    let mut keys = Keys::of(node, "policies");
    if keys.text("type").as_deref() != Some("composite") {
        rules.extend(policy(node, notes).map(|(name, asked)| Rule { name, asked }));
        return;
    }
    let name = keys.text("name").unwrap_or_else(|| "composite".to_owned());
    Keys::of(node, "policies").needless(&["name"], "each part of it is a rule by its own name", notes);
    let Some(mut composite) = keys.under("composite") else { return };
    let most = composite.number("max_total_spans_per_second", notes);
    let order = items(composite.take("policy_order"));
    let mut shares: Vec<(String, f64)> = Vec::new();
    if let Some(Value::List(list)) = composite.take("rate_allocation").map(|node| &node.value) {
        for one in list {
            let mut one = Keys::of(one, "rate_allocation");
            shares.extend(one.text("policy").zip(one.number("percent", notes)));
            one.finish(notes, &format!("say it in the rules of `{name}`"));
        }
    }
    let mut parts: Vec<Rule> = Vec::new();
    if let Some(Value::List(list)) = composite.take("composite_sub_policy").map(|node| &node.value) {
        parts.extend(list.iter().filter_map(|node| policy(node, notes)).map(|(name, asked)| Rule { name, asked }));
    }
    composite.finish(notes, &format!("say it in the rules of `{name}`"));
    keys.finish(notes, &format!("say it in the rules of `{name}`"));
    for (unknown, place) in order.iter().filter(|(of, _)| !parts.iter().any(|rule| rule.name == *of)) {
        notes.left_out(*place, format!("`{unknown}` is none of the policies in `{name}`"), "leave it out");
    }
    let equal = 100.0 / parts.len().max(1) as f64;
    parts.sort_by_key(|rule| order.iter().position(|(of, _)| *of == rule.name).unwrap_or(usize::MAX));
    for Rule { name: part, mut asked } in parts {
        // One that is not listed has an equal share.
        let percent = shares.iter().find(|(of, _)| *of == part).map_or(equal, |(_, percent)| *percent);
        if let Some(most) = most {
            asked.at_most = Some(format!("{} spans/s", (most * percent / 100.0).max(1.0).round()));
        }
        rules.push(Rule { name: part, asked });
    }
    match most {
        Some(most) if policies == 1 => *total = Some(format!("{most} spans/s")),
        Some(_) => notes.differs(
            node.place,
            format!("the policy `{name}`: its total would be that of all rules here, so each of its parts is limited by itself"),
            "`at_most` beside `rules` limits all of them together",
        ),
        None => {}
    }
}

/// Records one by one, by chance.
pub(crate) fn probabilistic(id: &str, node: &Node, signals: &[Signal], notes: &mut Notes) -> Vec<Body> {
    let mut keys = Keys::of(node, format!("processors.{id}"));
    let percent = keys.number("sampling_percentage", notes).unwrap_or(0.0);
    let precise = "thresholds are written as precisely as the share needs";
    keys.needless(&["sampling_precision"], precise, notes);
    let chance = "chance follows from the trace id here, the same at every stage";
    let seed = keys.take("hash_seed");
    if let Some(seed) = seed {
        let path = format!("`{}.hash_seed`", keys.path);
        notes.differs(seed.place, format!("{path}: {chance}"), "stages before and behind keep the same traces if all of them do so");
    }
    let without = "what has no trace id is kept or not by chance of its own here";
    keys.differs(&["fail_closed"], without, "together: '.attributes.\"session.id\"' keeps records of one value together", notes);
    let mode = keys.word("mode", &["", "equalizing", "hash_seed", "proportional"], notes);
    let source = keys.word("attribute_source", &["traceID", "record"], notes);
    // Without a mode the Collector hashes where there is a seed, or where logs have another source of chance; else its share is one of what comes in.
    let is_seeded = seed.and_then(scalar).is_some_and(|seed| seed != "0");
    let is_proportional = |of: &str| mode == "proportional" || mode.is_empty() && !is_seeded && (of == "spans" || source != "record");
    let mut together = None;
    if source == "record" && signals.contains(&Signal::Logs) {
        together = keys.text("from_attribute").map(|key| Yaml::Text(attribute(&key)));
    }
    keys.differs(&["from_attribute"], "chance follows from the trace id here", "together: '.attributes.\"session.id\"', of logs", notes);
    keys.finish(notes, "leave it out");
    let sampled = |of: &str| {
        let rule = |name: &str, when: Option<&str>, percent: f64| {
            Yaml::map([("name", Some(Yaml::text(name))), ("when", when.map(Yaml::text)), ("keep", Some(Yaml::plain(share(percent))))])
        };
        // What a span says of itself comes before chance.
        let says = if of == "spans" { [("must", "> 0", 100.0), ("must_not", "== 0", 0.0)].as_slice() } else { &[] };
        let says = says.iter().map(|(name, is, percent)| rule(name, Some(&format!(".attributes.\"sampling.priority\" {is}")), *percent));
        let rules = says.chain([rule("all", None, percent)]).collect();
        let mode = is_proportional(of).then(|| Yaml::plain("proportional"));
        let together = together.clone().filter(|_| of == "logs");
        Body::new("sample", [("of", Some(Yaml::plain(of))), ("mode", mode), ("together", together), ("rules", Some(Yaml::List(rules)))])
    };
    let kinds = [(Signal::Traces, "spans"), (Signal::Logs, "logs")];
    kinds.into_iter().filter(|(signal, _)| signals.contains(signal)).map(|(_, of)| sampled(of)).collect()
}
