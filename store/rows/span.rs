//! A span as a row of `spans`.

use super::{
    Rows,
    around::{Around, other_count, other_text},
    signed,
};
use crate::{
    json::{push as put, write_attributes, write_text},
    wire,
};
use signal::{TraceId, view::Span};

/// Pushes a span. In a closed trace its id is the trace's, so that 64-bit and 128-bit ids of one trace meet; its own stays in `other`.
pub(super) fn push(rows: &mut Rows, around: &Around, span: &Span<'_>, trace: Option<TraceId>) {
    let own = span.trace_id();
    let trace = trace.unwrap_or(own);
    rows.shown(Some(trace));
    rows.shown(Some(span.span_id()));
    rows.shown(span.parent_span_id());
    rows.text(span.trace_state());
    rows.count(u64::from(span.flags()));
    rows.text(span.name());
    rows.text(span.kind().word());
    rows.count(span.start());
    rows.int(Some(signed(span.end()) - signed(span.start())));
    rows.text(span.status().word());
    rows.text(span.status_message());
    around.push_names(rows);
    rows.json(|out| write_attributes(out, span.attributes()));
    around.push_attributes(rows);
    rows.json(|out| write_events(out, span));
    rows.json(|out| write_links(out, span));
    around.push_other(rows, |out| {
        if own != trace {
            other_text(out, "trace_id", &own.to_string());
        }
        other_count(out, "dropped_attributes_count", span.bytes(), 10);
        other_count(out, "dropped_events_count", span.bytes(), 12);
        other_count(out, "dropped_links_count", span.bytes(), 14);
    });
    rows.end_row();
}

fn write_events(out: &mut String, span: &Span<'_>) {
    for (event, bytes) in span.events().zip(wire::messages(span.bytes(), 11)) {
        out.push(if out.is_empty() { '[' } else { ',' });
        put(out, format_args!("{{\"time_unix_nano\":{},\"name\":", event.time()));
        write_text(out, event.name());
        out.push_str(",\"attributes\":");
        write_attributes(out, event.attributes());
        write_dropped(out, bytes, 4);
        out.push('}');
    }
    if !out.is_empty() {
        out.push(']');
    }
}

fn write_links(out: &mut String, span: &Span<'_>) {
    for (link, bytes) in span.links().zip(wire::messages(span.bytes(), 13)) {
        out.push(if out.is_empty() { '[' } else { ',' });
        let (trace, span) = (link.trace_id().unwrap_or_default(), link.span_id().unwrap_or_default());
        put(out, format_args!("{{\"trace_id\":\"{trace}\",\"span_id\":\"{span}\",\"trace_state\":"));
        write_text(out, link.trace_state());
        out.push_str(",\"attributes\":");
        write_attributes(out, link.attributes());
        write_dropped(out, bytes, 5);
        let flags = wire::count(bytes, 6);
        if flags > 0 {
            put(out, format_args!(",\"flags\":{flags}"));
        }
        out.push('}');
    }
    if !out.is_empty() {
        out.push(']');
    }
}

fn write_dropped(out: &mut String, message: &[u8], field: u32) {
    let dropped = wire::count(message, field);
    if dropped > 0 {
        put(out, format_args!(",\"dropped_attributes_count\":{dropped}"));
    }
}
