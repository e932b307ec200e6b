//! What is said about mistakes, and at which bytes of the condition.

use super::said;
use crate::{Condition, Field, Script};
use config::Placed;
use serde::Deserialize;
use signal::Kinds;

/// The condition as the only value of a document, so that places are counted in it.
fn condition(text: &str, takes: Kinds) -> Vec<String> {
    said(&written::<Condition>(text).compile(takes).err().unwrap_or_default())
}

fn script(text: &str, takes: Kinds) -> Vec<String> {
    said(&written::<Script>(text).compile(takes).err().unwrap_or_default())
}

#[derive(Deserialize)]
struct Holder {
    when: Placed<String>,
}

/// Reads it from a block scalar; `at` is where its text begins.
const AT: u32 = 10;

trait From {
    fn of(text: Placed<String>) -> Self;
}

impl From for Condition {
    fn of(text: Placed<String>) -> Condition {
        Condition(text)
    }
}

impl From for Script {
    fn of(text: Placed<String>) -> Script {
        Script(text)
    }
}

fn written<T: From>(text: &str) -> T {
    let yaml = format!("when: |-\n {}\n", text.replace('\n', "\n "));
    let document = config::Document::parse("p.yaml", &yaml, &super::Bare).unwrap();
    T::of(document.read::<Holder>().unwrap().when)
}

/// With places counted from the start of a one-line text.
fn one(text: &str, takes: Kinds) -> String {
    let found = condition(text, takes);
    assert_eq!(found.len(), 1, "{found:#?}");
    shifted(&found[0])
}

fn shifted(said: &str) -> String {
    let (start, rest) = said.split_once('-').unwrap();
    let (end, rest) = rest.split_once(' ').unwrap();
    format!("{}-{} {rest}", start.parse::<u32>().unwrap() - AT, end.parse::<u32>().unwrap() - AT)
}

#[test]
fn an_unknown_field_names_the_kind_and_the_nearest() {
    assert_eq!(one(".error || .duraton_ms > 1", Kinds::TRACES), "11-21 `duraton_ms` is no field of a trace; did you mean `duration_ms`?");
    assert_eq!(one(".sevrity == \"WARN\"", Kinds::LOGS), "1-8 `sevrity` is no field of a log; did you mean `severity`?");
    assert_eq!(one(".level == \"WARN\"", Kinds::LOGS), "1-6 `level` is no field of a log; did you mean `severity`?");
    assert_eq!(
        one(".xyzzy == 1", Kinds::SPANS.and(Kinds::LOGS)),
        "1-6 `xyzzy` is no field of a span or a log; keys of your own are under `.attributes` or `.resource`"
    );
    assert_eq!(one(".root.servce == \"a\"", Kinds::TRACES), "1-5 `root.servce` is no field of a trace; did you mean `root.service`?");
    assert_eq!(one(".scope.x == 1", Kinds::SPANS), "1-6 `scope.x` is no field of a span; there are `scope.name`, `scope.version`");
}

#[test]
fn a_field_that_none_of_the_kinds_has_tells_who_has_it() {
    assert_eq!(one(".duration_ms > 5", Kinds::LOGS), "1-12 `duration_ms` is no field of a log; spans and closed traces have it");
    assert_eq!(one(".attributes.x == 1", Kinds::TRACES), "1-11 `attributes` is no field of a trace; spans, logs and metric points have it");
    assert!(condition(".duration_ms > 5", Kinds::LOGS.and(Kinds::SPANS)).is_empty());
}

#[test]
fn a_field_of_one_value_has_no_parts() {
    assert_eq!(one(".name.first == \"a\"", Kinds::SPANS), "1-5 `.name` is text and has no parts");
    assert_eq!(
        one(".service.name == \"a\"", Kinds::SPANS),
        "1-8 `.service` is text and has no parts; did you mean `.resource.\"service.name\"`?"
    );
}

#[test]
fn every_unknown_name_is_said_at_once() {
    let found = condition(".a == 1 || .b == 2 && contians(.name, \"x\")", Kinds::SPANS);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[2].ends_with("`contians` is no function; did you mean `contains`?"), "{found:#?}");
}

#[test]
fn words_and_levels_are_checked() {
    assert_eq!(one(".status == \"eror\"", Kinds::SPANS), "11-17 `.status` is never `eror`; did you mean `error`?");
    assert_eq!(one(".severity >= \"warn\"", Kinds::LOGS), "13-19 `.severity` is never `warn`; did you mean `WARN`?");
    assert_eq!(one(".severity >= \"WARNING\"", Kinds::LOGS), "13-22 `.severity` is never `WARNING`; did you mean `WARN`?");
    assert_eq!(one("\"servr\" == .kind", Kinds::SPANS), "0-7 `.kind` is never `servr`; did you mean `server`?");
    assert_eq!(
        one(".closed_by == \"xxxxxxxx\"", Kinds::TRACES),
        "14-24 `.closed_by` is never `xxxxxxxx`; it is one of root, idle, first, cap, pressure, drain"
    );
    assert!(one("includes([\"server\", \"clint\"], .kind)", Kinds::SPANS).contains("did you mean `client`?"));
    assert!(one(".type == \"hist\"", Kinds::METRICS).contains("`.type` is never `hist`"));
}

#[test]
fn what_can_never_hold_is_an_error() {
    assert_eq!(one(".duration_ms > \"1000\"", Kinds::SPANS), "15-21 `.duration_ms` is a number and is never above or below text");
    assert_eq!(one(".error == \"true\"", Kinds::SPANS), "10-16 `.error` is a boolean and is never equal to text");
    assert_eq!(one("contains(.duration_ms, \"5\")", Kinds::SPANS), "9-21 `.duration_ms` is a number; `contains` asks text");
    assert!(condition(".attributes.x > \"1000\" || .duration_ms == null", Kinds::SPANS).is_empty());
}

#[test]
fn what_is_no_condition_says_what_it_is() {
    assert_eq!(
        one(".name", Kinds::SPANS),
        "0-5 `.name` is text; a condition is true or false = compare it, as in `.name == …`, or ask `exists(.name)`"
    );
    assert!(one(".error && .duration_ms", Kinds::SPANS).starts_with("10-22 `.duration_ms` is a number; a condition"));
    assert!(one("x = 5; x", Kinds::SPANS).contains("is a number; a condition is true or false"));
    assert!(one("null", Kinds::SPANS).contains("is null; a condition is true or false"));
}

#[test]
fn an_empty_condition_shows_the_quoted_form() {
    let said = |text: &str| said(&Condition::built_in(text).compile(Kinds::SPANS).unwrap_err());
    for text in ["", "   ", "# only a comment"] {
        assert_eq!(
            said(text),
            [
                "0-0 this condition is empty = write one in quotes, as in `when: '!exists(.x)'`; without quotes `!` starts a YAML tag and ` #` a comment"
            ]
        );
    }
}

#[test]
fn a_mixture_of_or_and_and_needs_parentheses() {
    let text = ".error || .is_root && .sampled";
    assert!(one(text, Kinds::SPANS).contains("put the parentheses you mean"));
    for text in [".error || (.is_root && .sampled)", "(.error || .is_root) && .sampled", ".error && .is_root || .sampled"] {
        assert!(condition(text, Kinds::SPANS).is_empty(), "{text}");
    }
}

#[test]
fn nothing_reaches_outside_or_writes() {
    assert_eq!(
        one("get_env_var(\"HOME\") == \"a\"", Kinds::SPANS),
        "0-11 `get_env_var` is not offered: an expression may not reach outside or be random"
    );
    assert!(one("random_bool()", Kinds::SPANS).contains("not offered"));
    assert!(one(".name = 5; true", Kinds::SPANS).contains("a condition changes nothing; `==` compares, and a `transform` writes"));
    assert!(one("del(.name) == \"x\"", Kinds::SPANS).contains("a condition changes nothing"));
    assert!(one("%meta == 1", Kinds::SPANS).contains("no metadata"));
    assert!(one("is_object(.)", Kinds::SPANS).contains("not for the whole record"));
}

#[test]
fn vrl_speaks_at_its_place() {
    let said = one(".error && strip_whitespace(.attributes.x) == \"a\"", Kinds::SPANS);
    assert!(said.starts_with("27-40 ") && said.contains("invalid argument type"), "{said}");
    assert!(said.contains("put `!` after the function's name"), "{said}");
    assert_eq!(one(".error &&", Kinds::SPANS), "9-9 syntax error: something is missing at the end");
    let said = one("match(.name, r'(')", Kinds::SPANS);
    assert!(said.starts_with("13-17 this regular expression does not parse: unclosed group"), "{said}");
    let said = one("match(.name, r'(a{500}){500}')", Kinds::SPANS);
    assert!(said.contains("needs more than 1024 KiB"), "{said}");
    let said = one(".start_time > t'yesterday'", Kinds::SPANS);
    assert!(said.contains("`yesterday` is no time; write one as in t'2026-01-01T00:00:00"), "{said}");
}

#[test]
fn what_other_languages_write_is_translated() {
    assert_eq!(one(".error and .is_root", Kinds::SPANS), "7-10 syntax error: unexpected `and` = write `&&`");
    assert!(one("not .error", Kinds::SPANS).ends_with("write `!` for `not`"));
    assert!(one(".name =~ r'a'", Kinds::SPANS).ends_with("a regular expression is asked with `match(.name, r'^a')`"));
    assert!(one(".name == 'x'", Kinds::SPANS).ends_with("text stands in double quotes, as in `.name == \"a\"`"));
    assert_eq!(one("severity == \"WARN\"", Kinds::LOGS), "0-8 `severity` is no variable; did you mean the field `.severity`?");
    assert_eq!(one(".duration_ms > 1s", Kinds::SPANS), "15-17 `1s` is no number; write it without a unit");
    assert!(one(".name == GET", Kinds::SPANS).ends_with("`GET` is no variable; fields begin with a dot, text stands in double quotes"));
    assert_eq!(
        one(".attributes.http-route == \"/\"", Kinds::SPANS),
        "0-22 a key with a dash stands in quotes, as in `.attributes.\"http-route\"`"
    );
}

#[test]
fn too_large_is_refused_before_it_is_parsed() {
    let deep = format!("{}true", "!".repeat(500));
    assert!(condition(&deep, Kinds::SPANS)[0].contains("more than 380 operators"), "{:?}", condition(&deep, Kinds::SPANS));
    let long = format!(".name == \"{}\"", "x".repeat(70_000));
    assert!(condition(&long, Kinds::SPANS)[0].contains("bytes long"));
    let nested = format!("{}true{}", "(".repeat(100), ")".repeat(100));
    assert!(condition(&nested, Kinds::SPANS)[0].contains("nested deeper than 64 levels"));
    let wide = vec![".name == \"a\""; 300].join(" || ");
    assert!(condition(&wide, Kinds::SPANS).is_empty(), "{:?}", condition(&wide, Kinds::SPANS));
    let vrl = format!("is_string(.name) || {wide}");
    assert!(condition(&vrl, Kinds::SPANS)[0].contains("only VRL can do this, and the condition is 301 levels deep"));
}

#[test]
fn a_script_may_write_only_what_is_writable() {
    let said = script(".service = \"x\"", Kinds::SPANS);
    assert_eq!(
        said,
        ["10-18 `.service` cannot be written; written can be `.resource`, `.attributes`, `.name`, `.status`, `.status_message`"]
    );
    assert!(script("del(.kind)", Kinds::SPANS)[0].contains("`.kind` cannot be written"));
    assert!(script(". = {}", Kinds::SPANS)[0].contains("the record as a whole cannot be written"));
    assert!(script(". |= {\"a\": 1}", Kinds::SPANS)[0].contains("the record as a whole cannot be written"));
    assert!(script(".attributs.x = 1", Kinds::SPANS)[0].contains("did you mean `attributes`?"));
    assert!(script(".status = \"eror\"", Kinds::SPANS)[0].contains("`.status` takes unset, ok or error, not `eror`"));
    assert!(script("if .error { .severity_number = 99 }", Kinds::LOGS)[0].contains("takes 0 to 24, not 99"));
    assert!(script(".attributes = 5", Kinds::LOGS)[0].contains("takes a map"));
    assert!(super::said(&Script::built_in("").compile(Kinds::LOGS).unwrap_err())[0].contains("this program is empty"));
}

#[test]
fn a_script_has_to_handle_errors_as_in_vector() {
    let said = script(".attributes.y = parse_json(.attributes.x)", Kinds::SPANS);
    assert!(said[0].contains("invalid argument type") || said[0].contains("fallible"), "{said:?}");
    assert!(script(".attributes.y = parse_json(.attributes.x) ?? null", Kinds::SPANS).is_empty());
    assert!(script(".name = downcase(.name)", Kinds::SPANS).is_empty());
    assert!(!script(".name = downcase(.name)", Kinds::SPANS.and(Kinds::LOGS)).is_empty(), "a log has no name");
}

#[test]
fn a_field_for_by_is_nothing_but_a_field() {
    let said = |text: &str| said(&Field::built_in(text).compile(Kinds::SPANS).err().unwrap_or_default());
    assert_eq!(said(".servce"), ["1-7 `servce` is no field of a span; did you mean `service`?"]);
    assert!(said("service")[0].contains("is no field; write one such as `.service`"));
    assert!(said(".name + 1")[0].contains("is no field; write one such as"));
}
