//! The four tables and their fixed columns. Promoted attributes come on top, per file (`files/promote.rs`); metrics have other columns in files than in scans (`series/`).

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::sync::{Arc, LazyLock};

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// One row a span.
    Spans,
    /// One row a log record.
    Logs,
    /// One row a data point; in files, one row a chunk of a series.
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
    /// Packed numbers; only in files.
    Bytes,
}

use Kind::{Bytes, Flag, Float, Int, Shared, Text};

/// An hour in nanoseconds: what a partition of a table has.
pub(crate) const HOUR: u64 = 3_600_000_000_000;

type Columns = [(&'static str, Kind)];

const SPAN: &Columns = &[
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
];

const LOG: &Columns = &[
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
];

const SERIES: &Columns = &[
    ("name", Shared),
    ("description", Shared),
    ("unit", Shared),
    ("type", Shared),
    ("temporality", Shared),
    ("monotonic", Flag),
    ("series_id", Text),
];

const POINT: &Columns = &[
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
];

const CHUNK: &Columns = &[
    ("t_min", Int),
    ("t_max", Int),
    ("n", Int),
    ("start_time_unix_nano", Int),
    ("flags", Int),
    ("shape", Shared),
    ("ts_chunk", Bytes),
    ("start_chunk", Bytes),
    ("value_chunk", Bytes),
    ("count_chunk", Bytes),
    ("exemplars", Text),
];

const TRACE: &Columns = &[
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

/// What stands around every record.
const AROUND: &Columns = &[
    ("service", Shared),
    ("scope_name", Shared),
    ("scope_version", Shared),
    ("attributes", Text),
    ("resource", Shared),
    ("scope_attributes", Shared),
];

const BELOW: &Columns = &[("events", Text), ("links", Text)];

const OTHER: &Columns = &[("other", Shared)];

static COLUMNS: LazyLock<[Vec<(&'static str, Kind)>; 4]> = LazyLock::new(|| {
    [[SPAN, AROUND, BELOW, OTHER].concat(), [LOG, AROUND, OTHER].concat(), [SERIES, POINT, AROUND, OTHER].concat(), TRACE.to_vec()]
});

static CHUNK_COLUMNS: LazyLock<Vec<(&'static str, Kind)>> = LazyLock::new(|| [SERIES, CHUNK, AROUND, OTHER].concat());

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

    /// The columns of a row as scans name them.
    pub(crate) fn columns(self) -> &'static Columns {
        &COLUMNS[self as usize]
    }

    /// The columns of a row in a file: those of a row, but for metrics those of a chunk.
    pub(crate) fn stored_columns(self) -> &'static Columns {
        if self == Table::Metrics { &CHUNK_COLUMNS } else { self.columns() }
    }

    /// The columns in files with the least and the greatest time of a row.
    pub(crate) const fn stored_times(self) -> [&'static str; 2] {
        match self {
            Table::Metrics => ["t_min", "t_max"],
            _ => [self.time_column(); 2],
        }
    }

    fn fields(self, in_memory: bool) -> Vec<Field> {
        let of = |kind: Kind| match kind {
            Shared if in_memory => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
            Text | Shared => DataType::Utf8,
            Int => DataType::Int64,
            Float => DataType::Float64,
            Flag => DataType::Boolean,
            Bytes => DataType::Binary,
        };
        self.columns().iter().map(|(name, kind)| Field::new(*name, of(*kind), true)).collect()
    }
}
