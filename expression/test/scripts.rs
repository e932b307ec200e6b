//! What `transform` reads and writes.

use super::{batch, logs, points, spans};
use crate::{Script, script::Ran};
use signal::{Batch, Kinds, Signal, Time, view::Item};

/// Runs it over all records and gives back how each ended.
fn run(text: &str, records: &mut Batch) -> Vec<Ran> {
    let mut program = Script::built_in(text).compile(Kinds::of(records.signal())).unwrap_or_else(|faults| panic!("{text}: {faults:#?}"));
    let mut ended = Vec::new();
    records.edit(|record, edit| {
        let ran = program.run(&record, Time(super::START), edit);
        if ran == Ran::Aborted {
            edit.discard();
        }
        ended.push(ran);
    });
    ended
}

/// An attribute of the first record as text.
fn attribute(records: &Batch, key: &str) -> Option<String> {
    records.records().next().unwrap().attributes().get(key).map(|v| v.display())
}

#[test]
fn plain_assignments_become_edits() {
    let mut spans = spans();
    let text = ".attributes.\"deployment.ring\" = \"blue\"\n.attributes.n = 8\ndel(.attributes.flag)\n.name = \"cart\"\n.resource.region = \"eu\"\n.status = \"ok\"";
    assert_eq!(run(text, &mut spans), [Ran::Done, Ran::Done]);
    assert_eq!(attribute(&spans, "deployment.ring").as_deref(), Some("blue"));
    assert_eq!(attribute(&spans, "n").as_deref(), Some("8"));
    assert_eq!(attribute(&spans, "flag"), None);
    let record = spans.records().next().unwrap();
    assert_eq!(record.resource.attributes().get("region").unwrap().text(), Some("eu"));
    let Item::Span(span) = record.item else { panic!() };
    assert_eq!((span.name(), span.status().word(), span.status_message()), ("cart", "ok", "boom"));
}

#[test]
fn writes_are_seen_by_later_reads() {
    let mut spans = spans();
    let text = r#"
        .attributes.a = "1"
        .attributes.b = string!(.attributes.a) + "2"
        .attributes.http.route = "/other"
        .attributes.route = .attributes."http.route"
        .attributes.nested.a.b = "changed"
        .attributes.nested_read = .attributes.nested.a.b
        .name = "new " + .name
        .attributes.name = .name
        .attributes.gone = del(.attributes.digits)
        .attributes.still = exists(.attributes.digits)
        .status_message = upcase(.status_message)
    "#;
    assert_eq!(run(text, &mut spans)[0], Ran::Done);
    for (key, value) in [
        ("b", "12"),
        ("http.route", "/other"),
        ("route", "/other"),
        ("nested_read", "changed"),
        ("name", "new GET /cart"),
        ("gone", "42"),
        ("still", "false"),
    ] {
        assert_eq!(attribute(&spans, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(attribute(&spans, "digits"), None);
    assert_eq!(attribute(&spans, "http"), None);
    assert!(attribute(&spans, "nested").unwrap().contains("changed") && attribute(&spans, "nested").unwrap().contains("x.y"));
    let Item::Span(span) = spans.records().next().unwrap().item else { panic!() };
    assert_eq!((span.name(), span.status().word(), span.status_message()), ("new GET /cart", "error", "BOOM"));
}

#[test]
fn whole_maps_are_read_merged_and_replaced() {
    let mut spans = spans();
    let text = r#".attributes |= {"merged": true, "n": length(.attributes)}"#;
    assert_eq!(run(text, &mut spans)[0], Ran::Done);
    assert_eq!(attribute(&spans, "merged").as_deref(), Some("true"));
    assert_eq!(attribute(&spans, "n").as_deref(), Some("13"));
    assert_eq!(attribute(&spans, "http.route").as_deref(), Some("/cart"));

    let text = r#"for_each(.attributes) -> |key, _value| { if starts_with(key, "http.") { .attributes = remove!(.attributes, [key]) } }"#;
    assert_eq!(run(text, &mut spans)[0], Ran::Done);
    assert_eq!(attribute(&spans, "http.route"), None);
    assert_eq!(attribute(&spans, "n").as_deref(), Some("13"));

    assert_eq!(run(r#".attributes = {"only": encode_json(.)}"#, &mut spans)[0], Ran::Done);
    let all: Vec<String> = spans.records().next().unwrap().attributes().iter().map(|(k, _)| k.to_owned()).collect();
    assert_eq!(all, ["only"]);
    assert!(attribute(&spans, "only").unwrap().contains(r#""name":"GET /cart""#));

    assert_eq!(run("del(.attributes)", &mut spans)[0], Ran::Done);
    assert_eq!(spans.records().next().unwrap().attributes().iter().count(), 0);
}

#[test]
fn a_log_is_written_in_all_its_fields() {
    let mut logs = logs();
    let text = r#"
        .body = {"text": .message, "list": [1, 2.5, null]}
        .body.level = .severity
        .severity_number = 9
        .severity_text = "notice"
        .time = from_unix_timestamp!(1767225601)
        .attributes.at = now()
    "#;
    assert_eq!(run(text, &mut logs)[0], Ran::Done);
    let Item::Log(log) = logs.records().next().unwrap().item else { panic!() };
    assert_eq!((log.severity_number(), log.severity_text(), log.time()), (9, "notice", super::START + 1_000_000_000));
    let body = log.body().unwrap().display();
    assert!(body.contains("payment failed") && body.contains("ERROR") && body.contains("2.5"), "{body}");
    assert_eq!(attribute(&logs, "at").as_deref(), Some("2026-01-01T00:00:00Z"));
}

#[test]
fn an_abort_and_an_error_leave_no_writes() {
    let mut some = spans();
    let ended = run(".attributes.x = 1\nif .is_root { abort }", &mut some);
    assert_eq!(ended, [Ran::Aborted, Ran::Done]);
    assert_eq!(some.len(), 1);
    let before = spans();
    let mut after = spans();
    let ended = run(".attributes.x = 1\n.attributes.y = to_int!(.name)", &mut after);
    assert!(matches!(&ended[0], Ran::Failed(why) if why.contains("to_int")), "{ended:?}");
    assert_eq!(before.chunks()[0].bytes(), after.chunks()[0].bytes());
    let ended = run(".attributes.x = 1\n.status = downcase(.name)", &mut after);
    assert_eq!(ended[0], Ran::Failed("`.status` takes unset, ok or error, not `get /cart`".to_owned()));
    assert_eq!(before.chunks()[0].bytes(), after.chunks()[0].bytes());
}

#[test]
fn one_program_serves_several_kinds() {
    let takes = Kinds::RECORDS;
    let text = ".attributes.seen = true\nif exists(.duration_ms) { .attributes.slow = (.duration_ms > 1000) ?? false }\n.name = \"n\"";
    let mut program = Script::built_in(text).compile(takes).unwrap();
    assert_eq!(program.concerns(), takes);
    for mut records in [spans(), logs(), points()] {
        let signal = records.signal();
        records.edit(|record, edit| assert_eq!(program.run(&record, Time(0), edit), Ran::Done));
        assert_eq!(attribute(&records, "seen").as_deref(), Some("true"), "{signal}");
        assert_eq!(attribute(&records, "slow").is_some(), signal == Signal::Traces);
        let name = records.records().next().map(|r| match r.item {
            Item::Span(span) => span.name().to_owned(),
            Item::Log(_) => String::new(),
            Item::Point(metric, _) => metric.name().to_owned(),
        });
        assert_eq!(name.as_deref(), Some(if signal == Signal::Logs { "" } else { "n" }));
        // What was written is legal OTLP again.
        let again = batch(signal, records.chunks()[0].bytes().bytes().to_vec());
        assert_eq!(again.len(), records.len());
    }
}
