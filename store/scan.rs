//! What can be asked of a table. A scan sees memory and files as one, each row exactly once.

use crate::{Error, Table};
use arrow::array::RecordBatch;
use signal::TraceId;

/// A question to one table.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Which table.
    pub table: Table,
    /// Rows at or after this time, in nanoseconds, by the table's time column.
    pub from: u64,
    /// Rows before this time, in nanoseconds; `u64::MAX` is no bound.
    pub to: u64,
    /// All of them must hold.
    pub filters: Vec<Filter>,
    /// What to give: fixed columns, or attributes as `attributes.KEY` and `resource.KEY` (a missing one is null). None is all fixed columns.
    /// `attributes` and `resource` are always the whole JSON object, however a file stores it.
    pub columns: Option<Vec<String>>,
    /// In which order.
    pub order: Order,
    /// Rows at the most.
    pub limit: usize,
}

impl Scan {
    /// Everything in this table, in no order.
    #[must_use]
    pub fn of(table: Table) -> Scan {
        Scan { table, from: 0, to: u64::MAX, filters: Vec::new(), columns: None, order: Order::Any, limit: usize::MAX }
    }
}

/// The order of rows, by the table's time column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As it comes; the scan then reads on only as its batches are taken.
    Any,
    /// Oldest first.
    Oldest,
    /// Newest first.
    Newest,
}

/// A value to compare with.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// Text. Equals a number or boolean that is written like this, too.
    Text(String),
    /// An integer. Equals a double of that value, too.
    Int(i64),
    /// A double.
    Float(f64),
    /// True or false.
    Flag(bool),
}

/// A condition on a row. A column is a fixed column, `attributes.KEY` or `resource.KEY`; a missing value never matches.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// `trace_id` is this one. Files that cannot have it are skipped by their Bloom filter.
    TraceId(TraceId),
    /// `trace_id` starts with these hex digits, of either case.
    TraceIdPrefix(String),
    /// The column has this value.
    Equals(String, Scalar),
    /// The column's text contains this.
    Contains(String, String),
    /// The column is at least this.
    AtLeast(String, Scalar),
    /// The column is at most this.
    AtMost(String, Scalar),
    /// One of these holds.
    AnyOf(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
}

/// The answer: batches, none of them empty. Every text column is Utf8.
pub struct Scanned {
    pub(crate) batches: Box<dyn Iterator<Item = Result<RecordBatch, Error>> + Send>,
}

impl Scanned {
    /// Every batch, or the first error.
    pub fn collect_all(self) -> Result<Vec<RecordBatch>, Error> {
        self.collect()
    }
}

impl Iterator for Scanned {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}
