//! What is said of two graphs that differ.

use super::parts::graph;
use crate::changes::{Changes, Digests, keep_what_needs_a_restart};

const BEFORE: &str = "
journal: { path: data/journal, limit: 4GiB }
drain: 25s
admin: { listen: 127.0.0.1:4319, token: secret }
sources:
  otlp: {}
processors:
  kept: { type: sample, inputs: [otlp], rules: [{ name: rest, keep: 10% }] }
sinks:
  old: { type: otlp, inputs: [kept], endpoint: http://a:4317, headers: { a: b, c: d } }
  store: { inputs: [kept], path: data }
";

fn said(pairs: &[(&str, &str)]) -> String {
    let after = pairs.iter().fold(BEFORE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    Changes::between(&graph(BEFORE), &graph(&after), (&Digests::new(), &Digests::new())).to_string()
}

#[test]
fn what_was_added_changed_and_removed_is_named_by_node_and_key() {
    let told = [
        (said(&[]), "nothing changed"),
        (said(&[("10%", "20%")]), "~kept.rules"),
        (said(&[("  old:", "  tempo:")]), "+tempo -old"),
        (said(&[("keep: 10%", "keep: 5%"), ("  old:", "  tempo:")]), "+tempo ~kept.rules -old"),
        (said(&[("a: b, c: d", "a: b, c: e")]), "~old.headers.c"),
        (said(&[("a: b, c: d", "c: d, a: b")]), "~old.headers"),
        (said(&[("otlp: {}", "otlp: { grpc: { listen: 'off' } }")]), "~otlp.grpc"),
        (said(&[("inputs: [kept], path", "inputs: [otlp], path")]), "~store.inputs"),
        (said(&[("path: data }", "path: other, on_full: drop }")]), "~store.path; only a restart changes store.on_full"),
        (said(&[("path: data }", "path: data, delivery: { timeout: 1s } }")]), "only a restart changes store.delivery"),
        (said(&[("store: { inputs", "store: { type: debug, inputs")]), "~store.type"),
        (said(&[("drain: 25s", "drain: 5s")]), "~drain"),
        (said(&[("http://a:4317, headers: { a: b, c: d }", "b, protocol: http, compression: gzip, timeout: 1s")]), "~old"),
    ];
    for (said, told) in told {
        assert_eq!(said, told);
    }
}

#[test]
fn where_a_word_stands_and_how_it_is_laid_out_changes_nothing() {
    let moved = BEFORE.replace("otlp: {}", "# a comment\n  otlp:\n    {}\n");
    assert!(Changes::between(&graph(BEFORE), &graph(&moved), (&Digests::new(), &Digests::new())).is_none());
}

#[test]
fn what_is_read_at_the_start_only_is_told_apart() {
    assert_eq!(said(&[("data/journal", "elsewhere")]), "only a restart changes journal.path");
    assert_eq!(said(&[("data/journal, limit: 4GiB", "elsewhere, limit: 1GiB")]), "~journal.limit; only a restart changes journal.path");
    assert_eq!(said(&[("journal: { path: data/journal, limit: 4GiB }", "")]), "only a restart changes journal");
    assert_eq!(said(&[("token: secret", "token: other"), ("10%", "20%")]), "~kept.rules; only a restart changes admin.token");
    assert_eq!(said(&[("drain: 25s", "memory: 1GiB")]), "~drain; only a restart changes memory");
}

#[test]
fn a_file_that_a_node_names_may_change_where_the_node_does_not() {
    let digests = |number| Digests::from([("store".to_owned(), number)]);
    let changes = Changes::between(&graph(BEFORE), &graph(BEFORE), (&digests(1), &digests(2)));
    assert_eq!(changes.to_string(), "~store (files it names)");
}

#[test]
fn a_new_graph_runs_with_the_journal_that_is_open() {
    let mut new = graph(&BEFORE.replace("data/journal, limit: 4GiB", "elsewhere, limit: 1GiB").replace("drain: 25s", "drain: 1s"));
    keep_what_needs_a_restart(&graph(BEFORE), &mut new);
    assert_eq!(Changes::between(&graph(BEFORE), &new, (&Digests::new(), &Digests::new())).to_string(), "~journal.limit ~drain");
}
