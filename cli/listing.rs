//! Traces and logs as rows of a table.

use crate::{
    message,
    page::{Page, Tone, tone_of_level},
    table::{Cell, Column, Table, Wide},
    text,
};
use query::{LogLine, Outcome, TraceSummary};
use serde::{Serialize, de::DeserializeOwned};

/// What is listed, a row each.
pub(crate) trait Listing: Serialize + DeserializeOwned {
    /// The table for these rows, or for rows to come.
    fn table(rows: &[Vec<Cell>], page: Page) -> Table;
    /// Its row.
    fn row(&self) -> Vec<Cell>;
}

/// Digits of an id that a table shows; enough to ask by.
const ID_DIGITS: usize = 12;

impl Listing for TraceSummary {
    fn table(rows: &[Vec<Cell>], page: Page) -> Table {
        let columns = vec![
            Column::left("STARTED", Wide::Fixed(8)),
            Column::left("TRACE", Wide::Fixed(ID_DIGITS)),
            Column::right("TOOK", Wide::Fixed(8)),
            Column::left("ENDED", Wide::Fixed(5)),
            Column::right("SPANS", Wide::Fixed(5)),
            Column::left("WHAT", Wide::Rest(1)),
        ];
        Table::fit(columns, rows, page)
    }

    fn row(&self) -> Vec<Cell> {
        let failed = self.status == Outcome::Error;
        let root = [self.root_service.as_deref(), self.root_name.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let root = if root.is_empty() { "(root not seen)".to_owned() } else { root };
        let error = self.first_error.as_ref().map(|error| match &error.message {
            Some(message) => format!(": {message}"),
            None => format!(": failed in {}", error.service),
        });
        let tone = if failed { Tone::Bad } else { Tone::Plain };
        vec![
            Cell::plain(text::clock(self.start).get(..8).unwrap_or_default()),
            Cell::plain(self.trace_id.get(..ID_DIGITS).unwrap_or(&self.trace_id)),
            Cell::plain(text::duration(self.duration_ms)),
            Cell(if failed { "error" } else { "ok" }.to_owned(), tone),
            Cell::plain(self.span_count.to_string()),
            Cell::plain(format!("{root}{}", error.unwrap_or_default())),
        ]
    }
}

impl Listing for LogLine {
    fn table(rows: &[Vec<Cell>], page: Page) -> Table {
        let columns = vec![
            Column::left("TIME", Wide::Fixed(12)),
            Column::left("LEVEL", Wide::Fixed(5)),
            Column::left("SERVICE", Wide::Fixed(if page.width < 100 { 10 } else { 16 })),
            Column::left("TRACE", Wide::Fixed(if page.width < 100 { 8 } else { ID_DIGITS })),
            Column::left("MESSAGE", Wide::Rest(1)),
        ];
        Table::fit(columns, rows, page)
    }

    fn row(&self) -> Vec<Cell> {
        let level = if self.severity.is_empty() { &self.severity_text } else { &self.severity };
        let trace = self.trace_id.as_deref().unwrap_or("-");
        vec![
            Cell::plain(text::clock(self.time)),
            Cell(level.clone(), tone_of_level(&self.severity)),
            Cell::plain(self.service.clone()),
            Cell(trace.chars().take(8).collect(), Tone::Dim),
            Cell::plain(message::of(self)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;
    use serde_json::json;

    #[test]
    fn traces_are_listed_in_eighty_columns() {
        let trace = |n: u8, status: &str, error: serde_json::Value| -> TraceSummary {
            let json = json!({
                "trace_id": format!("{n:032x}"), "start": "2026-11-21T10:21:33.4Z", "duration_ms": 412.0, "status": status,
                "root_service": "frontend", "root_name": "POST /checkout", "services": ["frontend"], "span_count": 9, "log_count": 6,
                "error_span_count": 1, "error_log_count": 1, "first_error": error,
            });
            serde_json::from_value(json).unwrap()
        };
        let error = json!({ "service": "payment", "span": "POST /charge", "message": "card declined:\ninsufficient funds" });
        let rows: Vec<_> = [trace(1, "error", error), trace(2, "ok", json!(null))].iter().map(Listing::row).collect();
        let expected = "\
STARTED   TRACE             TOOK  ENDED  SPANS  WHAT
10:21:33  000000000000    412 ms  error      9  frontend POST /checkout: card d…
10:21:33  000000000000    412 ms  ok         9  frontend POST /checkout";
        assert_eq!(TraceSummary::table(&rows, page::plain(80)).all(&rows), expected);
    }

    #[test]
    fn logs_are_listed_with_their_trace() {
        let json = json!({
            "time": "2026-11-21T10:21:33.412Z", "severity": "ERROR", "service": "payment-service", "message": "declined \u{1b}[2J",
            "trace_id": "3f2a0000000000000000000000000001", "attributes": {}, "resource": {},
        });
        let rows = [serde_json::from_value::<LogLine>(json).unwrap().row()];
        let expected = "\
TIME          LEVEL  SERVICE     TRACE     MESSAGE
10:21:33.412  ERROR  payment-s…  3f2a0000  declined \\u{1b}[2J";
        assert_eq!(LogLine::table(&rows, page::plain(80)).all(&rows), expected);
    }
}
