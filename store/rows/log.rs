//! A log record as a row of `logs`.

use super::{
    Rows,
    around::{Around, other_count, other_text},
};
use crate::json::{write_any, write_attributes};
use signal::{
    Time, TraceId, ids,
    view::{Any, LogRecord},
};

/// Pushes a log record. Its trace is the closed trace it came in, else what `ids::find` finds on it.
/// A log that says no time at all happened when it arrived, so that it is found and kept like its neighbours.
pub(super) fn push(rows: &mut Rows, around: &Around, log: &LogRecord<'_>, trace: Option<TraceId>, arrived: Time) {
    let (own, own_span) = (log.trace_id(), log.span_id());
    let found = if own.is_some() && own_span.is_some() { None } else { ids::find(log) };
    let trace = trace.or(own).or(found.map(|f| f.trace));
    rows.count(if log.time() == 0 { arrived.0 } else { log.time() });
    rows.count(log.observed_time());
    rows.int(Some(i64::from(log.severity_number())));
    rows.text(log.severity_text());
    rows.text(log.severity());
    match log.body() {
        Some(Any::Text(text)) => {
            rows.maybe_text(Some(text));
            rows.text("");
        }
        None | Some(Any::Empty) => {
            rows.text("");
            rows.text("");
        }
        Some(structured) => {
            rows.shown(Some(Json(structured)));
            rows.text("json");
        }
    }
    rows.text(log.event_name());
    rows.shown(trace);
    rows.shown(own_span.or(found.and_then(|f| f.span)));
    rows.count(u64::from(log.flags()));
    around.push_names(rows);
    rows.json(|out| write_attributes(out, log.attributes()));
    around.push_attributes(rows);
    around.push_other(rows, |out| {
        if let Some(own) = own.filter(|own| Some(*own) != trace) {
            other_text(out, "trace_id", &own.to_string());
        }
        other_count(out, "dropped_attributes_count", log.bytes(), 7);
    });
    rows.end_row();
}

struct Json<'a>(Any<'a>);

impl std::fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        write_any(&mut text, self.0);
        f.write_str(&text)
    }
}
