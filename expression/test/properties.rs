//! Random conditions: the matcher agrees with VRL, and no text makes the parser panic.

use super::{logs, spans, trace};
use crate::{
    Condition, Script, parse,
    program::{Piece, Program},
    subject::Subject,
    survey::LEVELS_MAX,
};
use config::Placed;
use proptest::prelude::*;
use signal::{Kinds, Time};
use std::hint::black_box;

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(".duration_ms".to_owned()),
        (-3i64..2000).prop_map(|n| n.to_string()),
        (0u32..4000).prop_map(|n| format!("{:.2}", f64::from(n) / 2.0)),
        Just("length(.name)".to_owned()),
        Just("length(.events)".to_owned()),
        Just("(.duration_ms + 1)".to_owned()),
        Just("(.duration_ms * 2 - 5)".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(".name".to_owned()),
        Just(".service".to_owned()),
        Just(".span_id".to_owned()),
        Just("downcase(.name)".to_owned()),
        Just("upcase(.service)".to_owned()),
        prop::sample::select(vec!["GET /cart", "get", "shop", "SHOP", "", "/cart", "b7ad6b7169203331", "é\\n\\\""])
            .prop_map(|t| format!("\"{t}\"")),
    ]
}

fn attribute() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["n", "ratio", "flag", "digits", "none", "empty", "tags", "nested", "\"http.route\""])
        .prop_map(|key| format!(".attributes.{key}"))
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["null", "true", "false", "7", "0.5", "7.0", "\"42\"", "\"/cart\""]).prop_map(str::to_owned),
        (0i64..10).prop_map(|n| n.to_string()),
    ]
}

/// Whole expressions in which both agree: VRL can neither order what may be missing nor search it.
fn condition() -> impl Strategy<Value = String> {
    let order = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    let equal = prop::sample::select(vec!["==", "!="]);
    let search = prop::sample::select(vec!["contains", "starts_with", "ends_with"]);
    let leaf = prop_oneof![
        (number(), order.clone(), number()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text(), order, text()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (attribute(), equal, literal()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (search, text(), text(), any::<bool>()).prop_map(|(f, a, b, case)| format!("{f}({a}, {b}, case_sensitive: {case})")),
        prop::sample::select(vec!["^GET", "cart$", "s.op", "(?i)SHOP", "\\d+"])
            .prop_flat_map(|r| text().prop_map(move |t| format!("match({t}, r'{r}')"))),
        attribute().prop_map(|a| format!("exists({a})")),
        (prop::sample::select(vec!["shop", "GET /cart", "x"]), text()).prop_map(|(w, t)| format!("includes([\"{w}\", \"a\"], {t})")),
        prop::sample::select(vec![".error", ".is_root", "true", "false"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(({a}) && ({b}))")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(({a}) || ({b}))")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("{{ if ({a}) {{ ({b}) }} else {{ ({c}) }} }}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_matcher_agrees_with_vrl(text in condition()) {
        let predicate = Condition::built_in(&text).compile(Kinds::SPANS).unwrap();
        let program = Program::compile(&Placed::nowhere(text.clone()), &Piece { range: 0..text.len(), bang: None }).unwrap();
        for record in spans().records() {
            let ours = predicate.meets(&record, Time(0));
            let theirs = program.run(&Subject::Record(&record), Time(0)).and_then(|v| v.as_boolean());
            prop_assert_eq!(Some(ours), theirs, "{}", text);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        drop(Condition::built_in(&text).compile(Kinds::ALL));
        drop(Script::built_in(&text).compile(Kinds::RECORDS));
    }

    #[test]
    fn no_heap_of_tokens_panics(tokens in prop::collection::vec(token(), 0..40), joint in prop::sample::select(vec!["", " ", "\n"])) {
        let text = tokens.join(joint);
        if let Ok(predicate) = Condition::built_in(&text).compile(Kinds::ALL) {
            for batch in [spans(), logs()] {
                for record in batch.records() {
                    black_box(predicate.meets(&record, Time(0)));
                }
            }
            black_box(predicate.meets_trace(&trace(), Time(0)));
        }
        drop(Script::built_in(&text).compile(Kinds::RECORDS));
    }
}

/// Tokens that mean something, apart by spaces.
const TOKENS: &str = r#".name .error .attributes .attributes.x .resource .severity .body . % & ( ) [ ] { } ! || && == != < >= + - * / | ?? = |= , ; if else
    true null 5 -1 0.5 99999999999999999999 "a" "{{x}}" "\u{0}" "é s'x' r'a' r'(' t'2026-01-01T00:00:00Z' t'x' contains match includes exists length to_int
    parse_json del now() for_each -> |k,v| x _ abort return break # é \ 😀 [0] [-9999999999] @ ' a: contains( exists(.name) to_int(.attributes.x)"#;

fn token() -> impl Strategy<Value = &'static str> {
    prop::sample::select(TOKENS.split_whitespace().chain(["\n"]).collect::<Vec<_>>())
}

#[test]
fn the_deepest_expression_allowed_is_compiled_and_asked() {
    let most = LEVELS_MAX - 3;
    for text in [
        format!("{}.error", "!".repeat(most)),
        format!("{}.error{}", "(".repeat(most), ")".repeat(most)),
        format!(".duration_ms > 0{}", " + 1".repeat(most)),
        vec![".name == \"a\""; parse::OPERATORS_MAX - 2].join(" || "),
        format!("x = true\n{}x", "!".repeat(most)),
        format!("x = {}1{}\nx == 1", "[".repeat(most), "]".repeat(most)),
        format!("x = true\n{}x", "x && ".repeat(most)),
        format!("x = true\n{}x{}", "if true { ".repeat(most), " } else { false }".repeat(most)),
    ] {
        let predicate = Condition::built_in(&text).compile(Kinds::SPANS).unwrap_or_else(|f| panic!("{text}: {f:?}"));
        black_box(predicate.meets(&spans().records().next().unwrap(), Time(0)));
        let last = text.lines().last().unwrap().replace('x', "true");
        let script = format!(".attributes.x = .name\n.attributes.y = ({last})");
        drop(Script::built_in(&script).compile(Kinds::SPANS));
    }
}
