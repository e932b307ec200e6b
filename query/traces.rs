//! The list of traces, one line each: from the summaries of closed traces, or from spans where nothing closed them.

mod summary;

pub use summary::{ErrorSeen, Outcome, TraceSummary};

use crate::{Attribute, Error, Times, filter::text_equals, spans};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use store::{Filter, Order, Scalar, Scan, Store, Table, Texts};
use summary::read;

/// Summaries looked at, at the most, where the answer is chosen from them by their spans.
const LOOKED_AT_MAX: usize = 10_000;

/// Which traces.
#[derive(Clone, Debug)]
pub struct TraceQuery {
    /// When they started.
    pub times: Times,
    /// That this service took part in.
    pub service: Option<String>,
    /// How they ended.
    pub outcome: Option<Outcome>,
    /// With this in the root's name, or in the first error's span or message.
    pub text: Option<String>,
    /// At least this long.
    pub duration_min: Option<Duration>,
    /// At most this long.
    pub duration_max: Option<Duration>,
    /// With a span that has all of these.
    pub attributes: Vec<Attribute>,
    /// Traces at the most, newest first.
    pub limit: usize,
}

impl Default for TraceQuery {
    fn default() -> TraceQuery {
        TraceQuery {
            times: Times::default(),
            service: None,
            outcome: None,
            text: None,
            duration_min: None,
            duration_max: None,
            attributes: Vec::new(),
            limit: 20,
        }
    }
}

/// The traces that match, newest first.
///
/// # Errors
/// The store cannot be read.
pub fn traces(store: &Store, query: &TraceQuery) -> Result<Vec<TraceSummary>, Error> {
    let within = Scan { from: query.times.from, to: query.times.to, order: Order::Newest, ..Scan::of(Table::Traces) };
    let any = Scan { limit: 1, order: Order::Any, columns: Some(vec!["trace_id".to_owned()]), ..within.clone() };
    if store.scan(&any)?.next().transpose()?.is_none() {
        return from_spans(store, query);
    }
    // Parts of one trace are rows of their own, so more rows than traces may be needed.
    let limit = if query.attributes.is_empty() { query.limit.saturating_mul(2) } else { LOOKED_AT_MAX.max(query.limit) };
    let mut found = read_all(store, &Scan { filters: filters(query), limit, ..within })?;
    if !query.attributes.is_empty() {
        let filters = query.attributes.iter().map(Attribute::filter).collect();
        let spans = Scan { filters, columns: Some(vec!["trace_id".to_owned()]), ..Scan::of(Table::Spans) };
        let mut ids = HashSet::new();
        for batch in store.scan(&spans)? {
            let batch = batch?;
            let column = Texts::of(&batch, "trace_id");
            ids.extend((0..batch.num_rows()).filter_map(|row| column.get(row)).map(str::to_owned));
        }
        found.retain(|summary| ids.contains(&summary.trace_id));
    }
    found.truncate(query.limit);
    Ok(found)
}

fn filters(query: &TraceQuery) -> Vec<Filter> {
    let mut filters = Vec::new();
    let contains = |column: &str, text: &str| Filter::Contains(column.to_owned(), text.to_owned());
    // `services` is a JSON list, in which a whole name stands between quotes.
    filters.extend(query.service.as_ref().map(|service| contains("services", &serde_json::Value::from(service.as_str()).to_string())));
    filters.extend(query.outcome.map(|o| Filter::Equals("error".to_owned(), Scalar::Flag(o == Outcome::Error))));
    filters.extend(
        query
            .text
            .as_ref()
            .map(|text| Filter::AnyOf(["root_name", "first_error_span", "first_error_message"].map(|c| contains(c, text)).to_vec())),
    );
    let nanos = |d: Duration| Scalar::Int(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
    filters.extend(query.duration_min.map(|d| Filter::AtLeast("duration_nano".to_owned(), nanos(d))));
    filters.extend(query.duration_max.map(|d| Filter::AtMost("duration_nano".to_owned(), nanos(d))));
    filters
}

/// Summaries in the order of the scan; the parts of a trace as one.
pub(crate) fn read_all(store: &Store, scan: &Scan) -> Result<Vec<TraceSummary>, Error> {
    let mut found: Vec<TraceSummary> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for batch in store.scan(scan)? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let summary = read(&batch, row);
            match places.get(&summary.trace_id) {
                Some(at) => found[*at].absorb(summary),
                None => {
                    places.insert(summary.trace_id.clone(), found.len());
                    found.push(summary);
                }
            }
        }
    }
    Ok(found)
}

/// Without summaries: the newest spans that match lead to their traces, which are read whole.
fn from_spans(store: &Store, query: &TraceQuery) -> Result<Vec<TraceSummary>, Error> {
    let mut filters: Vec<Filter> = query.attributes.iter().map(Attribute::filter).collect();
    filters.extend(query.service.as_ref().map(|service| text_equals("service", service)));
    if query.outcome == Some(Outcome::Error) {
        filters.push(text_equals("status", "error"));
    }
    let columns = Some(vec!["trace_id".to_owned()]);
    let scan = Scan {
        from: query.times.from,
        to: query.times.to,
        filters,
        columns,
        order: Order::Newest,
        limit: LOOKED_AT_MAX,
        ..Scan::of(Table::Spans)
    };
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    for batch in store.scan(&scan)? {
        let batch = batch?;
        let ids = Texts::of(&batch, "trace_id");
        for id in (0..batch.num_rows()).filter_map(|row| ids.get(row)) {
            if found.len() >= query.limit {
                return Ok(found);
            }
            if seen.insert(id.to_owned())
                && let Some(trace) = signal::TraceId::of_hex(id)
            {
                let summary = TraceSummary::of_spans(id, &spans::of_trace(store, trace)?);
                found.extend(Some(summary).filter(|s| s.matches(query)));
            }
        }
    }
    Ok(found)
}
