//! Pipeline files taken apart, and the whole text of their faults.

use crate::{
    Document, Fault, Graph, OnFull,
    golden_test::{Nothing, each_says, told},
    show::{self, Colour},
};
use std::sync::Arc;

const SETTINGS: [&str; 5] = ["journal", "admin", "probes", "memory", "drain"];

fn graph(yaml: &str) -> (Graph, Vec<Fault>) {
    let document = Document::parse("pipeline.yaml", yaml, &Nothing).unwrap();
    Graph::of(Arc::new(document), &SETTINGS)
}

fn faults(yaml: &str) -> Vec<String> {
    told(yaml, &graph(yaml).1)
}

#[test]
fn the_design_page_is_read() {
    let yaml = r#"
sinks:
  store:  { inputs: [kept], path: data/store, retain: 7d }
  hop:    { type: kafka, inputs: [kept, otlp.traces], on_full: block, brokers: ["localhost:9092"], topic: telemetry }
journal: { path: data/journal, limit: 4GiB }
sources:
  otlp: {}
  app: otlp
  generate:
processors:
  kept:
    type: sample
    inputs: otlp
    rules:
      - { name: errors, when: .error, keep: 100% }
"#;
    let (graph, faults) = graph(yaml);
    assert_eq!(faults, []);
    let types: Vec<(&str, &str)> = graph.nodes().map(|node| (node.name.as_str(), node.type_word.as_str())).collect();
    assert_eq!(
        types,
        [("otlp", "otlp"), ("app", "otlp"), ("generate", "generate"), ("kept", "sample"), ("store", "store"), ("hop", "kafka")]
    );
    let hop = &graph.sinks[1];
    assert_eq!(hop.on_full.map(|(said, _)| said), Some(OnFull::Block));
    let inputs: Vec<_> = hop.inputs.iter().map(|input| (input.node.as_str(), input.port.as_deref())).collect();
    assert_eq!(inputs, [("kept", None), ("otlp", Some("traces"))]);
    assert_eq!(show::line_column(yaml, hop.inputs[1].place.start), (4, 41));
    assert_eq!(graph.settings[0].0, "journal");
    let crate::Value::Map(body) = &hop.body.value else { panic!() };
    assert_eq!(body.iter().map(|((key, _), _)| key.as_str()).collect::<Vec<_>>(), ["brokers", "topic"]);
}

#[test]
fn every_mistake_has_its_text_and_place() {
    let cases = [
        ("receivers: {}", "1:1 unknown key `receivers` = it is called `sources` here"),
        ("transforms: {}", "1:1 unknown key `transforms` = it is called `processors` here"),
        ("exporters: {}", "1:1 unknown key `exporters` = it is called `sinks` here"),
        ("outputs: {}", "1:1 unknown key `outputs` = it is called `sinks` here"),
        ("sorces: {}", "1:1 unknown key `sorces` = did you mean `sources`?"),
        ("service: {}", "1:1 unknown key `service` = a node names its `inputs`; nothing else connects them"),
        ("bla: {}", "1:1 unknown key `bla` = one of: sources, processors, sinks, journal, admin, probes, memory, drain"),
        ("- a", "1:1 expected a map with `sources`, `processors` and `sinks`"),
        ("sources: [otlp]", "1:10 expected a map of named nodes under `sources` = write each as `name: { type: … }`"),
        ("sources: { a: [otlp] }", "1:15 `a` is a list; expected a map = write `a: { … }`"),
        (
            "sources: { filter/health: otlp }",
            "1:12 `filter/health` is no name: a small letter, then small letters, digits, `_` and `-` = write `filter_health`",
        ),
        ("sources: { App: otlp }", "1:12 `App` is no name: a small letter, then small letters, digits, `_` and `-` = write `app`"),
        (
            "sources: { otlp: { inputs: [a] } }",
            "1:20 `otlp` is a source: it has no inputs = leave `inputs` out, or move the node to `processors` or `sinks`",
        ),
        ("sinks: { debug: {} }", "1:10 `debug` has no `inputs` = name the nodes it reads: `inputs: [otlp]`"),
        ("sinks: { debug: { inputs: [] } }", "1:19 `inputs` of `debug` is empty = name the nodes it reads: `inputs: [otlp]`"),
        ("sinks: { debug: { inputs: } }", "1:19 `inputs` of `debug` is empty = name the nodes it reads: `inputs: [otlp]`"),
        ("sinks: { debug: { input: [a] } }", "1:19 unknown key `input` = did you mean `inputs`?"),
        (
            "sinks: { debug: { inputs: [a b] } }",
            "1:28 `a b` is no input = write a node's name, or `name.signal` or `name.output`; several stand in a list",
        ),
        (
            "sinks: { debug: { inputs: ['a.b.c'] } }",
            "1:29 `a.b.c` is no input = write a node's name, or `name.signal` or `name.output`; several stand in a list",
        ),
        ("sinks: { debug: { inputs: { a: b } } }", "1:27 expected a list, found a map = name the nodes it reads: `inputs: [otlp]`"),
        ("sinks: { debug: { inputs: a, on_full: spil } }", "1:39 unknown word `spil` = did you mean `spill`?"),
        ("sources: { otlp: { on_full: drop } }", "1:20 `on_full` belongs to a sink = a source waits when what reads it is full"),
        ("sources: { otlp: { type: } }", "1:20 `type` is empty"),
        ("sources: { otlp: !x }", "1:18 `!` starts a YAML tag, so this value is empty; quote it: otlp: '!x'"),
        (
            "sources: { a: otlp }\nsinks: { a: { inputs: a } }",
            "2:10 `a` is already a node at 1:12; names are unique across sources, processors and sinks",
        ),
    ];
    each_says(&cases, faults);
}

#[test]
fn a_node_that_cannot_be_read_does_not_hide_the_others() {
    let yaml = "sources: { a: [x], b: otlp }\nsinks: { c: { inputs: [a, b] }, d: !x }\nbla: 1";
    let (graph, faults) = graph(yaml);
    assert_eq!(faults.len(), 3);
    assert_eq!(graph.unreadable, ["a", "d"]);
    assert_eq!((graph.sources.len(), graph.sinks.len()), (1, 1));
    assert_eq!(graph.sinks[0].inputs.len(), 2);
}

#[test]
fn a_fault_is_shown_with_its_line_and_a_caret() {
    let yaml = "\n\n\n\n\n\n\n\n  joined:    { type: correlate, inputs: [no_heath], window: 30s }\n";
    let document = Document::parse("pipeline.yaml", yaml, &Nothing).unwrap();
    let start = yaml.find("no_heath").unwrap() as u32;
    let place = crate::Place { start, end: start + 8 };
    let faults = [
        Fault::at(place, "unknown input `no_heath`").help("did you mean `no_health`?"),
        Fault::warning(crate::Place { start: 11, end: 17 }, "w"),
    ];
    let expected = "\
warning: w
  --> pipeline.yaml:9:4
   |
 9 |   joined:    { type: correlate, inputs: [no_heath], window: 30s }
   |    ^^^^^^

error: unknown input `no_heath`
  --> pipeline.yaml:9:42
   |
 9 |   joined:    { type: correlate, inputs: [no_heath], window: 30s }
   |                                          ^^^^^^^^
   = help: did you mean `no_health`?

error: 1 error, 1 warning
";
    assert_eq!(show::text(&document.source, &faults, Colour::Never), expected);
    let json = show::json(&document.source, &faults);
    assert_eq!(
        json[1],
        serde_json::json!({
            "level": "error", "message": "unknown input `no_heath`", "file": "pipeline.yaml", "line": 9, "column": 42,
            "end_line": 9, "end_column": 50, "help": "did you mean `no_health`?",
        })
    );
    assert!(show::text(&document.source, &faults, Colour::Always).contains("\u{1b}[1;31merror\u{1b}[0m: unknown"));
}

#[test]
fn what_a_terminal_would_obey_is_escaped_and_wide_characters_keep_the_caret_in_place() {
    let source = crate::Source::new("p\u{1b}.yaml", "観測: \u{1b}[2J\tx".to_owned());
    let shown = show::text(&source, &[Fault::at(crate::Place { start: 13, end: 14 }, "a\u{7}")], Colour::Never);
    assert_eq!(
        shown,
        "error: a\\u{7}\n  --> p\\u{1b}.yaml:1:10\n   |\n 1 | 観測: \\u{1b}[2J x\n   |                 ^\n\nerror: 1 error\n"
    );
}

#[test]
fn a_long_line_is_shown_around_its_fault() {
    let source = crate::Source::new("p.yaml", format!("a: {}X{}", "b".repeat(500), "c".repeat(500)));
    let shown = show::text(&source, &[Fault::at(crate::Place { start: 503, end: 504 }, "w")], Colour::Never);
    let lines: Vec<&str> = shown.lines().collect();
    let (line, caret) = (lines[3], lines[4]);
    assert!(line.chars().count() < 160, "{line}");
    let at = caret.chars().position(|c| c == '^').unwrap();
    assert_eq!(line.chars().nth(at), Some('X'));
    assert!(lines[1].ends_with(":1:504"));
}

#[test]
fn a_file_that_is_not_there_is_one_line() {
    let (source, faults) = Document::load(std::path::Path::new("/nowhere/p.yaml")).unwrap_err();
    assert_eq!(
        show::text(&source, &faults, Colour::Never),
        "error: cannot read /nowhere/p.yaml: there is no such file\n\nerror: 1 error\n"
    );
}

#[derive(Debug, serde::Deserialize)]
#[expect(dead_code, reason = "read, and only its faults are looked at")]
struct Close {
    idle: Option<crate::Period>,
}

#[derive(Debug, serde::Deserialize)]
#[expect(dead_code, reason = "read, and only its faults are looked at")]
struct Rule {
    name: String,
    when: Option<crate::Placed<String>>,
    keep: crate::Share,
}

#[derive(Debug, serde::Deserialize)]
#[expect(dead_code, reason = "read, and only its faults are looked at")]
struct Part {
    close: Option<Close>,
    rules: Option<Vec<Rule>>,
}

#[test]
fn a_file_with_mistakes_of_every_kind_tells_all_of_them_at_once() {
    let yaml = "\
recievers: {}
sources: { otlp: {} }
processors:
  traces: { type: correlate, inputs: otlp, close: { idle: 5 } }
  kept:
    type: sample
    input: [traces]
    rules:
      - { name: a, when: !exists(.x), keep: 10% }
      - { name: b, keep: 10 }
";
    let (graph, mut faults) = graph(yaml);
    for node in graph.nodes() {
        faults.extend(crate::read::<Part>(&node.body).err().unwrap_or_default());
    }
    let shown = show::text(&graph.document.source, &faults, Colour::Never);
    let said: Vec<&str> =
        shown.lines().filter(|line| line.contains("error: ") || line.contains("--> ") || line.contains("help: ")).collect();
    assert_eq!(
        said,
        [
            "error: unknown key `recievers`",
            "  --> pipeline.yaml:1:1",
            "   = help: it is called `sources` here",
            "error: `idle: 5` needs a unit; did you mean `5s`?",
            "  --> pipeline.yaml:4:59",
            "error: unknown key `input`",
            "  --> pipeline.yaml:7:5",
            "   = help: did you mean `inputs`?",
            "error: `!` starts a YAML tag, so this condition is empty; quote it: when: '!exists(.x)'",
            "  --> pipeline.yaml:9:26",
            "error: `keep: 10` needs a unit; did you mean `10%`?",
            "  --> pipeline.yaml:10:26",
            "error: 5 errors",
        ]
    );
}
