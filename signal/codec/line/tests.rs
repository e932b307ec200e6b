//! Lines as applications print them, and the records they become.

use super::*;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, any_value::Value as Any},
    logs::v1::SeverityNumber,
};

fn record(line: &str) -> LogRecord {
    let mut lines = LineLogs::new(vec![("service.name".to_owned(), "cart".into())]);
    lines.push(line, Time(7), "stderr");
    let mut request = ExportLogsServiceRequest::decode(lines.take().unwrap()).unwrap();
    assert!(lines.is_empty() && lines.bytes() == 0);
    let mut group = request.resource_logs.remove(0);
    assert_eq!(group.resource.take().unwrap().attributes, [attribute("service.name", "cart")]);
    group.scope_logs.remove(0).log_records.remove(0)
}

fn text(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Any::StringValue(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_becomes_a_record_with_its_stream_and_time() {
    let record = record("  ready on :8080\r\n");
    assert_eq!(text(&record), "  ready on :8080");
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (0, 7));
    assert_eq!(record.attributes, [attribute("log.iostream", "stderr")]);
}

#[test]
fn a_json_object_becomes_a_map_with_its_message_intact() {
    let record = record(r#"{"level":"warn","msg":"slow","n":3,"big":18446744073709551615,"x":1.5,"ok":true,"none":null,"in":{"a":[1]}}"#);
    let expected = Value::Map(vec![
        ("level".into(), "warn".into()),
        ("msg".into(), "slow".into()),
        ("n".into(), Value::Int(3)),
        ("big".into(), "18446744073709551615".into()),
        ("x".into(), Value::Double(1.5)),
        ("ok".into(), Value::Bool(true)),
        ("none".into(), Value::Empty),
        ("in".into(), Value::Map(vec![("a".into(), Value::List(vec![Value::Int(1)]))])),
    ]);
    assert_eq!(record.body, Some(any_value(expected)));
    assert_eq!((record.severity_number, record.severity_text.as_str()), (SeverityNumber::Warn as i32, "warn"));
}

#[test]
fn a_line_that_only_looks_like_json_stays_text() {
    for line in [r#"{"a":1"#, "{not json}", "{}}", "[1,2]"] {
        assert_eq!(text(&record(line)), line);
    }
}

#[test]
fn json_nested_deeply_stays_within_what_check_takes() {
    fn levels(value: &AnyValue) -> usize {
        match &value.value {
            Some(Any::KvlistValue(map)) => 1 + map.values.iter().filter_map(|pair| pair.value.as_ref()).map(levels).max().unwrap_or(0),
            _ => 0,
        }
    }
    let record = record(&format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100)));
    assert_eq!(levels(record.body.as_ref().unwrap()), 32);
}

#[test]
fn colours_are_taken_out() {
    let record = record("\u{1b}[2m2024-05-01\u{1b}[0m \u{1b}[1;31mERROR\u{1b}[0m \u{1b}]0;title\u{7}é\u{1b}é \u{1b}(boom\u{1b}[");
    assert_eq!(text(&record), "2024-05-01 ERROR éé boom");
    assert_eq!(record.severity_number, SeverityNumber::Error as i32);
}

#[test]
fn a_long_line_is_cut_at_a_character_and_says_by_how_much() {
    let record = record(&"é".repeat(LINE_BYTES_MAX));
    assert_eq!(text(&record).len(), LINE_BYTES_MAX);
    assert_eq!(record.attributes[1], attribute("log.truncated", Value::Int(65_536)));
}

#[test]
fn blank_lines_are_passed_over() {
    let mut lines = LineLogs::new(vec![]);
    for blank in ["", "  \r\n", "\u{1b}[0m\n"] {
        lines.push(blank, Time(1), "stdout");
    }
    assert_eq!(lines.take(), None);
}

#[test]
fn the_severity_is_what_the_line_says() {
    use SeverityNumber::{Debug, Error, Fatal, Info, Info2, Trace, Unspecified, Warn};
    for (line, number, word) in [
        ("ERROR something broke", Error, "ERROR"),
        ("ERROR:root:boom", Error, "ERROR"),
        ("[2024-05-01 12:00:00,123] WARNING in app: slow", Warn, "WARNING"),
        ("2024-05-01T12:00:00.000Z  INFO 1 --- [nio-8080-exec-1] c.e.Cart : ok", Info, "INFO"),
        ("2024-05-01 12:00:00.123 1234 [main] com.example.Cart DEBUG x", Debug, "DEBUG"),
        ("12:00PM INF started", Info, "INF"),
        ("[error] 1#1: connect() failed", Error, "error"),
        ("2024/05/01 12:00:00 [notice] 1#1: start worker", Info2, "notice"),
        ("warning: unused variable", Warn, "warning"),
        ("time=2024-05-01T12:00:00Z level=error msg=\"x\"", Error, "error"),
        ("lvl=dbg x=1", Debug, "dbg"),
        ("E0501 12:00:00.123456       1 reflector.go:147] failed", Error, "E"),
        ("CRITICAL:app:down", Fatal, "CRITICAL"),
        ("panic: runtime error: index out of range", Fatal, "panic"),
        ("Traceback (most recent call last):\n  File", Error, ""),
        ("Exception in thread \"main\" java.lang.NullPointerException", Error, ""),
        ("TypeError: x is not a function", Error, ""),
        ("java.lang.IllegalStateException: closed", Error, ""),
        (r#"{"severity":"ERROR","message":"x"}"#, Error, "ERROR"),
        (r#"{"Level":"Information"}"#, Info, "Information"),
        (r#"{"level":50,"msg":"x"}"#, Error, "50"),
        (r#"{"level":"verbose"}"#, Trace, "verbose"),
        (r#"{"level":{"a":1},"message":"ERROR"}"#, Unspecified, ""),
        ("there was an error in the info", Unspecified, ""),
        ("status=error code=1", Unspecified, ""),
        ("172.17.0.1 - - [01/May/2024:12:00:00 +0000] \"GET /info HTTP/1.1\" 200", Unspecified, ""),
        ("E050 x", Unspecified, ""),
    ] {
        let record = record(line);
        assert_eq!((record.severity_number, record.severity_text.as_str()), (number as i32, word), "{line}");
    }
}

/// What the lines become, one text per record.
fn joined(lines: &str) -> Vec<String> {
    let mut joiner = Joiner::new();
    let mut records: Vec<_> = lines.lines().filter_map(|line| joiner.push(line, Time(1))).collect();
    records.extend(joiner.flush());
    records.into_iter().map(|record| record.text).collect()
}

const PYTHON: &str = "ERROR:root:failed
Traceback (most recent call last):
  File \"a.py\", line 3, in <module>
    int(\"x\")
ValueError: invalid literal for int() with base 10: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"a.py\", line 5, in <module>
    1 / 0
ZeroDivisionError: division by zero";

const JAVA: &str = "2024-05-01 12:00:00 ERROR c.e.Cart - failed
java.lang.IllegalStateException: closed
\tat com.example.Cart.add(Cart.java:12)
\tat com.example.Main.main(Main.java:3)
Caused by: java.io.IOException: disk
\tat com.example.Disk.read(Disk.java:7)
\t... 1 more";

const GO: &str = "panic: boom

goroutine 1 [running]:
main.main()
\t/tmp/a.go:4 +0x39

goroutine 2 [select]:
main.wait(0x1)
\t/tmp/a.go:9 +0x20";

const NODE: &str = "/app/a.js:1
throw new Error('x')
      ^

Error: x
    at Object.<anonymous> (/app/a.js:1:7)
    at Module._compile (node:internal/modules/cjs/loader:1356:14)

Node.js v18.19.0";

const RUST: &str = "thread 'main' panicked at src/main.rs:2:5:
index out of bounds: the len is 3 but the index is 7
stack backtrace:
   0: rust_begin_unwind
             at /rustc/0/library/std/src/panicking.rs:645:5
   1: a::main
             at ./src/main.rs:2:5
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.";

#[test]
fn a_stack_trace_is_one_record() {
    for trace in [PYTHON, JAVA, NODE, RUST, "TypeError: x\n    at f (a.js:1:2)\n    at a.js:3", "{\n  \"a\": {}\n}"] {
        assert_eq!(joined(&format!("INFO before\n{trace}\nINFO after\n")), ["INFO before", trace, "INFO after"]);
    }
    assert_eq!(joined(&format!("INFO before\n{GO}\n\nINFO after")), ["INFO before", GO, "INFO after"]);
}

#[test]
fn lines_that_stand_alone_are_not_joined() {
    for lines in [
        "a\nb\nc",
        "see /app/a.js:1\nb",
        "thread 'x' panicked at a.rs:1:1, boom\nb",
        "{\"a\":1}\n  indented\n{\"b\":2}",
        "x: y\nat noon\n... and more",
    ] {
        assert_eq!(joined(lines), lines.lines().collect::<Vec<_>>());
    }
    assert_eq!(joined("a\n\n\n  b\n"), ["a", "  b"]);
}

#[test]
fn two_tracebacks_without_a_chain_are_two_records() {
    let one = "Traceback (most recent call last):\n  File \"a.py\"\nKeyError: 'x'";
    assert_eq!(joined(&format!("{one}\n{one}\n\n{one}")), [one, one, one]);
}

#[test]
fn a_record_keeps_the_time_of_its_first_line() {
    let mut joiner = Joiner::new();
    assert_eq!(joiner.open_since(), None);
    assert_eq!(joiner.push("a", Time(5)), None);
    assert_eq!(joiner.push("  b", Time(6)), None);
    assert_eq!(joiner.open_since(), Some(Time(5)));
    assert_eq!(joiner.push("c", Time(7)), Some(Joined { text: "a\n  b".into(), first: Time(5) }));
    assert_eq!(joiner.flush(), Some(Joined { text: "c".into(), first: Time(7) }));
    assert_eq!(joiner.flush(), None);
}

#[test]
fn an_endless_trace_is_cut_into_records() {
    let lines = format!("start\n{}", "  at x\n".repeat(5_000));
    let records = joined(&lines);
    assert_eq!(records.len(), 6);
    let long = format!("start\n{}", format!("  {}\n", "x".repeat(10_000)).repeat(20));
    assert!(joined(&long).iter().all(|record| record.len() <= LINE_BYTES_MAX));
}

proptest::proptest! {
    #[test]
    fn no_line_is_lost_or_invented_by_joining(lines in proptest::collection::vec("[ \t]?(Traceback \\(most recent call last\\):|a\\.bException: x|panic: x|goroutine 1 \\[x\\]:|at f\\(\\)|Caused by: x|\\{|\\}|During handling of the above exception|[a-c]{0,3})", 0..20)) {
        let text = lines.join("\n");
        let before: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
        let records = joined(&text);
        let after: Vec<_> = records.iter().flat_map(|record| record.lines()).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        proptest::prop_assert_eq!(before, after);
    }
}
