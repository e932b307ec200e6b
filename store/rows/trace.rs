//! What was learned of a closed trace as a row of `traces`.

use super::{Rows, signed};
use crate::entry::Summary;
use signal::Part;

/// Pushes a summary.
pub(super) fn push(rows: &mut Rows, summary: &Summary) {
    let (facts, decision) = (&summary.facts, summary.decision.as_deref());
    rows.shown(Some(summary.id));
    rows.text(match summary.part {
        Part::Whole => "whole",
        Part::Early => "early",
        Part::Late => "late",
    });
    rows.count(facts.start.0);
    rows.int(Some(signed(facts.end.0) - signed(facts.start.0)));
    rows.count(facts.first_arrival.0);
    rows.count(facts.last_arrival.0);
    rows.flag(Some(facts.error()));
    rows.count(u64::from(facts.span_count));
    rows.count(u64::from(facts.log_count));
    rows.count(u64::from(facts.error_span_count));
    rows.count(u64::from(facts.error_log_count));
    rows.json(|out| {
        for service in &facts.services {
            out.push(if out.is_empty() { '[' } else { ',' });
            crate::json::write_text(out, service);
        }
        if !out.is_empty() {
            out.push(']');
        }
    });
    let root = facts.root.as_ref();
    rows.maybe_text(root.map(|r| &*r.service));
    rows.maybe_text(root.map(|r| r.name.as_str()));
    rows.maybe_text(root.map(|r| r.kind.word()));
    rows.maybe_text(root.map(|r| r.status.word()));
    rows.float(root.map(|r| r.duration_ms));
    rows.shown(root.map(|r| r.span_id));
    let error = facts.first_error.as_ref();
    rows.maybe_text(error.map(|e| e.service.as_str()));
    rows.maybe_text(error.map(|e| e.span.as_str()));
    rows.maybe_text(error.and_then(|e| e.message.as_deref()));
    rows.text(facts.closed_by.word());
    rows.maybe_text(decision.map(|d| &*d.rule));
    rows.int(decision.map(|d| signed(d.threshold)));
    rows.flag(Some(summary.pinned));
    rows.int(decision.map(|d| signed(d.at.0)));
    rows.end_row();
}
