//! Every text about YAML itself, with its place: what a person sees who forgot the quotes.

use crate::{Document, Environment, Fault, show::line_column};

/// Has no variables and no files.
pub(crate) struct Nothing;

impl Environment for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn file(&self, _: &str) -> Result<String, String> {
        Err("there is no such file".to_owned())
    }
}

/// `line:column message` of every fault, with the help after ` = `.
pub(crate) fn told(yaml: &str, faults: &[Fault]) -> Vec<String> {
    let tell = |fault: &Fault| {
        let (line, column) = line_column(yaml, fault.place.start);
        let help = fault.help.as_ref().map(|help| format!(" = {help}")).unwrap_or_default();
        format!("{line}:{column} {}{help}", fault.what)
    };
    faults.iter().map(tell).collect()
}

/// Compares each input's faults with the one expected, and shows all that differ.
pub(crate) fn each_says(cases: &[(&str, &str)], faults: impl Fn(&str) -> Vec<String>) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(yaml, expected)| (yaml, expected, faults(yaml)))
        .filter(|(_, expected, found)| found != &[**expected])
        .map(|(yaml, expected, found)| format!("{yaml}\n  expected {expected:?}\n  found    {found:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn faults(yaml: &str) -> Vec<String> {
    match Document::parse("p.yaml", yaml, &Nothing) {
        Ok(document) => told(yaml, &document.root.broken()),
        Err((_, faults)) => told(yaml, &faults),
    }
}

#[test]
fn a_tag_never_vanishes() {
    let cases = [
        ("when: !exists(.x)", "1:7 `!` starts a YAML tag, so this condition is empty; quote it: when: '!exists(.x)'"),
        (
            "rules:\n  - { name: a, when: !exists(.x), keep: 10% }",
            "2:22 `!` starts a YAML tag, so this condition is empty; quote it: when: '!exists(.x)'",
        ),
        ("drop: !.error # no", "1:7 `!` starts a YAML tag, so this condition is empty; quote it: drop: '!.error'"),
        (
            "drop: !contains(.a, \"x\")",
            "1:7 `!` starts a YAML tag, so part of this condition is lost; quote it: drop: '!contains(.a, \"x\")'",
        ),
        (
            "when: !(.a == \"x\") && .b",
            "1:7 `!` starts a YAML tag, so part of this condition is lost; quote it: when: '!(.a == \"x\") && .b'",
        ),
        ("a: !secret x", "1:4 `!` starts a YAML tag, so part of this value is lost; quote it: a: '!secret x'"),
        ("a: !!str 5", "1:4 `!` starts a YAML tag, so part of this value is lost; quote it: a: '!!str 5'"),
        ("drop: [!.a, .b]", "1:8 `!` starts a YAML tag, so this condition is empty; quote it: '!.a'"),
        ("drop: { spans: !.a }", "1:16 `!` starts a YAML tag, so this value is empty; quote it: spans: '!.a'"),
    ];
    each_says(&cases, faults);
}

#[test]
fn a_condition_that_yaml_cuts_short_is_shown_quoted() {
    let cases = [
        ("when: .a == \"a: b\"", "1:7 `: ` starts a value, so this condition is cut short; quote it: when: '.a == \"a: b\"'"),
        ("{ when: .a == \"a: b\", keep: 1% }", "1:9 `: ` starts a value, so this condition is cut short; quote it: when: '.a == \"a: b\"'"),
        ("drop: .body == \"a #1\"", "1:7 ` #` starts a comment, so this condition is cut short; quote it: drop: '.body == \"a #1\"'"),
        ("drop: .x == # 1", "1:7 ` #` starts a comment, so this condition is cut short; quote it: drop: '.x == # 1'"),
        (
            "{ when: contains(.a, .b) }",
            "1:9 `,` ends a value inside `{ }` and `[ ]`, so this condition is cut short; quote it: when: 'contains(.a, .b)'",
        ),
        (
            "{ when: contains(.a, \"x\") }",
            "1:9 `,` ends a value inside `{ }` and `[ ]`, which breaks this condition; quote it: when: 'contains(.a, \"x\")'",
        ),
        (
            "{ drop: contains(.a, \"it's\"), b: 1 }",
            "1:9 `,` ends a value inside `{ }` and `[ ]`, which breaks this condition; quote it: drop: 'contains(.a, \"it''s\")'",
        ),
        (
            "drop: [ contains(.a, .b), .c ]",
            "1:9 `,` ends a value inside `{ }` and `[ ]`, so this condition is cut short; quote it: 'contains(.a, .b)'",
        ),
        ("drop: [ .a == \"a: b\" ]", "1:9 `: ` makes this a key; quote the whole text: '.a == \"a: b\"'"),
        ("drop:\n  - .a == \"a: b\"", "2:5 `: ` makes this a key; quote the whole text: '.a == \"a: b\"'"),
        ("a: [ ${env:X} ]", "1:6 `{` starts a map inside `{ }` and `[ ]`, which breaks this value; quote it: '${env:X}'"),
        ("a: { url: ${env:X} }", "1:11 `{` starts a map inside `{ }` and `[ ]`, which breaks this value; quote it: url: '${env:X}'"),
        (
            "a: {\n  b: 1,\n  when: contains(.a, \"x\"),\n}",
            "3:9 `,` ends a value inside `{ }` and `[ ]`, so this condition is cut short; quote it: when: 'contains(.a, \"x\")'",
        ),
        ("rules: *.yaml", "1:8 `*` starts a YAML alias, which breaks this value; quote it: rules: '*.yaml'"),
        ("rules: [*.yaml]", "1:9 `*` starts a YAML alias, which breaks this value; quote it: '*.yaml'"),
        ("a: @x", "1:4 `@` cannot start a YAML value, which breaks this value; quote it: a: '@x'"),
    ];
    each_says(&cases, faults);
}

#[test]
fn what_is_written_well_is_left_alone() {
    for yaml in [
        "when: .error # every error",
        "when: '!exists(.x)'",
        "drop: '.a == \"a: b\"'",
        "drop: .a == \"x\" && (.b || contains(.c, \"y\"))",
        "{ when: .duration_ms > 1000, keep: 100% }",
        "keep: |\n  .a == \"a: b\" # VRL's own comment\n  && .b",
        "summary: 5\" disks # of ours",
        "a: &x { b: 1 }\nc: *x\nd: { <<: *x, e: 2 }",
        "--- # one document\na: 1\n...\n",
        "",
        "\u{feff}a: 1",
        "# nothing",
    ] {
        assert_eq!(faults(yaml), Vec::<String>::new(), "{yaml}");
    }
}

#[test]
fn mistakes_of_syntax_are_told_to_people() {
    let cases = [
        ("a: 1\n---\nb: 2", "2:1 a second YAML document starts here; a file holds one"),
        ("a: 1\nb: 2\na: 3", "3:1 `a` is written twice; the first stands at 1:1 = keep one of them"),
        ("a: [1, 2", "1:4 this `[` is never closed"),
        ("a: \"x", "1:4 this quote is never closed"),
        ("a:\n\tb: 1", "2:2 a tab stands where YAML wants spaces"),
        ("a: &x [*x]", "1:8 this alias stands inside what it repeats"),
        ("? [a]\n: 1", "1:3 a key must be text"),
        ("a: \"\\q\"", "1:4 this `\\` escape is unknown in double quotes; in single quotes a backslash is just itself"),
        ("a: 1\n  b: 2", "2:4 a `:` makes no key here; is the indentation right?"),
        ("a:\n    b: 1\n  c: 2", "3:3 a `key:` is expected here; is the indentation right?"),
    ];
    each_says(&cases, faults);
}

#[test]
fn bombs_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    assert_eq!(faults(&bomb), ["5:45 aliases repeat too much"]);
    let deep = "[".repeat(100) + &"]".repeat(100);
    assert_eq!(faults(&deep), ["1:66 this is nested too deeply"]);
    assert_eq!(faults(&"- x\n".repeat(100_001)), ["100000:3 the file holds too many values"]);
}
