//! What the plan says of graphs that are wrong or odd.

use super::parts::plan;
use crate::settings::Acknowledge;
use config::Level;

/// Every fault of a graph, errors first, as `what (help)`.
fn said(yaml: &str) -> Vec<String> {
    let (_, faults) = plan(yaml);
    let text = |fault: config::Fault| fault.help.map_or(fault.what.clone(), |help| format!("{} ({help})", fault.what));
    faults.into_iter().map(text).collect()
}

fn graph(middle: &str) -> String {
    format!("sources:\n  in: feed\nprocessors:\n  kept: {{ type: keep, inputs: [in], with: a }}\n{middle}\n")
}

#[test]
fn a_graph_that_is_right_has_nothing_to_say() {
    assert_eq!(said(&graph("sinks: { out: { type: probe, inputs: [kept] } }")), Vec::<String>::new());
}

#[test]
fn unknown_words_come_with_the_nearest() {
    let said = said(
        "sources: { fed: {} }\nprocessors: { k: { type: kep, inputs: [fed], with: a } }\nsinks: { out: { type: probe, inputs: [kk] } }",
    );
    assert!(said[0].starts_with("`fed` is no source; did you mean `feed`?") && said[0].contains("add `type:`"), "{said:?}");
    assert!(said.iter().any(|said| said.starts_with("`kep` is no processor; did you mean `keep`?")), "{said:?}");
    assert!(said.iter().any(|said| said == "no node is called `kk`"), "{said:?}");
}

#[test]
fn an_output_that_is_not_there_is_named_with_those_that_are() {
    let said = said(&graph("sinks: { out: { type: probe, inputs: [kept.log] } }"));
    assert_eq!(said[0], "`kept` has no output `log`; it has traces, logs, metrics");
}

#[test]
fn a_circle_is_shown_and_the_rest_is_still_checked() {
    let said = said(
        "
sources: { in: feed }
processors:
  a: { type: keep, inputs: [in, b], with: a }
  b: { type: keep, inputs: [a], with: b }
sinks:
  out: { type: probe, inputs: [b] }
  wrong: { type: prob, inputs: [in] }
",
    );
    assert!(said.iter().any(|said| said == "the graph runs in a circle: `a` reads `b` reads `a`"), "{said:?}");
    assert!(said.iter().any(|said| said.starts_with("`prob` is no sink")), "{said:?}");
}

#[test]
fn what_could_never_flow_or_would_be_dropped_silently_is_an_error() {
    let dropped = said(&graph("sinks: { out: { type: probe, signals: [logs], inputs: [kept] } }"));
    assert_eq!(
        dropped[0],
        "`out` would silently drop the spans and metrics of `kept`: it takes logs (say what it reads: inputs: [kept.logs])"
    );
    let never = said(&graph("sinks: { out: { type: probe, signals: [logs], inputs: [kept.traces] } }"));
    assert_eq!(never[0], "nothing that reaches `out` is of use to it: it gets spans and acts on logs");
    let edge = said(&graph("sinks: { out: { type: probe, signals: [logs], inputs: [kept.logs, in.metrics] } }"));
    assert!(edge[0].starts_with("`in` gives only metrics here"), "{edge:?}");
    assert_eq!(said(&graph("sinks: { out: { type: probe, signals: [logs], inputs: [kept.logs] } }")), Vec::<String>::new());
}

#[test]
fn odd_graphs_are_warned_of() {
    let (_, faults) = plan(
        "
sources: { in: feed, idle: { type: feed } }
processors:
  kept: { type: keep, inputs: [in], with: a }
  held: { type: hold, inputs: [in], wait: 1s }
sinks:
  out: { type: probe, inputs: [kept, held] }
",
    );
    let whats: Vec<&str> = faults.iter().map(|fault| fault.what.as_str()).collect();
    assert!(faults.iter().all(|fault| fault.level == Level::Warning), "{whats:?}");
    assert!(whats.contains(&"nobody reads `idle`: what it gives is discarded"), "{whats:?}");
    assert!(whats.contains(&"the traces of `in` would reach `out` twice: through `kept` and through `held`"), "{whats:?}");
    assert!(whats.iter().any(|what| what.starts_with("`held` holds records in memory and there is no `journal:`")), "{whats:?}");
}

#[test]
fn different_outputs_of_one_node_may_meet_again() {
    let yaml = "
sources: { in: feed }
processors:
  by: { type: split, inputs: [in] }
  odd: { type: keep, inputs: [by.odd], with: a }
sinks:
  out: { type: probe, inputs: [odd, by.even] }
";
    assert_eq!(said(yaml), Vec::<String>::new());
}

#[test]
fn a_sources_yes_follows_from_what_the_graph_can_keep() {
    let promise = |yaml: &str| plan(yaml).0.nodes[0].acknowledge;
    let plain = graph("sinks: { out: { type: probe, inputs: [kept] } }");
    assert_eq!(promise(&plain), Some(Acknowledge::Delivered));
    let held = plain.replace("type: keep, inputs: [in], with: a", "type: hold, inputs: [in], wait: 1s");
    assert_eq!(promise(&held), Some(Acknowledge::Memory));
    assert_eq!(promise(&format!("journal: {{ path: j }}\n{held}")), Some(Acknowledge::Durable));
    let said = said(&plain.replace("in: feed", "in: { type: feed, acknowledge: durable }"));
    assert_eq!(said[0], "`acknowledge: durable` needs a journal (journal: { path: data/journal })");
}

#[test]
fn a_graph_is_serialised_with_what_its_edges_carry() {
    let (plan, _) = plan(&graph("sinks: { out: { type: probe, inputs: [kept] } }"));
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["nodes"][1]["type"], "keep");
    assert_eq!(json["edges"][0], serde_json::json!({ "from": "in", "to": "kept", "carries": ["spans", "logs", "metrics"] }));
}

#[test]
fn the_schema_names_every_type_and_resolves_every_reference() {
    let schema = crate::schema::of(super::parts::CATALOGUE, Vec::new());
    let text = schema.to_string();
    let definitions = schema["$defs"].as_object().unwrap();
    for reference in text.split("\"#/$defs/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(definitions.contains_key(name), "{name}");
    }
    assert_eq!(definitions["processor_keep"]["required"], serde_json::json!(["with"]));
    assert!(schema["properties"]["sources"]["properties"]["feed"].is_object());
    assert!(definitions["sink_probe"]["properties"]["on_full"].is_object());
}
