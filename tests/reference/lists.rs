//! The pages of what is known by name: fields, reasons, metrics.

use crate::component::cell;
use signal::Kinds;
use std::{collections::BTreeSet, path::Path};

const KINDS: [(&str, Kinds); 4] =
    [("span", Kinds::SPANS), ("log", Kinds::LOGS), ("metric point", Kinds::METRICS), ("closed trace", Kinds::TRACES)];

pub(crate) fn fields() -> String {
    let mut page = "# Fields\n\nWhat a condition can ask and a `transform` sees, by what it is asked of. `?` may be missing, **w** may be written. \
        Keys of your own are under `.attributes` and `.resource`: `.attributes.\"http.route\"` and `.attributes.http.route` both find the flat key first, then a \
        nested map.\n\n"
        .to_owned();
    page.push_str("| field | holds | span | log | metric point | closed trace |\n|---|---|---|---|---|---|\n");
    for row in expression::fields::rows() {
        let has = KINDS.map(|(_, kind)| match (row.of.has(kind), row.null_in.has(kind), row.writable.has(kind)) {
            (false, ..) => "–",
            (_, false, false) => "yes",
            (_, true, false) => "?",
            (_, false, true) => "**w**",
            (_, true, true) => "? **w**",
        });
        page.push_str(&format!("| `{}` | {} | {} |\n", row.name, cell(&row.holds), has.join(" | ")));
    }
    page.push_str(
        "\nMissing is not an error: `==` and `!=` see null; `<`, `<=`, `>`, `>=`, `contains`, `starts_with`, `ends_with`, `match` and `includes` on something \
         missing or of another type are false, each comparison by itself; `exists(.x)` asks. Unknown is an error: the fields above are all there are.\n\n\
         Recipes: [conditions](../../tests/golden/conditions.md).\n",
    );
    page
}

/// Reasons are read from the text of pipeline/reason.rs: a name and its doc comment.
pub(crate) fn ledger() -> String {
    let mut page = "# The ledger\n\nFor every node and signal, at every moment: in + made = out + discarded + rejected + lost + held. `kansoku status` says it in a \
        sentence and a table, `/metrics` has it for Prometheus.\n\n## Reasons\n\n| reason | |\n|---|---|\n"
        .to_owned();
    let mut doc = Vec::new();
    for line in text("pipeline/reason.rs").lines().map(str::trim) {
        if let Some(said) = line.strip_prefix("/// ") {
            doc.push(said.to_owned());
        } else if let Some((_, reason)) = line.strip_suffix("\");").and_then(|line| line.split_once("Reason(\"")) {
            page.push_str(&format!("| `{reason}` | {} |\n", doc.join(" ")));
            doc.clear();
        } else {
            doc.clear();
        }
    }
    page.push_str("\n## Metrics\n\n| metric | labels | |\n|---|---|---|\n");
    for (name, labels, says) in pipeline::meter::METRICS.into_iter().chain(api::METRICS) {
        page.push_str(&format!("| `{name}` | {labels} | {says} |\n"));
    }
    page
}

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_metric_is_listed() {
    let sources = text("pipeline/meter.rs") + &text("api/figures.rs");
    let recorded = sources.split("!(\"").chain(sources.split("ended(\"")).skip(1).filter_map(|rest| rest.split('"').next());
    let names: BTreeSet<&str> = recorded.filter(|word| word.starts_with("kansoku_")).collect();
    let listed: BTreeSet<&str> = pipeline::meter::METRICS.iter().chain(&api::METRICS).map(|(name, ..)| *name).collect();
    assert_eq!(names, listed);
}
