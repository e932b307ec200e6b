//! What conditions answer, for every kind; missing, null and other types as config/reference/fields.md has them.

use super::{logs, points, rootless, spans, trace};
use crate::Condition;
use signal::{Batch, Kinds, Time};

/// The pipeline's time in these tests: a day after the records.
const NOW: Time = Time(super::START + 86_400_000_000_000);

fn record(text: &str, batch: &Batch, at: usize) -> bool {
    let kinds = Kinds::of(batch.signal());
    let predicate = Condition::built_in(text).compile(kinds).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    predicate.meets(&batch.records().nth(at).unwrap(), NOW)
}

fn answers(batch: &Batch, at: usize, yes: &[&str], no: &[&str]) {
    let wrong_yes = yes.iter().filter(|text| !record(text, batch, at)).collect::<Vec<_>>();
    let wrong_no = no.iter().filter(|text| record(text, batch, at)).collect::<Vec<_>>();
    assert!(wrong_yes.is_empty() && wrong_no.is_empty(), "should be true: {wrong_yes:#?}\nshould be false: {wrong_no:#?}");
}

#[test]
fn a_span_answers_by_its_fields() {
    let yes = [
        ".service == \"shop\"",
        ".scope.name == \"lib\" && .scope.version != \"2\"",
        ".name == \"GET /cart\"",
        "contains(.name, \"cart\")",
        "contains(.name, \"CART\", case_sensitive: false)",
        "starts_with(.name, \"GET\") && ends_with(.name, \"cart\")",
        "ends_with(.name, \"CART\", false)",
        "match(.name, r'^GET /c')",
        ".trace_id == \"0af7651916cd43dd8448eb211c80319c\"",
        "starts_with(.trace_id, \"0af7\")",
        ".span_id == \"b7ad6b7169203331\"",
        ".parent_span_id == null",
        "!exists(.parent_span_id)",
        ".is_root",
        ".sampled",
        ".trace_state == \"k=v\"",
        ".kind == \"server\"",
        "includes([\"server\", \"consumer\"], .kind)",
        ".status == \"error\" && .status_message == \"boom\"",
        ".error",
        ".duration_ms > 1000",
        ".duration_ms == 1500",
        ".duration_ms <= 1500.0 && .duration_ms >= 1500",
        "1000 < .duration_ms",
        ".start_time < .end_time",
        ".start_time == t'2026-01-01T00:00:00Z'",
        ".start_time < now()",
        "length(.events) == 1 && length(.links) == 0",
        ".http_route == \"/cart\" && .http_status == 500",
        ".http_status >= 500",
    ];
    let no = [
        ".service == \"Shop\"",
        "contains(.name, \"CART\")",
        "match(.name, r'^POST')",
        ".parent_span_id != null",
        ".kind == \"client\"",
        ".status == \"ok\"",
        "!.error",
        ".duration_ms < 1000",
        ".start_time > now()",
        "includes([\"client\"], .kind)",
    ];
    answers(&spans(), 0, &yes, &no);
    answers(&spans(), 1, &["!.is_root", ".parent_span_id == \"b7ad6b7169203331\"", ".http_status == 404", "!.sampled"], &[".error"]);
}

#[test]
fn attributes_are_found_flat_first_then_nested() {
    let yes = [
        ".attributes.\"http.route\" == \"/cart\"",
        ".attributes.http.route == \"/cart\"",
        ".attributes.nested.a.b == \"deep\"",
        ".attributes.nested.x.y == \"dotted\"",
        ".attributes.nested.\"x.y\" == \"dotted\"",
        ".attributes.flat.first == \"flat\"",
        ".resource.\"k8s.pod.name\" == \"shop-1\"",
        ".resource.k8s.pod.name == \"shop-1\"",
        ".attributes.n == 7",
        ".attributes.n == 7.0",
        ".attributes.n > 6.5 && .attributes.n < 8",
        ".attributes.ratio < 1",
        ".attributes.flag",
        ".attributes.flag == true",
        "includes(.attributes.tags, \"x\")",
        "length(.attributes.tags) == 2",
        "length(.attributes.\"http.route\") == 5",
        "exists(.attributes.n)",
        "exists(.attributes.empty)",
        ".attributes.empty == null",
        "to_int(.attributes.digits) == 42",
        "to_float(.attributes.digits) / 2 == 21",
        "to_string(.attributes.n) == \"7\"",
        ".attributes.n * 2 + 1 == 15",
        "downcase(.attributes.\"url.path\") == \"/healthz\"",
        "upcase(.attributes.\"url.path\") == \"/HEALTHZ\"",
    ];
    let no = [
        ".attributes.http == \"/cart\"",
        ".attributes.nested.a == \"deep\"",
        ".attributes.n == \"7\"",
        ".attributes.digits == 42",
        "includes(.attributes.tags, \"z\")",
        "includes(.attributes.n, 7)",
        "exists(.attributes.http)",
        ".attributes.digits",
    ];
    answers(&spans(), 0, &yes, &no);
}

#[test]
fn what_is_missing_or_of_another_type_is_false_by_itself() {
    let yes = [
        ".attributes.none == null",
        ".attributes.none != \"x\"",
        "!(.attributes.none < 5)",
        "!(.attributes.none >= 5)",
        "!contains(.attributes.none, \"x\")",
        "!(.attributes.n < \"x\")",
        "!starts_with(.attributes.n, \"7\")",
        ".attributes.none < 9 || .error",
        "!.attributes.none",
        "!(to_int(.attributes.none) < 5)",
        "!(to_int(.attributes.\"url.path\") < 5)",
        "to_int(.attributes.none) ?? 3 == 3",
        "!(.attributes.none + 1 == 1)",
        "!(.attributes.n / 0 == 0)",
        "!(.attributes.n / 0 != null)",
        "(.attributes.none || .attributes.digits) == \"42\"",
        "if exists(.attributes.none) { .attributes.none == 1 } else { .error }",
    ];
    let no = [
        ".attributes.none < 5",
        ".attributes.none > 5",
        ".attributes.none == 5",
        "contains(.attributes.none, \"\")",
        "match(.attributes.none, r'')",
        "includes(.attributes.none, \"x\")",
        "exists(.attributes.none)",
        "if .attributes.none { true }",
    ];
    answers(&spans(), 0, &yes, &no);
}

#[test]
fn a_log_answers_by_its_fields() {
    let yes = [
        ".severity == \"ERROR\"",
        ".severity >= \"WARN\"",
        ".severity < \"FATAL\"",
        "includes([\"ERROR\", \"FATAL\"], .severity)",
        ".severity_number == 17 && .severity_text == \"error\"",
        ".error",
        ".message == \"payment failed\" && .body == \"payment failed\"",
        "contains(.message, \"failed\")",
        ".trace_id != null && .span_id == \"b7ad6b7169203331\"",
        ".sampled",
        ".event_name == \"payment\"",
        ".time == t'2026-01-01T00:00:00Z'",
        ".http_status == 500",
    ];
    answers(&logs(), 0, &yes, &[".severity < \"WARN\"", ".severity == \"INFO\""]);
    let yes = [
        ".severity == \"\"",
        ".severity_number < 9",
        "!(.severity < \"WARN\")",
        "!(.severity >= \"TRACE\")",
        ".severity != \"ERROR\"",
        "!.error",
        ".trace_id == null",
        "!exists(.sampled)",
        ".message == \"hello\"",
        ".body.message == \"hello\"",
        ".body.user.id == 5",
        "exists(.body.user)",
        ".time > t'2026-01-01T00:00:00Z'",
        ".http_route == null",
    ];
    answers(&logs(), 1, &yes, &[".sampled", ".body == \"hello\"", ".body.user.id == \"5\""]);
}

#[test]
fn a_metric_point_answers_by_its_fields() {
    let yes = [
        ".name == \"queue.size\" && .unit == \"1\"",
        ".type == \"gauge\"",
        ".value == 42 && .value > 41.5",
        ".temporality == null && .monotonic == null",
        ".count == null && .sum == null",
        ".start_time == null",
        ".attributes.queue == \"orders\"",
    ];
    answers(&points(), 0, &yes, &[".type == \"sum\"", ".monotonic"]);
    let yes =
        [".type == \"histogram\"", ".value == null", ".count == 3", ".sum == 1.5", ".min < 0.2 && .max == 1", ".temporality == \"delta\""];
    answers(&points(), 1, &yes, &[".value > 0", ".value <= 0"]);
}

#[test]
fn a_closed_trace_answers_by_what_was_learned() {
    let meets = |text: &str, trace: &signal::Trace| {
        let predicate = Condition::built_in(text).compile(Kinds::TRACES).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
        predicate.meets_trace(trace, NOW)
    };
    let yes = [
        ".error",
        ".duration_ms > 1000",
        ".trace_id == \"0af7651916cd43dd8448eb211c80319c\"",
        ".span_count == 2 && .log_count == 1 && .error_span_count == 1 && .error_log_count == 1",
        "includes(.services, \"cart\")",
        ".trace_state == \"k=v\"",
        "length(.services) == 2",
        ".root.service == \"shop\" && .root.name == \"GET /cart\"",
        ".root.kind == \"server\" && .root.status == \"error\" && .root.duration_ms == 1500",
        ".root.attributes.\"http.route\" == \"/cart\"",
        ".root.attributes.n == 7",
        "exists(.root)",
        ".first_error.service == \"shop\" && contains(.first_error.message, \"boom\")",
        ".closed_by == \"root\"",
        ".http_route == \"/cart\" && .http_status == 500",
        ".start_time < .end_time",
    ];
    for text in yes {
        assert!(meets(text, &trace()), "{text}");
    }
    for text in [".root == null", "!exists(.first_error)", ".root.service != \"shop\"", "!(.root.duration_ms >= 0)", ".http_route == null"]
    {
        assert!(meets(text, &rootless()), "{text}");
        assert!(!meets(text, &trace()), "{text}");
    }
}

#[test]
fn a_field_of_another_kind_is_missing() {
    let both = Kinds::SPANS.and(Kinds::LOGS);
    let predicate = Condition::built_in(".severity_number < 9 || .error").compile(both).unwrap();
    assert!(predicate.meets(&spans().records().next().unwrap(), NOW), "a span is decided by .error");
    assert!(!predicate.meets(&spans().records().nth(1).unwrap(), NOW));
    assert!(predicate.meets(&logs().records().nth(1).unwrap(), NOW));
    assert_eq!(predicate.concerns(), both);
    assert_eq!(Condition::built_in(".kind == \"client\"").compile(both).unwrap().concerns(), Kinds::SPANS);
    assert_eq!(Condition::built_in("true").compile(both).unwrap().concerns(), both);
}

#[test]
fn what_the_matcher_does_not_have_runs_as_vrl() {
    let yes = [
        "parse_json(.attributes.json).user.id == 5",
        "parse_json(.attributes.none).user.id == null",
        "!(parse_json(.name).user.id == 5)",
        "parse_int(.attributes.digits) == 42",
        ".attributes.tags[0] == \"x\"",
        ".events[0].name == \"exception\"",
        "strip_whitespace(.name) == \"GET /cart\"",
        "strip_whitespace!(.attributes.\"http.route\") == \"/cart\"",
        "!(strip_whitespace!(.attributes.n) == \"7\")",
        "is_string(.attributes.\"http.route\") && .attributes.n > 5",
        "x = downcase(.name); x == \"get /cart\"",
        ".name + \"!\" == \"GET /cart!\"",
        "found = false\nfor_each(array!(.attributes.tags)) -> |_i, tag| { if tag == \"y\" { found = true } }\nfound",
    ];
    let no = [".attributes.tags[5] == \"x\"", ".events[3].name == \"exception\"", "x = string!(.attributes.n); x == \"7\""];
    answers(&spans(), 0, &yes, &no);
}

#[test]
fn what_is_always_so_is_known_beforehand() {
    let constant = |text: &str| Condition::built_in(text).compile(Kinds::SPANS).unwrap().constant();
    for text in ["true", "!false", "true || .error", "1 < 2", "(true && !(false))", "if true { true } else { .error }"] {
        assert_eq!(constant(text), Some(true), "{text}");
    }
    for text in ["false", "false && .error", "\"a\" == \"b\""] {
        assert_eq!(constant(text), Some(false), "{text}");
    }
    for text in [".error", "true && .error", "false || .error"] {
        assert_eq!(constant(text), None, "{text}");
    }
}

#[test]
fn the_clock_is_the_pipelines_in_vrl_too() {
    let text = "x = to_unix_timestamp(now()); x == 1767312000";
    answers(&spans(), 0, &[text, "now() == t'2026-01-02T00:00:00Z'"], &["now() > t'2026-01-02T00:00:00Z'"]);
}

#[test]
fn one_compiled_condition_serves_all_lanes() {
    fn shared<T: Send + Sync>() {}
    fn sendable<T: Send>() {}
    shared::<crate::Predicates>();
    shared::<crate::Getter>();
    sendable::<crate::Program>();
}
