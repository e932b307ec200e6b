//! Knows what was appended, acknowledged and settled, and judges a log by it.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// Everything ever handed to the log by number; after a crash a number nobody saw may be given again.
    appended: BTreeMap<u64, BTreeSet<u64>>,
    /// What somebody saw under a number, by acknowledgement or by reading.
    seen: BTreeMap<u64, u64>,
    pub(super) acknowledged: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    /// Acknowledged decisions.
    decided: BTreeMap<u64, u64>,
    /// Highest `settle` asked for.
    settled: u64,
    /// The cursor that a flush made durable.
    flushed: u64,
    id: Option<u32>,
    next_payload: u64,
    /// Records that injected damage may have cost.
    pub(super) losses_allowed: usize,
}

impl Oracle {
    pub(super) fn append(&mut self, log: &Log, bytes: usize) -> Option<u64> {
        self.next_payload += 1;
        let sequence = append(log, self.next_payload, bytes).ok()?;
        assert!(!self.seen.contains_key(&sequence), "{sequence} names two records");
        self.appended.entry(sequence).or_default().insert(self.next_payload);
        Some(sequence)
    }

    /// Waits for the last record appended under `sequence`.
    pub(super) fn commit(&mut self, log: &Log, sequence: u64) {
        if now(log.committed(sequence)).is_ok() {
            self.acknowledged.insert(sequence);
            self.seen.insert(sequence, self.appended[&sequence].last().copied().unwrap());
            self.id = Some(log.id());
        } else {
            self.refused.insert(sequence);
        }
    }

    /// A decision. None is older than a minute in a test, so each that was acknowledged stays.
    pub(super) fn decide(&mut self, log: &Log) {
        self.next_payload += 1;
        if let Ok(sequence) = log.append(header(Kind::Decision), &payload(self.next_payload, 120))
            && now(log.committed(sequence)).is_ok()
        {
            self.decided.insert(sequence, self.next_payload);
        }
    }

    /// A record that is not data, and of which only its effects on others are judged.
    pub(super) fn mark(&mut self, log: &Log) {
        if let Ok(sequence) = log.append(header(Kind::Mark), &payload(0, 100)) {
            drop(now(log.committed(sequence)));
        }
    }

    pub(super) fn settle(&mut self, log: &Log, through: u64) {
        // Only what was seen can be settled.
        let through = through.min(self.seen.keys().next_back().map_or(0, |last| last + 1));
        self.settled = self.settled.max(through);
        drop(log.settle("sink", through));
    }

    pub(super) fn flush(&mut self, log: &Log) {
        if now(log.flush()).is_ok() && !log.cursors().is_empty() {
            self.flushed = self.flushed.max(log.cursor("sink").min(self.settled));
        }
    }

    /// A new life of the process: what was refused in the last one may lie on the disk after all.
    pub(super) fn restarted(&mut self) {
        self.refused.clear();
    }

    pub(super) fn judge(&mut self, log: &Log, context: &str) {
        if let Some(id) = self.id {
            assert_eq!(log.id(), id, "{context}");
        }
        let mut reader = log.reader(0).only(Kind::Data);
        let entries = read_all(&mut reader);
        let mut present = BTreeSet::new();
        for Entry { sequence, header: read, payload } in &entries {
            let number = number(payload);
            assert_eq!(*read, header(Kind::Data), "{context}");
            assert_eq!(payload, &super::payload(number, payload.len()).concat(), "{context}: {sequence} changed");
            assert!(self.appended.get(sequence).is_some_and(|known| known.contains(&number)), "{context}: {sequence} was invented");
            assert_eq!(*self.seen.entry(*sequence).or_insert(number), number, "{context}: {sequence} is another record now");
            assert!(!self.refused.contains(sequence), "{context}: {sequence} had been refused");
            assert!(present.last().is_none_or(|last| last < sequence), "{context}: {sequence} is out of order");
            present.insert(*sequence);
        }
        let cursor = if log.cursors().is_empty() { 0 } else { log.cursor("sink") };
        let lost: Vec<&u64> = self.acknowledged.range(cursor..).filter(|sequence| !present.contains(sequence)).collect();
        assert!(lost.len() <= self.losses_allowed, "{context}: lost {lost:?}, damaged {:?}", reader.take_damaged());
        self.losses_allowed -= lost.len();
        let lost: Vec<u64> = lost.into_iter().copied().collect();
        self.acknowledged.retain(|sequence| !lost.contains(sequence));
        let decisions = read_all(&mut log.reader(0).only(Kind::Decision));
        let there: BTreeMap<u64, u64> = decisions.iter().map(|entry| (entry.sequence, number(&entry.payload))).collect();
        let lost: Vec<u64> = self.decided.iter().filter(|(at, number)| there.get(at) != Some(number)).map(|(at, _)| *at).collect();
        assert!(lost.len() <= self.losses_allowed, "{context}: decisions {lost:?} are lost");
        self.losses_allowed -= lost.len();
        self.decided.retain(|sequence, _| !lost.contains(sequence));
        assert!(cursor >= self.flushed, "{context}: the cursor fell back to {cursor}");
        // Numbers whose write failed hold nothing up: a cursor may pass them unasked, but nothing that anybody saw.
        let unasked = (cursor > self.settled.max(log.first())).then(|| self.seen.range(self.settled..cursor).next()).flatten();
        assert_eq!(unasked, None, "{context}: the cursor moved on by itself to {cursor}");
        assert!(self.seen.keys().next_back().is_none_or(|last| *last < log.next()), "{context}: {} will be given again", log.next());
    }
}
