//! Which spans of a trace are shown and what leads to them: subtrees in which nothing failed are folded when a failure is asked for.

use query::{LogLine, SpanRow};
use std::collections::HashSet;

/// What is shown of a trace.
pub(crate) enum Focus<'a> {
    /// All of it.
    Everything,
    /// These spans, whatever failed, and what is needed to see where they stand.
    Path(HashSet<&'a str>),
}

/// A line of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// A span, by its place; spans below it that are not shown.
    Span { at: usize, lead: String, below: String, folded: usize },
    /// Siblings in which nothing failed.
    Folded { lead: String, subtrees: usize, spans: usize },
    /// What follows is not shown.
    More { spans: usize },
}

/// Siblings in which nothing failed are shown one by one up to this many.
const QUIET_SIBLINGS_MAX: usize = 4;
const ROWS_MAX: usize = 1_000;
/// Deeper levels are drawn without the lines of the outermost.
const LEVELS_DRAWN: usize = 12;

/// The rows of a tree whose spans stand in the order of the tree.
pub(crate) fn rows(spans: &[SpanRow], focus: &Focus<'_>) -> Vec<Row> {
    let ends = ends(spans);
    let loud = loud(spans, focus);
    let is_quiet = |at: usize| loud[ends[at]] == loud[at];
    let mut rows = Vec::new();
    // For each depth: whether the span that is open there is the last child.
    let mut last: Vec<bool> = Vec::new();
    // For each depth: where the parent's subtree ends, and how many quiet siblings in a row were shown.
    let mut quiet_shown: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(span) = spans.get(at) {
        if rows.len() >= ROWS_MAX {
            rows.push(Row::More { spans: spans.len() - at });
            break;
        }
        let depth = span.depth.min(last.len());
        last.truncate(depth);
        quiet_shown.truncate(depth + 1);
        quiet_shown.resize(depth + 1, 0);
        let end = ends[at];
        let has_next = |end: usize| depth > 0 && spans.get(end).is_some_and(|next| next.depth == span.depth);
        let folds = matches!(focus, Focus::Path(_)) && is_quiet(at);
        if folds && quiet_shown[depth] + 1 >= QUIET_SIBLINGS_MAX && has_next(end) && is_quiet(end) {
            let (mut run_end, mut subtrees) = (end, 1);
            while has_next(run_end) && is_quiet(run_end) {
                run_end = ends[run_end];
                subtrees += 1;
            }
            last.push(!has_next(run_end));
            rows.push(Row::Folded { lead: lead(&last), subtrees, spans: run_end - at });
            at = run_end;
            continue;
        }
        quiet_shown[depth] = if folds { quiet_shown[depth] + 1 } else { 0 };
        last.push(!has_next(end));
        let folded = if folds { end - at - 1 } else { 0 };
        rows.push(Row::Span { at, lead: lead(&last), below: below(&last), folded });
        at = if folds { end } else { at + 1 };
    }
    rows
}

/// For each span, the place after its subtree.
fn ends(spans: &[SpanRow]) -> Vec<usize> {
    let mut ends = vec![spans.len(); spans.len()];
    let mut open: Vec<usize> = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        while let Some(before) = open.pop_if(|before| spans[*before].depth >= span.depth) {
            ends[before] = at;
        }
        open.push(at);
    }
    ends
}

/// How many spans before each place are to be seen.
fn loud(spans: &[SpanRow], focus: &Focus<'_>) -> Vec<usize> {
    let is_loud = |span: &SpanRow| match focus {
        Focus::Everything => true,
        Focus::Path(path) => {
            let said_so = span.logs.iter().any(LogLine::is_error);
            span.status == "error" || said_so || path.contains(span.span_id.as_str())
        }
    };
    let mut sums = vec![0];
    let mut sum = 0;
    for span in spans {
        sum += usize::from(is_loud(span));
        sums.push(sum);
    }
    sums
}

/// The lines before a span, from the levels above it (the root's own level has none).
fn lead(last: &[bool]) -> String {
    let (outer, drawn) = drawn(last);
    let Some((own, above)) = drawn.split_last() else { return String::new() };
    let above: String = above.iter().map(|last| if *last { "   " } else { "│  " }).collect();
    format!("{outer}{above}{}", if *own { "└─ " } else { "├─ " })
}

/// The lines before what belongs to a span.
fn below(last: &[bool]) -> String {
    let (outer, drawn) = drawn(last);
    let levels: String = drawn.iter().map(|last| if *last { "   " } else { "│  " }).collect();
    format!("{outer}{levels}│  ")
}

fn drawn(last: &[bool]) -> (&'static str, &[bool]) {
    let levels = last.get(1..).unwrap_or_default();
    match levels.len().checked_sub(LEVELS_DRAWN) {
        None | Some(0) => ("", levels),
        Some(over) => ("⋯  ", levels.get(over..).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(depth: usize, id: &str, status: &str) -> SpanRow {
        let json = serde_json::json!({
            "depth": depth, "span_id": id, "service": "s", "name": "n", "kind": "server", "status": status,
            "start": "2026-11-21T10:00:00Z", "offset_ms": 0.0, "duration_ms": 1.0, "attributes": {}, "resource": {},
        });
        serde_json::from_value(json).unwrap()
    }

    fn drawn(spans: &[SpanRow], focus: &Focus<'_>) -> Vec<String> {
        let row = |row: Row| match row {
            Row::Span { at, lead, folded: 0, .. } => format!("{lead}{}", spans[at].span_id),
            Row::Span { at, lead, folded, .. } => format!("{lead}{} +{folded}", spans[at].span_id),
            Row::Folded { lead, subtrees, spans } => format!("{lead}{subtrees} with {spans}"),
            Row::More { spans } => format!("{spans} more"),
        };
        rows(spans, focus).into_iter().map(row).collect()
    }

    #[test]
    fn what_did_not_fail_is_folded_and_lines_stay_whole() {
        let mut spans = vec![span(0, "root", "error")];
        spans.extend((0..6).map(|n| span(1, &format!("ok{n}"), "unset")));
        spans.extend([span(2, "deep", "unset"), span(1, "bad", "error"), span(2, "leaf", "unset"), span(3, "leafier", "ok")]);
        let expected = ["root", "├─ ok0", "├─ ok1", "├─ ok2", "├─ 3 with 4", "└─ bad", "   └─ leaf +1"];
        assert_eq!(drawn(&spans, &Focus::Path(HashSet::new())), expected);
        assert_eq!(drawn(&spans, &Focus::Everything).len(), spans.len());
    }

    #[test]
    fn a_path_stays_in_sight_though_nothing_failed() {
        let spans = [span(0, "root", "ok"), span(1, "a", "ok"), span(2, "b", "ok"), span(2, "c", "ok"), span(1, "d", "ok")];
        let drawn = drawn(&spans, &Focus::Path(["root", "a", "c"].into()));
        assert_eq!(drawn, ["root", "├─ a", "│  ├─ b", "│  └─ c", "└─ d"]);
    }

    #[test]
    fn strange_trees_are_drawn_too() {
        let deep: Vec<SpanRow> = (0..5_000).map(|n| span(n, "x", "error")).collect();
        let rows = drawn(&deep, &Focus::Everything);
        assert_eq!((rows.len(), rows.last().map(String::as_str)), (ROWS_MAX + 1, Some("4000 more")));
        assert!(rows[999].chars().count() < 60);
        let roots = [span(0, "a", "ok"), span(0, "b", "error"), span(0, "c", "ok")];
        assert_eq!(drawn(&roots, &Focus::Everything), ["a", "b", "c"]);
        let gap = [span(3, "a", "ok"), span(7, "b", "ok")];
        assert_eq!(drawn(&gap, &Focus::Everything), ["a", "└─ b"]);
    }
}
