//! What a policy of tail sampling asks of a trace, and how much of it is kept.

use crate::{
    notes::Notes,
    ottl::{self, About, attribute, literal, pattern},
    written::{Keys, items, texts},
};
use config::{Bytes, Node, Share, Value};

/// A policy as parts of a rule: all of them must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asked {
    /// Of the whole trace.
    pub(crate) when: Vec<String>,
    /// Of one span at least, each by itself.
    pub(crate) any_span: Vec<String>,
    /// Of none.
    pub(crate) no_span: Vec<String>,
    /// The share that is kept; all, where it is not said.
    pub(crate) keep: Option<f64>,
    pub(crate) at_most: Option<String>,
}

impl Asked {
    fn when(condition: String) -> Asked {
        Asked { when: vec![condition], ..Asked::default() }
    }

    fn any_span(condition: String) -> Asked {
        Asked { any_span: vec![condition], ..Asked::default() }
    }

    /// Of a span at least one of these; or of none, where it is turned round.
    fn spans(conditions: &[String], inverted: bool) -> Asked {
        let all = joined(conditions, " || ");
        if inverted { Asked { no_span: vec![all], ..Asked::default() } } else { Asked::any_span(all) }
    }

    /// Whether it asks for nothing.
    pub(crate) fn is_always(&self) -> bool {
        self.when.is_empty() && self.any_span.is_empty() && self.no_span.is_empty()
    }

    fn and(mut self, other: Asked) -> Result<Asked, String> {
        self.when.extend(other.when);
        self.no_span.extend(other.no_span);
        self.any_span.extend(other.any_span.into_iter().filter(|one| !self.any_span.contains(one)).collect::<Vec<_>>());
        self.keep = match (self.keep, other.keep) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.at_most = self.at_most.or(other.at_most);
        if self.any_span.len() > 1 {
            Err("a rule can ask one thing of a span, and this asks two that may be met by different spans".to_owned())
        } else {
            Ok(self)
        }
    }

    fn inverted(self) -> Result<Asked, String> {
        match (self.when.as_slice(), self.any_span.as_slice(), self.no_span.as_slice()) {
            (when, [], []) if !when.is_empty() => Ok(Asked::when(format!("!({})", joined(when, " && ")))),
            ([], [any], []) => Ok(Asked { no_span: vec![any.clone()], ..Asked::default() }),
            ([], [], [none]) => Ok(Asked::any_span(none.clone())),
            _ => Err("what it turns round cannot be turned round here".to_owned()),
        }
    }
}

/// The name of a policy, and what it asks; what has no counterpart is said.
pub(crate) fn policy(node: &Node, notes: &mut Notes) -> Option<(String, Asked)> {
    let mut keys = Keys::of(node, "policies");
    let name = keys.text("name").unwrap_or_else(|| "policy".to_owned());
    match of_kind(&mut keys, &name, notes) {
        Ok(asked) => {
            keys.finish(notes, &format!("say it in the rule `{name}`"));
            Some((name, asked))
        }
        Err(why) => {
            notes.left_out(
                node.place,
                format!("the policy `{name}`: {why}"),
                "write a rule of your own: { name, when | any_span | any_log, keep }",
            );
            None
        }
    }
}

fn of_kind(keys: &mut Keys<'_>, name: &str, notes: &mut Notes) -> Result<Asked, String> {
    let kind = keys.text("type").unwrap_or_default();
    let mut of = keys.under(&kind).unwrap_or_else(|| Keys::none(kind.clone()));
    let asked = match kind.as_str() {
        "always_sample" => Ok(Asked::default()),
        "latency" => latency(&mut of, notes),
        "probabilistic" => {
            let why = "chance follows from the trace id here, the same at every stage";
            of.differs(&["hash_salt"], why, "stages before and behind keep the same traces if all of them do so", notes);
            Ok(Asked { keep: of.number("sampling_percentage", notes), ..Asked::default() })
        }
        "status_code" => Ok(status(&texts(of.take("status_codes")))),
        "numeric_attribute" => numeric(&mut of, notes),
        "string_attribute" => string(&mut of, notes),
        "boolean_attribute" => {
            let (key, value) = (of.text("key").unwrap_or_default(), of.switch("value", notes).unwrap_or(true));
            let conditions = [attribute(&key), resource(&key)].map(|field| format!("{field} == {value}"));
            Ok(Asked::spans(&conditions, of.switch("invert_match", notes).unwrap_or(false)))
        }
        "trace_state" => trace_state(&mut of),
        "span_count" => Ok(between(".span_count", of.number("min_spans", notes), of.number("max_spans", notes).filter(|most| *most > 0.0))),
        "rate_limiting" => Ok(Asked { at_most: of.number("spans_per_second", notes).map(|n| format!("{n} spans/s")), ..Asked::default() }),
        "bytes_limiting" => {
            of.differs(&["burst_capacity"], "a burst over the limit is made up for in the seconds after", "leave it out", notes);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast stops at the ends of what a u64 holds")]
            let rate = of.number("bytes_per_second", notes).map(|bytes| format!("{}/s", Bytes(bytes as u64)));
            Ok(Asked { at_most: rate, ..Asked::default() })
        }
        "ottl_condition" => conditions(&mut of, notes),
        "and" => all(of.take("and_sub_policy"), notes),
        "drop" => all(of.take("drop_sub_policy"), notes).map(|asked| Asked { keep: Some(0.0), ..asked }),
        "not" => {
            let Some(node) = of.take("not_sub_policy") else { return Err("it turns nothing round".to_owned()) };
            unnamed(node, notes);
            let (_, inner) = policy(node, notes).ok_or_else(|| "what it turns round has no counterpart".to_owned())?;
            inner.inverted()
        }
        other => Err(format!("there is no counterpart of `{other}`")),
    }?;
    of.finish(notes, &format!("say it in the rule `{name}`"));
    Ok(asked)
}

fn resource(key: &str) -> String {
    format!(".resource.{}", literal(key))
}

fn between(field: &str, least: Option<f64>, most: Option<f64>) -> Asked {
    let parts = [least.map(|n| format!("{field} >= {n}")), most.map(|n| format!("{field} <= {n}"))];
    Asked { when: parts.into_iter().flatten().collect(), ..Asked::default() }
}

fn latency(of: &mut Keys<'_>, notes: &mut Notes) -> Result<Asked, String> {
    let (least, most) = (of.number("threshold_ms", notes), of.number("upper_threshold_ms", notes));
    match (least, most.filter(|most| *most > 0.0)) {
        (Some(least), None) => Ok(Asked::when(format!(".duration_ms >= {least}"))),
        (Some(least), Some(most)) => Ok(Asked::when(format!(".duration_ms > {least} && .duration_ms <= {most}"))),
        (None, _) => Err("it has no `threshold_ms`".to_owned()),
    }
}

fn status(codes: &[String]) -> Asked {
    match codes {
        [one] if one == "ERROR" => Asked::when(".error_span_count > 0".to_owned()),
        codes => Asked::spans(&codes.iter().map(|code| format!(".status == {}", literal(&code.to_lowercase()))).collect::<Vec<_>>(), false),
    }
}

fn numeric(of: &mut Keys<'_>, notes: &mut Notes) -> Result<Asked, String> {
    let key = of.text("key").unwrap_or_default();
    let (least, most) = (of.number("min_value", notes), of.number("max_value", notes));
    let conditions = [attribute(&key), resource(&key)].map(|field| {
        let parts: Vec<String> =
            [least.map(|n| format!("{field} >= {n}")), most.map(|n| format!("{field} <= {n}"))].into_iter().flatten().collect();
        parts.join(" && ")
    });
    if conditions.iter().any(String::is_empty) {
        return Err("it has neither `min_value` nor `max_value`".to_owned());
    }
    Ok(Asked::spans(&conditions, of.switch("invert_match", notes).unwrap_or(false)))
}

fn string(of: &mut Keys<'_>, notes: &mut Notes) -> Result<Asked, String> {
    let key = of.text("key").unwrap_or_default();
    let values = texts(of.take("values"));
    let regex = of.switch("enabled_regex_matching", notes).unwrap_or(false);
    let inverted = of.switch("invert_match", notes).unwrap_or(false);
    of.needless(&["cache_max_size"], "patterns are compiled once", notes);
    if values.is_empty() {
        return Err("it has no `values`".to_owned());
    }
    if key == "service.name" && !regex {
        // A trace knows its services, so that this can be asked beside something of a span.
        let any = values.iter().map(|value| format!("includes(.services, {})", literal(value))).collect::<Vec<_>>().join(" || ");
        return Ok(Asked::when(if inverted {
            format!("!({any})")
        } else if values.len() > 1 {
            format!("({any})")
        } else {
            any
        }));
    }
    let mut conditions = Vec::new();
    for field in [attribute(&key), resource(&key)] {
        for value in &values {
            conditions.push(if regex { format!("match({field}, {})", pattern(value)?) } else { format!("{field} == {}", literal(value)) });
        }
    }
    Ok(Asked::spans(&conditions, inverted))
}

fn trace_state(of: &mut Keys<'_>) -> Result<Asked, String> {
    let key = of.text("key").unwrap_or_default();
    let values = texts(of.take("values"));
    let entry = |value: &String| {
        let escaped =
            |text: &str| text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("\\{c}") }).collect::<String>();
        Ok::<_, String>(format!("match(.trace_state, {})", pattern(&format!("(^|,)\\s*{}={}\\s*(,|$)", escaped(&key), escaped(value)))?))
    };
    let conditions = values.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
    if conditions.is_empty() { Err("it has no `values`".to_owned()) } else { Ok(Asked::when(conditions.join(" || "))) }
}

fn conditions(of: &mut Keys<'_>, notes: &mut Notes) -> Result<Asked, String> {
    of.needless(&["error_mode"], "a condition on something that is not there does not hold here", notes);
    if of.take("spanevent").is_some() {
        return Err("events of spans cannot be asked here".to_owned());
    }
    let spans =
        items(of.take("span")).into_iter().map(|(text, _)| ottl::condition(&text, About::Span).map_err(|why| format!("`{text}`: {why}")));
    let spans = spans.collect::<Result<Vec<_>, _>>()?;
    if spans.is_empty() { Err("it has no condition".to_owned()) } else { Ok(Asked::spans(&spans, false)) }
}

/// Says that the name of a part is not needed.
fn unnamed(part: &Node, notes: &mut Notes) {
    Keys::of(part, "policies").needless(&["name"], "a rule has one name, that of the whole policy", notes);
}

/// All of its parts; one that has no counterpart leaves nothing of the whole.
fn all(node: Option<&Node>, notes: &mut Notes) -> Result<Asked, String> {
    let Some(Value::List(list)) = node.map(|node| &node.value) else { return Err("it has no parts".to_owned()) };
    let mut whole = Asked::default();
    for part in list {
        unnamed(part, notes);
        let (name, asked) = policy(part, notes).ok_or_else(|| "a part of it has no counterpart".to_owned())?;
        whole = whole.and(asked).map_err(|why| format!("{why}, at `{name}`"))?;
    }
    Ok(whole)
}

/// Parts joined by `&&` or `||`, in brackets where they have either in them: both are read from left to right.
pub(crate) fn joined(parts: &[String], by: &str) -> String {
    let bracketed = |part: &String| if part.contains("||") || part.contains("&&") { format!("({part})") } else { part.clone() };
    match parts {
        [one] => one.clone(),
        many => many.iter().map(bracketed).collect::<Vec<_>>().join(by),
    }
}

/// A share in percent as we write it.
pub(crate) fn share(percent: f64) -> String {
    Share(percent.clamp(0.0, 100.0) / 100.0).to_string()
}
