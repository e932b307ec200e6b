//! That a place inside a decoded text is found again in the file, however the text was written.

use crate::{
    Document, Node, Placed, Value,
    golden_test::Nothing,
    show::{self, Colour},
};
use proptest::prelude::*;

fn value(yaml: &str) -> Placed<String> {
    let document = Document::parse("p.yaml", yaml, &Nothing).unwrap();
    let Value::Map(entries) = document.root.value else { panic!("{yaml}") };
    crate::read(&entries[0].1).unwrap()
}

/// What of the file the fault at `needle` of the decoded text points at.
fn pointed<'y>(yaml: &'y str, needle: &str) -> &'y str {
    let placed = value(yaml);
    let start = placed.find(needle).unwrap_or_else(|| panic!("`{needle}` is not in {:?}", *placed));
    let place = placed.fault_in(start..start + needle.len(), "").place;
    &yaml[place.start as usize..place.end as usize]
}

#[test]
fn a_place_is_found_through_every_way_to_write_text() {
    for (yaml, needle, expected) in [
        ("a: .x == 1", "==", "=="),
        ("a: '.x == ''y'' && .z'", ".z", ".z"),
        ("a: '.x == ''y'' && .z'", "'y'", "''y''"),
        ("a: \".x == \\\"y\\\" && .z\"", ".z", ".z"),
        ("a: \"\\u00e9\\x41\\U0001F600\\ud83d\\ude00 .z\"", ".z", ".z"),
        ("a: \"é観 .z\"", ".z", ".z"),
        ("a: \"x\\\n   y .z\"", ".z", ".z"),
        ("a: \"x  \n\n   y .z\"", ".z", ".z"),
        ("a: 'x\n   y .z'", ".z", ".z"),
        ("a: x\n   y\n\n   .z", ".z", ".z"),
        ("a: |\n  x\n    y\n\n  .z", ".z", ".z"),
        ("a: |\n  x\n    y\n\n  .z", "  y", "  y"),
        ("a: |2-\n    x\n  .z\n", ".z", ".z"),
        ("a: >\n  x\n  y\n\n  .z\n", ".z", ".z"),
        ("a: >-\n  x\n    deep\n    er\n  .z\n", ".z", ".z"),
        ("a: >\n\n  x\n\n\n  .z\n", ".z", ".z"),
        ("a: |\r\n  x\r\n  .z\r\n", ".z", ".z"),
        ("a: ${env:N:-abc} .z", ".z", ".z"),
        ("a: ${env:N:-abc} .z", "abc", "${env:N:-abc}"),
        ("a: 'x $${y} ''${env:N:-b}'' .z'", ".z", ".z"),
        ("a: |\n  x\n  ${env:N:-abc}\n  .z", ".z", ".z"),
    ] {
        assert_eq!(pointed(yaml, needle), expected, "{yaml:?}");
    }
}

#[test]
fn a_value_that_no_file_holds_shows_itself() {
    let fault = Placed::nowhere(".errr".to_owned()).fault_in(1..5, "no field");
    let shown = show::text(&crate::Source::new("p.yaml", "other".to_owned()), &[fault], Colour::Never);
    assert!(shown.contains("--> built-in:1:2\n") && shown.contains(" 1 | .errr\n   |  ^^^^\n"), "{shown}");
}

#[test]
fn a_range_outside_of_the_text_is_cut() {
    let yaml = "a: 'x'";
    assert_eq!(value(yaml).fault_in(1..99, "").place, crate::Place { start: 5, end: 5 });
    assert_eq!(value(yaml).fault_in(50..99, "").place, crate::Place { start: 5, end: 5 });
}

fn inside(node: &Node, text: &str, found: &mut usize) {
    assert!(node.place.start <= node.place.end && node.place.end as usize <= text.len(), "{:?} of {}", node.place, text.len());
    match &node.value {
        Value::Null => {}
        Value::Broken(fault) => assert!(fault.place.end as usize <= text.len()),
        Value::Text(value) => {
            *found += 1;
            for at in 0..=value.text.len() {
                assert!(value.offsets.file(at).is_some_and(|file| file as usize <= text.len()), "{at} of {value:?}");
            }
        }
        Value::List(items) => items.iter().for_each(|item| inside(item, text, found)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| inside(value, text, found)),
    }
}

fn check(text: &str) -> usize {
    let mut found = 0;
    match Document::parse("p.yaml", text, &Nothing) {
        Ok(document) => {
            inside(&document.root, text, &mut found);
            let (_, faults) = crate::Graph::of(std::sync::Arc::new(document.clone()), &["journal"]);
            assert_eq!(show::text(&document.source, &faults, Colour::Never).is_empty(), faults.is_empty());
        }
        Err((source, faults)) => {
            assert!(!faults.is_empty());
            assert!(faults.iter().all(|fault| fault.place.end as usize <= text.len()), "{faults:?}");
            assert!(!show::text(&source, &faults, Colour::Always).is_empty());
        }
    }
    found
}

/// Text that is nearly YAML, so that it gets past the first character.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a: "),
        Just("sources:\n"),
        Just("\n  "),
        Just("\n"),
        Just("- "),
        Just("{ "),
        Just(" }"),
        Just("["),
        Just("]"),
        Just(", "),
        Just("'"),
        Just("\""),
        Just("\\"),
        Just("|\n"),
        Just(">\n"),
        Just("!x"),
        Just("&a "),
        Just("*a"),
        Just("<<: "),
        Just("# "),
        Just("${env:X}"),
        Just("${env:X:-y}"),
        Just("$${"),
        Just("when: "),
        Just("contains(.a, "),
        Just("é"),
        Just("観"),
        Just("\t"),
        Just("\r\n"),
        Just("---\n"),
        Just("? "),
        Just(": "),
        Just("x"),
        Just("\u{feff}"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn text_that_is_nearly_yaml_is_read_or_refused(text in nearly()) {
        check(&text);
    }

    #[test]
    fn every_letter_of_a_written_text_is_found_again(text in "[a-z' \"\\\\\n.é観]{0,40}[a-z]", style in 0..4) {
        let yaml = match style {
            0 => format!("k: '{}'", text.replace('\'', "''").replace('\n', " ")),
            1 => format!("k: {}", serde_json::to_string(&text).unwrap()),
            2 => format!("k: |2-\n  {}", text.replace('\n', "\n  ")),
            _ => format!("k: >2-\n  {}", text.replace('\n', "\n  ")),
        };
        if let Ok(document) = Document::parse("p.yaml", &yaml, &Nothing) {
            let Value::Map(entries) = &document.root.value else { return Ok(()) };
            let Value::Text(value) = &entries[0].1.value else { return Ok(()) };
            for (at, c) in value.text.char_indices().filter(|(_, c)| c.is_alphabetic()) {
                let file = value.offsets.file(at).unwrap() as usize;
                prop_assert_eq!(yaml[file..].chars().next(), Some(c), "at {} of {:?}", at, &yaml);
            }
        }
    }
}
