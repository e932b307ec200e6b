//! What `why` and `query trace` print, as text.

use super::*;
use crate::page;
use query::When;
use serde_json::{Value, json};

const TRACE: &str = "3f2a0000000000000000000000000001";

fn span(depth: usize, id: &str, service: &str, name: &str, ms: f64, failed: Option<&str>) -> Value {
    json!({
        "depth": depth, "span_id": id, "service": service, "name": name, "kind": "server",
        "status": if failed.is_some() { "error" } else { "unset" }, "status_message": failed.unwrap_or_default(),
        "start": "2026-11-21T10:21:33Z", "offset_ms": 0.0, "duration_ms": ms, "attributes": {}, "resource": {},
    })
}

fn log(level: &str, said: &str) -> Value {
    json!({ "time": "2026-11-21T10:21:33.412Z", "severity": level, "service": "payment", "message": said, "attributes": {}, "resource": {} })
}

fn step(span: &Value) -> Value {
    let mut step = json!({ "message": span["status_message"] });
    for key in ["span_id", "service", "name", "status", "duration_ms", "logs"] {
        if let Some(value) = span.get(key) {
            step[key] = value.clone();
        }
    }
    if span["status_message"] == "" {
        step["message"] = Value::Null;
    }
    step
}

/// An answer whose path are the spans at these places.
fn answer(spans: Vec<Value>, path: &[usize], kind: &str, missing: &[&str]) -> Why {
    let path: Vec<Value> = path.iter().map(|at| step(&spans[*at])).collect();
    let json = json!({
        "trace": {
            "summary": {
                "trace_id": TRACE, "start": "2026-11-21T10:21:33Z", "duration_ms": 412.0, "status": if kind == "slowest" { "ok" } else { "error" },
                "root_service": "frontend", "root_name": "POST /checkout", "services": ["frontend", "checkout", "payment", "inventory"],
                "span_count": spans.len(), "log_count": 2, "error_span_count": 3, "error_log_count": 1, "closed_by": "root", "rule": "errors", "kept_share": 1.0,
            },
            "spans": spans, "logs": [], "notes": missing,
        },
        "path_kind": kind, "path": path, "kept": { "rule": "errors", "share": 1.0, "pinned": false }, "missing": missing,
    });
    serde_json::from_value(json).unwrap()
}

fn checkout() -> Vec<Value> {
    let mut payment = span(2, "d", "payment", "POST /charge", 301.2, Some("card declined: insufficient funds"));
    payment["logs"] = json!([log("INFO", "charging order 7"), log("ERROR", "card 4242 declined: insufficient funds (attempt 1)")]);
    vec![
        span(0, "a", "frontend", "POST /checkout", 412.0, Some("")),
        span(1, "b", "checkout", "CheckoutService/Place", 398.0, Some("")),
        span(2, "c", "inventory", "reserve", 21.0, None),
        span(3, "e", "inventory", "SELECT", 3.4, None),
        span(3, "f", "inventory", "UPDATE", 2.0, None),
        payment,
    ]
}

#[test]
fn a_failure_is_told_with_its_path_its_logs_and_what_is_missing() {
    let why = answer(checkout(), &[0, 1, 5], "error", &[]);
    let expected = "\
POST /checkout failed in payment: card declined: insufficient funds
trace 3f2a0000000000000000000000000001 · 2026-11-21 10:21:33 UTC · 412 ms · error · 6 spans, 2 logs
frontend, checkout, payment, inventory · kept by rule `errors` · closed by root

frontend  POST /checkout                412 ms  error
└─ checkout  CheckoutService/Place      398 ms  error
   ├─ inventory  reserve                 21 ms  +2 spans
   └─ payment  POST /charge             301 ms  error  card declined: insufficient funds
      │  10:21:33.412 INFO  charging order 7
      │  10:21:33.412 ERROR card 4242 declined: insufficient funds (attempt 1)

missing: nothing";
    assert_eq!(super::why(&why, page::plain(100)), expected);
}

#[test]
fn what_kept_it_and_how_its_logs_came_to_it_are_told() {
    let mut why = answer(checkout(), &[0, 1, 5], "error", &[]);
    why.kept = Some(Kept { rule: "rest".to_owned(), share: 0.1, threshold: Some("e6666".to_owned()), pinned: false });
    let services = vec!["cart".to_owned()];
    let part = LatePart { arrived: When(1_795_256_505_000_000_000), after_ms: 12_340.0, spans: 1, logs: 2, services, error: true };
    why.late = Late { spans: 1, logs: 2, parts: vec![part] };
    why.joined = [("span_id", 3), ("id64", 1)].map(|(method, logs)| Joined { method: method.to_owned(), logs }).to_vec();
    let shown = super::why(&why, page::plain(100));
    let about = "\
frontend, checkout, payment, inventory · kept by rule `rest` (10.000 % of such, R from e6666)
closed by root · 1 span and 2 logs came late · logs joined by span_id (3), id64 (1)
";
    assert!(shown.contains(&about.replace("10.000", "10")), "{shown}");
    let late = "
late, after the last that came in time:
  2026-11-21 10:21:45 UTC, 12.34 s later: 1 span and 2 logs of cart, with an error

missing: nothing";
    assert!(shown.contains(late), "{shown}");
}

#[test]
fn what_did_not_fail_names_the_longest_and_long_words_are_broken() {
    let spans = vec![span(0, "a", "frontend", "GET /", 412.0, None), span(1, "b", "db", "SELECT", 380.0, None)];
    let why = answer(spans, &[0, 1], "slowest", &["no logs carried this trace id; switch on log correlation in the application's SDK"]);
    let expected = "\
POST /checkout took 412 ms; nothing failed. Longest on its
path: db (SELECT), 380 ms
trace 3f2a0000000000000000000000000001
2026-11-21 10:21:33 UTC · 412 ms · ok · 2 spans, 2 logs
frontend, checkout, payment, inventory
kept by rule `errors` · closed by root

frontend  GET /               412 ms
└─ db  SELECT                 380 ms

missing: no logs carried this trace id; switch on log
         correlation in the application's SDK";
    assert_eq!(super::why(&why, page::plain(60)), expected);
}

#[test]
fn a_stack_trace_is_shown_in_part_and_nothing_steers_the_terminal() {
    let mut root = span(0, "a", "front\u{1b}[2Jend", "GET\n/", 1.0, Some("no\u{202e}\u{9b}31m"));
    let stack: Vec<String> = (0..20).map(|n| format!("  at frame {n}")).collect();
    root["logs"] = json!([log("ERROR", &format!("boom\u{7}\n{}", stack.join("\n")))]);
    root["events"] = json!([{ "time": "2026-11-21T10:21:33Z", "name": "exception", "attributes": { "exception.type": "ValueError", "exception.message": "no" } }]);
    let shown = super::why(&answer(vec![root], &[0], "error", &[]), page::plain(100));
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{shown:?}");
    let tree: Vec<&str> = shown.lines().skip(4).take(9).collect();
    let expected = [
        "front\\u{1b}[2Jend  GET\\n/      1.0 ms  error  no\\u{202e}\\u{9b}31m",
        "│  10:21:33.000 exception ValueError: no",
        "│  10:21:33.412 ERROR boom\\u{7}",
        "│                       at frame 0",
        "│                       at frame 1",
        "│                       at frame 2",
        "│                       at frame 3",
        "│                       at frame 4 … 15 more lines",
        "",
    ];
    assert_eq!(tree, expected);
}

#[test]
fn a_whole_trace_shows_every_span_and_logs_of_none() {
    let mut trace = answer(checkout(), &[], "error", &["the root span is not here"]).trace;
    trace.logs = vec![serde_json::from_value(log("WARN", "slow disk")).unwrap()];
    let shown = super::trace(&trace, page::plain(100));
    assert!(shown.contains("\n   │  ├─ inventory  SELECT              3.4 ms\n"), "{shown}");
    assert!(
        shown.ends_with("logs of no span that is here:\n   10:21:33.412 WARN  slow disk\n\nmissing: the root span is not here"),
        "{shown}"
    );
}

#[test]
fn only_logs_are_told_as_such() {
    let mut why = answer(Vec::new(), &[], "none", &["no spans of this trace are here, only logs"]);
    why.trace.logs = vec![serde_json::from_value(log("ERROR", "alone")).unwrap()];
    let shown = super::why(&why, page::plain(100));
    assert!(shown.starts_with("no spans of trace 3f2a0000000000000000000000000001 are here, only 2 logs\n"), "{shown}");
    assert!(shown.contains("\nlogs:\n   10:21:33.412 ERROR alone\n"), "{shown}");
}
