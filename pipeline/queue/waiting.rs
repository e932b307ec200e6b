//! Flows that wait, in order.

use crate::owed::Owed;
use std::collections::VecDeque;

/// Flows in order, and what they sum up to.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) flows: VecDeque<Owed>,
    pub(super) bytes: usize,
    pub(super) records: usize,
}

impl Waiting {
    pub(super) fn push(&mut self, owed: Owed) {
        self.bytes += owed.bytes;
        self.records += owed.records();
        self.flows.push_back(owed);
    }

    pub(super) fn push_first(&mut self, owed: Owed) {
        self.bytes += owed.bytes;
        self.records += owed.records();
        self.flows.push_front(owed);
    }

    pub(super) fn take(&mut self, bytes_max: usize, records_max: usize) -> Vec<Owed> {
        let (mut members, mut bytes, mut records) = (Vec::new(), 0, 0);
        while let Some(owed) = self.flows.front() {
            if !members.is_empty() && (bytes + owed.bytes > bytes_max || records + owed.records() > records_max) {
                break;
            }
            bytes += owed.bytes;
            records += owed.records();
            members.extend(self.flows.pop_front());
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        self.records = self.records.saturating_sub(records);
        members
    }
}
