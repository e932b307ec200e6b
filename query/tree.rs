//! Spans as a tree in a list: depth-first, without recursion, whatever parents the spans claim.

use crate::SpanRow;
use std::collections::HashMap;

/// The spans in the order of their tree, with depth, offset and missing parents filled in; and for each the place of its parent in the list.
pub(crate) fn arrange(spans: Vec<SpanRow>) -> (Vec<SpanRow>, Vec<Option<usize>>) {
    let first = spans.iter().map(|s| s.start).min().unwrap_or_default();
    // Of two spans with one id (Zipkin's client and server) the server is the parent of what follows.
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (n, span) in spans.iter().enumerate() {
        if span.kind == "server" || !by_id.contains_key(span.span_id.as_str()) {
            by_id.insert(&span.span_id, n);
        }
    }
    let parents: Vec<Option<usize>> =
        spans.iter().enumerate().map(|(n, s)| by_id.get(s.parent_span_id.as_deref()?).copied().filter(|p| *p != n)).collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); spans.len()];
    let mut roots = Vec::new();
    for (n, parent) in parents.iter().enumerate() {
        match parent {
            Some(parent) => children[*parent].push(n),
            None => roots.push(n),
        }
    }
    // Spans came oldest first, so children are in the order of their starts. What no root leads to hangs in a circle and starts at its oldest span.
    let mut order: Vec<(usize, usize, Option<usize>)> = Vec::with_capacity(spans.len());
    let mut seen = vec![false; spans.len()];
    for start in roots.into_iter().chain(0..spans.len()) {
        let mut stack = vec![(start, 0, None)];
        while let Some((n, depth, parent)) = stack.pop() {
            if std::mem::replace(&mut seen[n], true) {
                continue;
            }
            let place = order.len();
            order.push((n, depth, parent));
            stack.extend(children[n].iter().rev().filter(|c| !seen[**c]).map(|c| (*c, depth + 1, Some(place))));
        }
    }
    let mut spans: Vec<Option<SpanRow>> = spans.into_iter().map(Some).collect();
    let mut arranged = Vec::with_capacity(spans.len());
    let mut places = Vec::with_capacity(spans.len());
    for (n, depth, parent) in order {
        let Some(mut span) = spans[n].take() else { continue };
        span.depth = depth;
        span.offset_ms = span.start.0.saturating_sub(first.0) as f64 / 1e6;
        span.parent_missing = span.parent_span_id.is_some() && parents[n].is_none();
        arranged.push(span);
        places.push(parent);
    }
    (arranged, places)
}
