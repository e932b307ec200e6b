//! Rows that are in no file yet, as Arrow batches. Small batches are merged in steps of sixteen, so that a million one-row appends stay cheap to hold and to scan.

use crate::{Error, Table, rows::Built};
use arrow::{array::RecordBatch, compute::concat_batches};

/// Neighbours of one size class are merged when there are this many.
const MERGE: usize = 16;

/// A batch of at least this many rows is never merged again.
const ROWS_ENOUGH: usize = 16_384;

/// Batches of all tables, each in the order of arrival.
#[derive(Default)]
pub(crate) struct Memory {
    /// On their way into files; still shown to scans.
    frozen: [Vec<RecordBatch>; 4],
    fresh: [Vec<RecordBatch>; 4],
    bytes: usize,
}

impl Memory {
    /// Takes the rows of one entry; they are in even if merging them with others fails.
    pub(crate) fn push(&mut self, built: Built) -> Result<(), Error> {
        for (batches, batch) in self.fresh.iter_mut().zip(built) {
            let Some(batch) = batch else { continue };
            self.bytes += batch.get_array_memory_size();
            batches.push(batch);
            self.bytes = self.bytes.saturating_sub(merge(batches)?);
        }
        Ok(())
    }

    /// Every batch of a table. Cloning a batch copies no rows.
    pub(crate) fn batches(&self, table: Table) -> Vec<RecordBatch> {
        let at = table as usize;
        self.frozen[at].iter().chain(&self.fresh[at]).cloned().collect()
    }

    /// Rows of a table.
    pub(crate) fn rows(&self, table: Table) -> usize {
        let at = table as usize;
        self.frozen[at].iter().chain(&self.fresh[at]).map(RecordBatch::num_rows).sum()
    }

    /// Bytes of all batches.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sets all there is apart, for a flush; what comes from now on is not part of it. What an earlier flush did not bring home is part of it again.
    pub(crate) fn freeze(&mut self) {
        for (frozen, fresh) in self.frozen.iter_mut().zip(&mut self.fresh) {
            frozen.append(fresh);
        }
    }

    /// What was set apart of a table.
    pub(crate) fn frozen(&self, table: Table) -> Vec<RecordBatch> {
        self.frozen[table as usize].clone()
    }

    /// It is in files now.
    pub(crate) fn let_go(&mut self, table: Table) {
        let gone = std::mem::take(&mut self.frozen[table as usize]);
        let bytes: usize = gone.iter().map(RecordBatch::get_array_memory_size).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Merges the tail as often as there are `MERGE` neighbours of one size class. Returns how many bytes that saved.
fn merge(batches: &mut Vec<RecordBatch>) -> Result<usize, Error> {
    let mut saved = 0;
    loop {
        let class = |b: &RecordBatch| b.num_rows().max(1).ilog2() / MERGE.ilog2();
        let Some(last) = batches.last().filter(|b| b.num_rows() < ROWS_ENOUGH).map(class) else { return Ok(saved) };
        let alike = batches.iter().rev().take_while(|b| b.num_rows() < ROWS_ENOUGH && class(b) <= last).count();
        if alike < MERGE {
            return Ok(saved);
        }
        let (schema, start) = (batches[0].schema(), batches.len() - alike);
        let before: usize = batches[start..].iter().map(RecordBatch::get_array_memory_size).sum();
        let merged = concat_batches(&schema, &batches[start..])?;
        batches.truncate(start);
        saved += before.saturating_sub(merged.get_array_memory_size());
        batches.push(merged);
    }
}
