//! From views to columns: each record is read once and lands in the builders of its table. The push order of a row is the order of `Table::columns`.

mod around;
mod log;
mod metric;
mod span;
mod trace;

use crate::{Error, Table, entry::Entry, series::Identity, table::Kind};
use around::Around;
use arrow::{
    array::{ArrayRef, BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, StringBuilder, StringDictionaryBuilder},
    datatypes::Int32Type,
};
use signal::{Ack, Batch, Item};
use std::sync::Arc;

/// The rows of an entry, one batch a table; none where the table gets nothing.
pub(crate) type Built = [Option<RecordBatch>; 4];

/// Puts everything in an entry into columns.
pub(crate) fn build(entry: &Entry) -> Result<Built, Error> {
    let mut tables = Table::ALL.map(|_| None::<Rows>);
    let mut rows_of = |table: Table, push: &mut dyn FnMut(&mut Rows)| push(tables[table as usize].get_or_insert_with(|| Rows::new(table)));
    for piece in &entry.pieces {
        let batch = Batch::new(piece.signal, piece.chunk.clone(), Ack::none());
        let (mut around, mut series) = (Around::default(), Identity::default());
        let arrived = piece.chunk.arrived();
        for record in batch.records() {
            around.enter(&record);
            match record.item {
                Item::Span(span) => rows_of(Table::Spans, &mut |rows| span::push(rows, &around, &span, piece.trace)),
                Item::Log(log) => rows_of(Table::Logs, &mut |rows| log::push(rows, &around, &log, piece.trace, arrived)),
                Item::Point(metric, point) => {
                    rows_of(Table::Metrics, &mut |rows| metric::push(rows, &mut around, &mut series, &metric, &point))
                }
            }
        }
    }
    for summary in &entry.summaries {
        rows_of(Table::Traces, &mut |rows| trace::push(rows, summary));
    }
    let mut built = Built::default();
    for (slot, rows) in built.iter_mut().zip(tables) {
        *slot = rows.map(Rows::finish).transpose()?;
    }
    Ok(built)
}

enum Column {
    Text(StringBuilder),
    Shared(StringDictionaryBuilder<Int32Type>),
    Int(Int64Builder),
    Float(Float64Builder),
    Flag(BooleanBuilder),
    Bytes(BinaryBuilder),
}

/// Rows of one table in the making.
pub(crate) struct Rows {
    table: Table,
    columns: Vec<Column>,
    at: usize,
    /// For a column's JSON while it is written; emptied by whoever uses it.
    scratch: String,
}

impl Rows {
    fn new(table: Table) -> Rows {
        let column = |kind: &Kind| match kind {
            Kind::Text => Column::Text(StringBuilder::new()),
            Kind::Shared => Column::Shared(StringDictionaryBuilder::new()),
            Kind::Int => Column::Int(Int64Builder::new()),
            Kind::Float => Column::Float(Float64Builder::new()),
            Kind::Flag => Column::Flag(BooleanBuilder::new()),
            Kind::Bytes => Column::Bytes(BinaryBuilder::new()),
        };
        Rows { table, columns: table.columns().iter().map(|(_, kind)| column(kind)).collect(), at: 0, scratch: String::new() }
    }

    fn next(&mut self) -> Option<&mut Column> {
        let column = self.columns.get_mut(self.at);
        self.at += 1;
        column
    }

    /// The next column is this text.
    fn maybe_text(&mut self, text: Option<&str>) {
        match self.next() {
            Some(Column::Text(column)) => column.append_option(text),
            Some(Column::Shared(column)) => column.append_option(text),
            _ => debug_assert!(false, "column {} of {:?} holds no text", self.at - 1, self.table),
        }
    }

    /// The next column is this text; null when it is empty, as OTLP has it.
    fn text(&mut self, text: &str) {
        self.maybe_text(Some(text).filter(|t| !t.is_empty()));
    }

    /// The next column is this, written out.
    fn shown(&mut self, what: Option<impl std::fmt::Display>) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        if let Some(what) = what {
            crate::json::push(&mut scratch, format_args!("{what}"));
        }
        self.text(&scratch);
        self.scratch = scratch;
    }

    /// The next column is the JSON that `write` writes; null when it writes nothing.
    fn json(&mut self, write: impl FnOnce(&mut String)) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        write(&mut scratch);
        self.maybe_text(Some(scratch.as_str()).filter(|t| !matches!(*t, "" | "{}" | "[]")));
        self.scratch = scratch;
    }

    /// The next column is this integer.
    fn int(&mut self, number: Option<i64>) {
        match self.next() {
            Some(Column::Int(column)) => column.append_option(number),
            _ => debug_assert!(false, "column {} of {:?} holds no integers", self.at - 1, self.table),
        }
    }

    /// The next column is this unsigned number; what is too large for it is the largest.
    fn count(&mut self, number: u64) {
        self.int(Some(signed(number)));
    }

    /// The next column is this double.
    fn float(&mut self, number: Option<f64>) {
        match self.next() {
            Some(Column::Float(column)) => column.append_option(number),
            _ => debug_assert!(false, "column {} of {:?} holds no doubles", self.at - 1, self.table),
        }
    }

    /// The next column is this flag.
    fn flag(&mut self, flag: Option<bool>) {
        match self.next() {
            Some(Column::Flag(column)) => column.append_option(flag),
            _ => debug_assert!(false, "column {} of {:?} holds no flags", self.at - 1, self.table),
        }
    }

    fn end_row(&mut self) {
        debug_assert_eq!(self.at, self.columns.len(), "{:?}", self.table);
        self.at = 0;
    }

    fn finish(self) -> Result<RecordBatch, Error> {
        let columns = self.columns.into_iter().map(|column| -> ArrayRef {
            match column {
                Column::Text(mut c) => Arc::new(c.finish()),
                Column::Shared(mut c) => Arc::new(c.finish()),
                Column::Int(mut c) => Arc::new(c.finish()),
                Column::Float(mut c) => Arc::new(c.finish()),
                Column::Flag(mut c) => Arc::new(c.finish()),
                Column::Bytes(mut c) => Arc::new(c.finish()),
            }
        });
        Ok(RecordBatch::try_new(self.table.memory_schema(), columns.collect())?)
    }
}

/// As a column of integers holds it: what is too large (a time after the year 2262) is the largest.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
