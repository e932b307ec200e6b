//! What came of a trace after it was closed, and when: one part for each time that something came.

use crate::{Error, LogLine, TraceView, When};
use serde::{Deserialize, Serialize};
use signal::TraceId;
use store::{Filter, Ints, Scan, Store, Table, Texts, column::flag};

/// Parts that are named at the most, the first of them.
const PARTS_MAX: usize = 100;

/// What came late.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Late {
    /// Spans.
    pub spans: u64,
    /// Log records.
    pub logs: u64,
    /// When what of it came, the first hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<LatePart>,
}

/// What came late together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct LatePart {
    /// When it came in.
    pub arrived: When,
    /// How long after the last record that came in time.
    pub after_ms: f64,
    /// Spans.
    pub spans: u64,
    /// Log records.
    pub logs: u64,
    /// Of these services.
    pub services: Vec<String>,
    /// Whether one of them failed or logged an error.
    pub error: bool,
}

impl Late {
    /// Whether everything came in time.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Late::default()
    }

    /// Late logs say so; late spans are what else was counted late.
    pub(crate) fn of<'a>(store: &Store, trace: &TraceView, logs: impl Iterator<Item = &'a LogLine>) -> Result<Late, Error> {
        let count = trace.summary.late_count;
        if count == 0 {
            return Ok(Late::default());
        }
        let is_late = |log: &&LogLine| log.attributes.get("correlation.state").is_some_and(|state| state == "late");
        let logs = u64::try_from(logs.filter(is_late).count()).unwrap_or(u64::MAX).min(count);
        let parts = TraceId::of_hex(&trace.summary.trace_id).map(|id| parts(store, id)).transpose()?.unwrap_or_default();
        Ok(Late { spans: count - logs, logs, parts })
    }
}

fn parts(store: &Store, id: TraceId) -> Result<Vec<LatePart>, Error> {
    let (mut parts, mut in_time) = (Vec::new(), 0);
    for batch in store.scan(&Scan { filters: vec![Filter::TraceId(id)], ..Scan::of(Table::Traces) })? {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let text = |name: &str| Texts::of(&batch, name).get(row);
            let count = |name: &str| Ints::of(&batch, name).get(row).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            if text("part") != Some("late") {
                in_time = in_time.max(count("last_arrival_unix_nano"));
                continue;
            }
            parts.push(LatePart {
                arrived: When(count("first_arrival_unix_nano")),
                after_ms: 0.0,
                spans: count("span_count"),
                logs: count("log_count"),
                services: text("services").and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default(),
                error: flag(&batch, "error", row) == Some(true),
            });
        }
    }
    parts.sort_by_key(|part| part.arrived);
    parts.truncate(PARTS_MAX);
    // Where nothing is here that came in time, the first is the measure.
    let from = if in_time == 0 { parts.first().map_or(0, |part| part.arrived.0) } else { in_time };
    parts.iter_mut().for_each(|part| part.after_ms = part.arrived.0.saturating_sub(from) as f64 / 1e6);
    Ok(parts)
}
