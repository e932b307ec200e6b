//! One trace, whole: its spans as a tree, its logs where they belong, its summary, and what should be known about it.

use crate::{
    Error, LogLine, Outcome, SpanRow, TraceSummary,
    logs::lines,
    spans::{self, SPANS_MAX},
    traces, tree,
};
use serde::{Deserialize, Serialize};
use signal::TraceId;
use std::collections::{BTreeSet, HashMap};
use store::{Filter, Order, Scalar, Scan, Store, Table, Texts};

/// Log records read of one trace, at the most.
const LOGS_MAX: usize = 20_000;

/// Candidates named when a prefix fits several traces.
const CANDIDATES_MAX: usize = 5;

/// Which trace is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceRef {
    /// This one.
    Id(TraceId),
    /// The one whose id starts with these hex digits.
    Prefix(String),
    /// The newest.
    Last,
    /// The newest that failed.
    LastError,
}

impl TraceRef {
    /// Reads `last`, an id, or the start of one.
    ///
    /// # Errors
    /// It is none of these.
    pub fn read(text: &str) -> Result<TraceRef, Error> {
        match (text, TraceId::of_hex(text)) {
            ("last", _) => Ok(TraceRef::Last),
            (_, Some(id)) => Ok(TraceRef::Id(id)),
            _ if !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Ok(TraceRef::Prefix(text.to_ascii_lowercase()))
            }
            _ => Err(Error::NoId(text.to_owned())),
        }
    }
}

/// A trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct TraceView {
    /// In one line.
    pub summary: TraceSummary,
    /// Its spans, in the order of their tree.
    pub spans: Vec<SpanRow>,
    /// Its log records that belong to no span here, oldest first.
    pub logs: Vec<LogLine>,
    /// What is missing or uncertain, a sentence each.
    pub notes: Vec<String>,
}

/// The trace, if the store has anything of it.
///
/// # Errors
/// The store cannot be read, or a prefix fits several traces.
pub fn trace(store: &Store, which: &TraceRef) -> Result<Option<TraceView>, Error> {
    Ok(load(store, which)?.map(|loaded| loaded.view))
}

/// A trace, and for each of its spans the place of the parent.
pub(crate) struct Loaded {
    pub(crate) view: TraceView,
    pub(crate) parents: Vec<Option<usize>>,
}

/// Reads a trace.
pub(crate) fn load(store: &Store, which: &TraceRef) -> Result<Option<Loaded>, Error> {
    let id = match which {
        TraceRef::Id(id) => Some(*id),
        TraceRef::Prefix(prefix) => by_prefix(store, prefix)?,
        TraceRef::Last => newest(store, false)?,
        TraceRef::LastError => newest(store, true)?,
    };
    let Some(id) = id else { return Ok(None) };
    let of_trace = |table: Table, limit: usize| Scan { filters: vec![Filter::TraceId(id)], order: Order::Oldest, limit, ..Scan::of(table) };
    let closed = traces::read_all(store, &of_trace(Table::Traces, usize::MAX))?.pop();
    let spans = spans::of_trace(store, id)?;
    let all_logs = lines(store, &of_trace(Table::Logs, LOGS_MAX))?;
    if closed.is_none() && spans.is_empty() && all_logs.is_empty() {
        return Ok(None);
    }
    let mut summary = closed.unwrap_or_else(|| TraceSummary::of_spans(&id.to_string(), &spans));
    if summary.closed_by.is_none() {
        summary.log_count = all_logs.len() as u64;
        summary.error_log_count = all_logs.iter().filter(|l| l.is_error()).count() as u64;
        if summary.error_log_count > 0 {
            summary.status = Outcome::Error;
        }
        summary.start = if spans.is_empty() { all_logs.first().map(|l| l.time).unwrap_or_default() } else { summary.start };
    }
    let dropped = all_logs.iter().any(|log| log.attributes.get("correlation.state").is_some_and(|state| state == "trace_dropped"));
    let notes = notes(&summary, &spans, all_logs.len(), dropped);
    let (mut spans, parents) = tree::arrange(spans);
    let mut places: HashMap<String, usize> = HashMap::new();
    for (n, span) in spans.iter().enumerate() {
        places.entry(span.span_id.clone()).or_insert(n);
    }
    let mut logs = Vec::new();
    for line in all_logs {
        match line.span_id.as_ref().and_then(|id| places.get(id)) {
            Some(place) => spans[*place].logs.push(line),
            None => logs.push(line),
        }
    }
    Ok(Some(Loaded { view: TraceView { summary, spans, logs, notes }, parents }))
}

/// `dropped`: whether a log says that its trace was discarded.
fn notes(summary: &TraceSummary, spans: &[SpanRow], logs: usize, dropped: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if logs == 0 {
        notes.push(
            "no logs carried this trace id; switch on log correlation in the application's SDK, or write the trace id into its logs"
                .to_owned(),
        );
    }
    let ids: BTreeSet<&str> = spans.iter().map(|s| s.span_id.as_str()).collect();
    let missing: BTreeSet<&str> = spans.iter().filter_map(|s| s.parent_span_id.as_deref()).filter(|p| !ids.contains(p)).collect();
    if !missing.is_empty() {
        let named: Vec<&str> = missing.iter().take(CANDIDATES_MAX).copied().collect();
        let verb = if missing.len() == 1 { "a parent span never arrived" } else { "parent spans never arrived" };
        notes.push(format!("{verb}: {}", named.join(", ")));
    }
    if spans.is_empty() {
        notes.push("no spans of this trace are here, only logs".to_owned());
    } else if !spans.iter().any(|s| s.parent_span_id.is_none()) {
        notes.push("the root span is not here".to_owned());
    }
    match summary.closed_by.as_deref() {
        None if dropped => notes.push("its trace was discarded by sampling; what is here was kept all the same".to_owned()),
        None => notes.push("nothing has closed this trace: it is still open, or no `correlate` stands before the store".to_owned()),
        Some("cap") => notes.push("it was closed at a limit on its size; what came later was passed on by the same decision".to_owned()),
        Some("pressure") => {
            notes.push("it was closed early because the trace window was full; raise its memory, or sample before it".to_owned())
        }
        Some("drain") => notes.push("it was closed because kansoku stopped; the rest may have gone elsewhere".to_owned()),
        Some("first") => notes.push("it was still growing when `close.after_first` closed it".to_owned()),
        Some(_) => {}
    }
    if summary.late_count > 0 {
        notes.push(format!("{} of its records came after it was closed", summary.late_count));
    }
    if spans.len() >= SPANS_MAX || logs >= LOGS_MAX {
        notes.push(format!("it is larger than what is shown: at most {SPANS_MAX} spans and {LOGS_MAX} logs"));
    }
    notes
}

fn ids(store: &Store, scan: &Scan) -> Result<BTreeSet<String>, Error> {
    let mut ids = BTreeSet::new();
    for batch in store.scan(scan)? {
        let batch = batch?;
        let column = Texts::of(&batch, "trace_id");
        ids.extend((0..batch.num_rows()).filter_map(|row| column.get(row)).map(str::to_owned));
    }
    Ok(ids)
}

fn by_prefix(store: &Store, prefix: &str) -> Result<Option<TraceId>, Error> {
    let mut found = BTreeSet::new();
    for table in [Table::Traces, Table::Spans, Table::Logs] {
        let filters = vec![Filter::TraceIdPrefix(prefix.to_owned())];
        found.extend(ids(store, &Scan { filters, columns: Some(vec!["trace_id".to_owned()]), ..Scan::of(table) })?);
    }
    if found.len() > 1 {
        let candidates = found.into_iter().take(CANDIDATES_MAX).collect();
        return Err(Error::Ambiguous { prefix: prefix.to_owned(), candidates });
    }
    Ok(found.first().and_then(|id| TraceId::of_hex(id)))
}

fn newest(store: &Store, failed: bool) -> Result<Option<TraceId>, Error> {
    let error = |column: &str, value: Scalar| if failed { vec![Filter::Equals(column.to_owned(), value)] } else { Vec::new() };
    let with_trace = Filter::TraceIdPrefix(String::new());
    let places = [
        (Table::Traces, error("error", Scalar::Flag(true))),
        (Table::Spans, error("status", Scalar::Text("error".to_owned()))),
        (Table::Logs, error("severity", Scalar::Text("ERROR".to_owned()))),
    ];
    for (table, mut filters) in places {
        filters.push(with_trace.clone());
        let scan = Scan { filters, columns: Some(vec!["trace_id".to_owned()]), order: Order::Newest, limit: 1, ..Scan::of(table) };
        if let Some(id) = ids(store, &scan)?.first().and_then(|id| TraceId::of_hex(id)) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
