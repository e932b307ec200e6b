//! Why a trace failed, or was slow: the path that leads there, its logs, and why the trace was kept.

use crate::{
    Error, Late, LogLine, SpanRow, TraceRef, TraceView,
    trace::{self, Loaded},
};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, collections::BTreeMap};
use store::Store;

/// The answer of `kansoku why`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Why {
    /// The whole trace.
    pub trace: TraceView,
    /// What the path shows.
    pub path_kind: PathKind,
    /// From the root to the span that explains it.
    pub path: Vec<PathStep>,
    /// Why the trace is here; none where nothing sampled it.
    pub kept: Option<Kept>,
    /// How its log records came to it: by which form of id, the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<Joined>,
    /// What came after it was closed.
    #[serde(default, skip_serializing_if = "Late::is_nothing")]
    pub late: Late,
    /// What would explain more and is not here, a sentence each.
    pub missing: Vec<String>,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// The span in which the failure began: the deepest whose failure went up to the root, if one did.
    Error,
    /// No span failed: the span whose log reports the first error.
    ErrorLog,
    /// Nothing failed: at each step the longest child.
    Slowest,
    /// There are no spans.
    None,
}

/// A span on the path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct PathStep {
    /// The span; found in `trace.spans`.
    pub span_id: String,
    /// Its service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// unset, ok, error.
    pub status: String,
    /// What it says about its failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long it took.
    pub duration_ms: f64,
    /// Its log records, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<LogLine>,
}

/// Why a trace was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Kept {
    /// The name of the sampling rule that decided.
    pub rule: String,
    /// The share of such traces that the rule keeps, from 0 to 1.
    pub share: f64,
    /// The least R of those, as `th` in tracestate has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// Whether an alert asked for it.
    pub pinned: bool,
}

/// Log records that were joined in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Joined {
    /// The way, as in their attribute `correlation.method`.
    pub method: String,
    /// How many.
    pub logs: usize,
}

/// Explains a trace, if the store has anything of it; closed or not.
///
/// # Errors
/// The store cannot be read, or a prefix fits several traces.
pub fn why(store: &Store, which: &TraceRef) -> Result<Option<Why>, Error> {
    let Some(Loaded { view: trace, parents }) = trace::load(store, which)? else { return Ok(None) };
    let (path_kind, last) = explain(&trace.spans, &parents);
    let mut path = Vec::new();
    let mut at = last;
    while let Some(span) = at {
        path.push(step(&trace.spans[span]));
        at = parents[span];
    }
    path.reverse();
    let summary = &trace.summary;
    let kept = summary.rule.clone().map(|rule| Kept {
        rule,
        share: summary.kept_share.unwrap_or(1.0),
        threshold: summary.threshold.clone(),
        pinned: summary.pinned,
    });
    let (joined, late) = (joined(&trace), Late::of(store, &trace, logs(&trace))?);
    let mut missing = trace.notes.clone();
    if path_kind == PathKind::Error && path.last().is_some_and(|step| step.message.is_none() && step.logs.is_empty()) {
        missing.push("the failing span has no status message, no exception event and no log".to_owned());
    }
    Ok(Some(Why { trace, path_kind, path, kept, joined, late, missing }))
}

fn logs(trace: &TraceView) -> impl Iterator<Item = &LogLine> {
    trace.spans.iter().flat_map(|span| &span.logs).chain(&trace.logs)
}

/// By the attribute that `correlate` writes on logs.
fn joined(trace: &TraceView) -> Vec<Joined> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for method in logs(trace).filter_map(|log| log.attributes.get("correlation.method")?.as_str()) {
        *counts.entry(method).or_default() += 1;
    }
    let mut joined: Vec<Joined> = counts.into_iter().map(|(method, logs)| Joined { method: method.to_owned(), logs }).collect();
    joined.sort_by_key(|joined| Reverse(joined.logs));
    joined
}

fn step(span: &SpanRow) -> PathStep {
    PathStep {
        span_id: span.span_id.clone(),
        service: span.service.clone(),
        name: span.name.clone(),
        status: span.status.clone(),
        message: span.message(),
        duration_ms: span.duration_ms,
        logs: span.logs.clone(),
    }
}

/// Instrumentation may leave a span unset between one that failed and one that failed because of it: the deepest failure below `origin`, which did not come through a span that says ok.
fn beneath(spans: &[SpanRow], parents: &[Option<usize>], origin: usize) -> usize {
    let mut below = vec![false; spans.len()];
    for n in 0..spans.len() {
        below[n] = n == origin || (spans[n].status != "ok" && parents[n].is_some_and(|p| below[p]));
    }
    let failed = (0..spans.len()).filter(|n| below[*n] && spans[*n].status == "error");
    failed.min_by_key(|n| (Reverse(spans[*n].depth), spans[*n].end())).unwrap_or(origin)
}

/// The span that explains the trace. Parents stand before their children, so one pass over the list sees every parent first.
fn explain(spans: &[SpanRow], parents: &[Option<usize>]) -> (PathKind, Option<usize>) {
    let failed = |n: usize| spans[n].status == "error";
    let mut has_failed_child = vec![false; spans.len()];
    let mut failed_up_to_root = vec![false; spans.len()];
    for n in 0..spans.len() {
        failed_up_to_root[n] = failed(n) && parents[n].is_none_or(|p| failed_up_to_root[p]);
        if let Some(parent) = parents[n].filter(|_| failed(n)) {
            has_failed_child[parent] = true;
        }
    }
    // Where the failure began: no child failed. A failure that reached the root counts before one that somebody handled, a deeper one before a shallower; then the one that ended first.
    let origins = (0..spans.len()).filter(|n| failed(*n) && !has_failed_child[*n]);
    if let Some(origin) = origins.min_by_key(|n| (!failed_up_to_root[*n], Reverse(spans[*n].depth), spans[*n].end())) {
        return (PathKind::Error, Some(beneath(spans, parents, origin)));
    }
    let first_error = |n: usize| spans[n].logs.iter().filter(|l| l.is_error()).map(|l| l.time).min();
    if let Some((_, n)) = (0..spans.len()).filter_map(|n| Some((first_error(n)?, n))).min() {
        return (PathKind::ErrorLog, Some(n));
    }
    let longer = |n: usize, than: Option<usize>| than.is_none_or(|other| spans[n].duration_ms > spans[other].duration_ms);
    let (mut at, mut longest_child) = (None, vec![None; spans.len()]);
    for (n, parent) in parents.iter().enumerate() {
        let best = parent.map_or(&mut at, |parent| &mut longest_child[parent]);
        if longer(n, *best) {
            *best = Some(n);
        }
    }
    while let Some(child) = at.and_then(|n| longest_child[n]) {
        at = Some(child);
    }
    (if at.is_some() { PathKind::Slowest } else { PathKind::None }, at)
}
