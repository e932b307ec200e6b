//! What conditions and statements become, and what is refused.

use super::*;
use proptest::prelude::*;

#[test]
fn conditions_mean_what_they_meant() {
    for (about, theirs, ours) in [
        (About::Span, r#"attributes["http.route"] == "/healthz""#, r#".attributes."http.route" == "/healthz""#),
        (About::Log, "severity_number < SEVERITY_NUMBER_INFO", ".severity_number < 9"),
        (
            About::Log,
            r#"severity_number >= SEVERITY_NUMBER_WARN2 and IsMatch(body, ".*password.*")"#,
            ".severity_number >= 14 && match(.message, r'.*password.*')",
        ),
        (
            About::Span,
            r#"name == "a" or (kind == SPAN_KIND_SERVER and not status.code == STATUS_CODE_ERROR)"#,
            r#".name == "a" || (.kind == "server" && !(.status == "error"))"#,
        ),
        (About::Span, r#"resource.attributes["a"]["b"] != nil"#, r#"exists(.resource."a"."b")"#),
        (About::Span, r#"(end_time_unix_nano - start_time_unix_nano) > 5000000"#, ".duration_ms > 5"),
        (About::Span, "span.attributes[\"n\"] >= 1.5", ".attributes.\"n\" >= 1.5"),
        (About::Span, "500 <= attributes[\"http.status_code\"]", ".attributes.\"http.status_code\" >= 500"),
        (About::Span, r#"parent_span_id.string == """#, ".is_root"),
        (About::Span, "IsRootSpan() and kind.string == \"Client\"", r#".is_root && .kind == "client""#),
        (
            About::Metric,
            r#"name == "up" and type == METRIC_DATA_TYPE_SUM and not is_monotonic"#,
            r#".name == "up" && .type == "sum" && !(.monotonic)"#,
        ),
        (About::Point, r#"metric.name == "up" and attributes["job"] == "a""#, r#".name == "up" && .attributes."job" == "a""#),
        (About::Log, r#"HasPrefix(log.body.string, "GET ") == true"#, "starts_with(.message, \"GET \")"),
        (About::Log, r#"IsMatch(severity_text, "^W") == false"#, "!match(.severity_text, r'^W')"),
        (About::Span, "true", "true"),
        (
            About::Span,
            r#"name == "a" or name == "b" and name == "c" or name == "d""#,
            r#".name == "a" || (.name == "b" && .name == "c") || .name == "d""#,
        ),
    ] {
        assert_eq!(condition(theirs, about).as_deref(), Ok(ours), "{theirs}");
    }
}

#[test]
fn what_has_no_counterpart_is_named() {
    for (theirs, why) in [
        (r#"Len(attributes["a"]) > 3"#, "there is no counterpart of `Len`"),
        ("nonsense == 1", "there is no field like `nonsense` here"),
        (r#"attributes["a"] == "#, "it ends too early"),
        (r#"attributes["a"] == "b" extra"#, "`extra` is not understood"),
        (r#"attributes["a" == "b""#, "a key in quotes is expected between `[` and `]`"),
        ("body == 'x'", "`'` is not understood"),
    ] {
        assert_eq!(condition(theirs, About::Log).unwrap_err(), why, "{theirs}");
    }
}

#[test]
fn statements_set_and_delete() {
    assert_eq!(statement(r#"set(span.attributes["ring"], "blue")"#, About::Span).unwrap(), r#".attributes."ring" = "blue""#);
    let where_ = statement(r#"set(resource.attributes["a"], attributes["b"]) where attributes["b"] != nil"#, About::Span);
    assert_eq!(where_.unwrap(), r#"if exists(.attributes."b") { .resource."a" = .attributes."b" }"#);
    assert_eq!(statement(r#"delete_key(attributes, "secret")"#, About::Log).unwrap(), r#"del(.attributes."secret")"#);
    assert_eq!(statement("limit(attributes, 5, [])", About::Span).unwrap_err(), "there is no counterpart of `limit`");
}

proptest! {
    #[test]
    fn any_text_is_understood_or_refused(
        text in prop_oneof![
            "\\PC{0,60}",
            r#"(not |and |or |\(|\)|attributes|\["a"\]|name|"b\\?"?|==|<=| - |-1|[0-9.]{1,3}|nil|SEVERITY_NUMBER_[A-Z]{0,5}[0-9]?|IsMatch\(| ){0,14}"#,
        ],
    ) {
        for about in [About::Span, About::Log, About::Metric, About::Point] {
            let _understood = (condition(&text, about), statement(&text, about));
        }
    }
}

#[test]
fn brackets_without_end_are_refused() {
    assert!(condition(&"(".repeat(10_000), About::Span).is_err());
    assert!(condition(&"not ".repeat(200_000), About::Span).is_err());
}
