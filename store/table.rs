//! The four tables and their fixed columns. Promoted attributes come on top, per file (`files/promote.rs`).

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::{Arc, LazyLock};

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One row a span.
    Spans,
    /// One row a log record.
    Logs,
    /// One row a data point.
    Metrics,
    /// One row a closed trace, or a part of one that came early or late.
    Traces,
}

/// What a fixed column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, mostly different from row to row.
    Text,
    /// Text that many rows share; in memory by dictionary.
    Shared,
    /// A 64-bit integer; times are nanoseconds since 1970.
    Int,
    /// A double.
    Float,
    /// True or false.
    Flag,
}

use Kind::{Flag, Float, Int, Shared, Text};

const SPANS: &[(&str, Kind)] = &[
    ("trace_id", Text),
    ("span_id", Text),
    ("parent_span_id", Text),
    ("trace_state", Shared),
    ("flags", Int),
    ("name", Shared),
    ("kind", Shared),
    ("start_time_unix_nano", Int),
    ("duration_nano", Int),
    ("status", Shared),
    ("status_message", Text),
    ("service", Shared),
    ("scope_name", Shared),
    ("scope_version", Shared),
    ("attributes", Text),
    ("resource", Shared),
    ("scope_attributes", Shared),
    ("events", Text),
    ("links", Text),
    ("other", Shared),
];

const LOGS: &[(&str, Kind)] = &[
    ("time_unix_nano", Int),
    ("observed_time_unix_nano", Int),
    ("severity_number", Int),
    ("severity_text", Shared),
    ("severity", Shared),
    ("body", Text),
    ("body_type", Shared),
    ("event_name", Shared),
    ("trace_id", Text),
    ("span_id", Text),
    ("flags", Int),
    ("service", Shared),
    ("scope_name", Shared),
    ("scope_version", Shared),
    ("attributes", Text),
    ("resource", Shared),
    ("scope_attributes", Shared),
    ("other", Shared),
];

const METRICS: &[(&str, Kind)] = &[
    ("name", Shared),
    ("description", Shared),
    ("unit", Shared),
    ("type", Shared),
    ("temporality", Shared),
    ("monotonic", Flag),
    ("start_time_unix_nano", Int),
    ("time_unix_nano", Int),
    ("flags", Int),
    ("value", Float),
    ("value_int", Int),
    ("count", Int),
    ("sum", Float),
    ("min", Float),
    ("max", Float),
    ("buckets", Text),
    ("exemplars", Text),
    ("service", Shared),
    ("scope_name", Shared),
    ("scope_version", Shared),
    ("attributes", Text),
    ("resource", Shared),
    ("scope_attributes", Shared),
    ("other", Shared),
];

const TRACES: &[(&str, Kind)] = &[
    ("trace_id", Text),
    ("part", Shared),
    ("start_time_unix_nano", Int),
    ("duration_nano", Int),
    ("first_arrival_unix_nano", Int),
    ("last_arrival_unix_nano", Int),
    ("error", Flag),
    ("span_count", Int),
    ("log_count", Int),
    ("error_span_count", Int),
    ("error_log_count", Int),
    ("services", Text),
    ("root_service", Shared),
    ("root_name", Shared),
    ("root_kind", Shared),
    ("root_status", Shared),
    ("root_duration_ms", Float),
    ("root_span_id", Text),
    ("first_error_service", Shared),
    ("first_error_span", Shared),
    ("first_error_message", Text),
    ("closed_by", Shared),
    ("rule", Shared),
    ("threshold", Int),
    ("pinned", Flag),
    ("decided_at_unix_nano", Int),
];

impl Table {
    /// All four, in the order in which they are flushed.
    pub const ALL: [Table; 4] = [Table::Spans, Table::Logs, Table::Metrics, Table::Traces];

    /// The name of its folder, and its name in SQL engines.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Table::Spans => "spans",
            Table::Logs => "logs",
            Table::Metrics => "metrics",
            Table::Traces => "traces",
        }
    }

    /// The column that `Scan::from`, `Scan::to` and its order go by.
    #[must_use]
    pub const fn time_column(self) -> &'static str {
        match self {
            Table::Spans | Table::Traces => "start_time_unix_nano",
            Table::Logs | Table::Metrics => "time_unix_nano",
        }
    }

    /// The fixed columns, in order.
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; 4]> = LazyLock::new(|| Table::ALL.map(|t| Arc::new(Schema::new(t.fields(false)))));
        Arc::clone(&SCHEMAS[self as usize])
    }

    /// The fixed columns as memory holds them: shared text by dictionary.
    pub(crate) fn memory_schema(self) -> SchemaRef {
        static SCHEMAS: LazyLock<[SchemaRef; 4]> = LazyLock::new(|| Table::ALL.map(|t| Arc::new(Schema::new(t.fields(true)))));
        Arc::clone(&SCHEMAS[self as usize])
    }

    pub(crate) const fn columns(self) -> &'static [(&'static str, Kind)] {
        match self {
            Table::Spans => SPANS,
            Table::Logs => LOGS,
            Table::Metrics => METRICS,
            Table::Traces => TRACES,
        }
    }

    fn fields(self, in_memory: bool) -> Vec<Field> {
        let of = |kind: Kind| match kind {
            Shared if in_memory => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Text | Shared => DataType::Utf8,
            Int => DataType::Int64,
            Float => DataType::Float64,
            Flag => DataType::Boolean,
        };
        self.columns().iter().map(|(name, kind)| Field::new(*name, of(*kind), true)).collect()
    }
}
