//! Which rows go into one file, and in which order: spans of a trace side by side, logs by time, chunks by series.

use crate::{
    Table,
    column::{Ints, Texts},
    table::HOUR,
};
use arrow::array::RecordBatch;
use std::collections::{BTreeMap, HashMap};

/// Hours that get a file of their own per flush; rows of further hours (clocks that are wrong) share one.
const HOURS_MAX: usize = 24;

/// Rows of one file, in order, each as batch and row.
pub(crate) struct Group {
    /// The partition: `2026-11-21T10`, or `other`.
    pub(crate) hour: String,
    pub(crate) rows: Vec<(usize, usize)>,
    /// Different trace ids.
    pub(crate) traces: usize,
}

struct Key<'a> {
    /// Spans: the start of the trace's first span here. Others: nothing.
    first: u64,
    texts: [&'a str; 4],
    time: u64,
    place: (usize, usize),
}

/// Distributes rows over files by the hour (of spans: the hour of their trace's first span here), and sorts each.
pub(crate) fn groups(table: Table, batches: &[RecordBatch]) -> Vec<Group> {
    let mut hours: BTreeMap<u64, Vec<Key<'_>>> = BTreeMap::new();
    for key in keys(table, batches) {
        let time = if table == Table::Spans { key.first } else { key.time };
        hours.entry(time / HOUR).or_default().push(key);
    }
    let mut by_size: Vec<(usize, u64)> = hours.iter().map(|(hour, keys)| (keys.len(), *hour)).collect();
    by_size.sort_unstable_by(|a, b| b.cmp(a));
    let mut other = Vec::new();
    for (_, hour) in by_size.into_iter().skip(HOURS_MAX) {
        other.extend(hours.remove(&hour).unwrap_or_default());
    }
    let mut groups: Vec<Group> = hours.into_iter().map(|(hour, keys)| group(hour_name(hour), keys)).collect();
    if !other.is_empty() {
        groups.push(group("other".to_owned(), other));
    }
    groups
}

fn group(hour: String, mut keys: Vec<Key<'_>>) -> Group {
    keys.sort_unstable_by(|a, b| (a.first, a.texts, a.time, a.place).cmp(&(b.first, b.texts, b.time, b.place)));
    let traces = keys.chunk_by(|a, b| a.texts[0] == b.texts[0]).count();
    Group { hour, rows: keys.into_iter().map(|k| k.place).collect(), traces }
}

fn keys(table: Table, batches: &[RecordBatch]) -> Vec<Key<'_>> {
    let names = match table {
        Table::Spans => ["trace_id", "", "", ""],
        Table::Metrics => ["name", "service", "attributes", "series_id"],
        Table::Logs | Table::Traces => [""; 4],
    };
    let mut keys = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (n, batch) in batches.iter().enumerate() {
        let (texts, times) = (names.map(|name| Texts::of(batch, name)), Ints::of(batch, table.stored_times()[0]));
        keys.extend((0..batch.num_rows()).map(|row| {
            let texts = texts.map(|t| t.get(row).unwrap_or_default());
            Key { first: 0, texts, time: times.time(row), place: (n, row) }
        }));
    }
    if table == Table::Spans {
        let mut firsts: HashMap<&str, u64> = HashMap::new();
        for key in &keys {
            let first = firsts.entry(key.texts[0]).or_insert(key.time);
            *first = key.time.min(*first);
        }
        for key in &mut keys {
            key.first = firsts.get(key.texts[0]).copied().unwrap_or(key.time);
        }
    }
    keys
}

/// Hours since 1970 as `2026-11-21T10` in UTC.
pub(crate) fn hour_name(hours: u64) -> String {
    // Days to year, month and day, by eras of 400 years that start in March (Howard Hinnant, chrono-compatible date algorithms).
    let days = hours / 24 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (year + era * 400 + u64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    format!("{year:04}-{month:02}-{day:02}T{:02}", hours % 24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_have_their_names() {
        assert_eq!(hour_name(0), "1970-01-01T00");
        assert_eq!(hour_name(951_782_400 / 3_600), "2000-02-29T00");
        assert_eq!(hour_name(1_795_258_799 / 3_600), "2026-11-21T10");
        assert_eq!(hour_name(u64::MAX / HOUR), "2554-07-21T23");
    }
}
