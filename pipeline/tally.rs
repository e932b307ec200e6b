//! What processors count besides what becomes of records: each a metric with one label.

/// What is counted; the word it is counted under is the label's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tally {
    /// Traces that were sent on, by state.
    Traces,
    /// Traces that were sent on, by what closed them.
    Closed,
    /// Logs of traces, by state.
    Logs,
    /// Traces of which parts went elsewhere, by the service that sent them there.
    Split,
    /// Traces and records of which chance kept less than its share, by the least that was kept of that.
    Pressure,
}

impl Tally {
    /// The metric that it is.
    pub(crate) const fn metric(self) -> &'static str {
        match self {
            Tally::Traces => "kansoku_traces_total",
            Tally::Closed => "kansoku_traces_closed_total",
            Tally::Logs => "kansoku_trace_logs_total",
            Tally::Split => "kansoku_split_traces_total",
            Tally::Pressure => "kansoku_sampler_pressure_total",
        }
    }
}
