//! For how many spans one stands: what was sampled by chance says so in its tracestate.

use signal::{threshold::adjusted_count, tracestate, view::Span};

/// Its adjusted count; 1 where it tells no threshold.
pub(crate) fn of(span: &Span<'_>) -> f64 {
    let state = span.trace_state();
    if state.is_empty() { 1.0 } else { tracestate::read(state).threshold.map_or(1.0, adjusted_count) }
}
