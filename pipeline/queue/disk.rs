//! The side of a queue that whoever writes to disk sees (`keeper.rs`).

use super::{Queue, State};
use crate::owed::{Keeper, Owed};
use tokio::time::Instant;

impl Queue {
    /// Since when the oldest waits that only its sender has.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        let state = self.state.lock();
        let flying = state.flying.values().filter(|flying| flying.keeper == Keeper::Sender).map(|flying| flying.since);
        state.heads().chain(flying).min()
    }

    /// From now on everything goes to disk, what waits here first.
    pub(crate) fn begin_spilling(&self) {
        self.spill(&mut self.state.lock());
    }

    pub(super) fn spill(&self, state: &mut State) {
        let mut waiting: Vec<Owed> = state.kinds.iter_mut().flat_map(|waiting| std::mem::take(waiting).flows).collect();
        waiting.sort_by_key(|owed| owed.since);
        waiting.into_iter().for_each(|owed| state.to_disk.push(owed));
        self.phase.send_modify(|phase| phase.spilling = true);
        self.stirred.notify_one();
    }

    /// The disk has nothing left, or cannot take more: what was on its way there is delivered from here.
    pub(crate) fn end_spilling(&self) {
        let mut state = self.state.lock();
        std::mem::take(&mut state.to_disk).flows.into_iter().for_each(|owed| state.ready(owed));
        self.phase.send_modify(|phase| phase.spilling = false);
        drop(state);
        self.work.notify_waiters();
        self.work.notify_one();
        self.room.notify_waiters();
    }

    /// What is to be written next, the oldest first, up to so many bytes; nothing before what was in flight when spilling began is on disk.
    pub(crate) fn to_write(&self, bytes_max: usize) -> Vec<Owed> {
        let mut state = self.state.lock();
        if state.flying.values().any(|flying| flying.keeper == Keeper::Sender) {
            return Vec::new();
        }
        state.to_disk.take(bytes_max, usize::MAX)
    }

    /// Bytes that are to be written, and since when the oldest of them waits.
    pub(crate) fn unwritten(&self) -> (usize, Option<Instant>) {
        let state = self.state.lock();
        (state.to_disk.bytes, state.to_disk.flows.front().map(|owed| owed.since))
    }

    /// The disk did not take it: it is the next to be written.
    pub(crate) fn put_back(&self, unwritten: Vec<Owed>) {
        let mut state = self.state.lock();
        unwritten.into_iter().rev().for_each(|owed| state.to_disk.push_first(owed));
    }

    /// In other pieces than before, it is charged anew.
    pub(crate) fn recharge(&self, before: usize, now: usize) {
        self.state.lock().bytes += now;
        self.share.force(now);
        self.free(before);
    }

    /// The disk has it now.
    pub(crate) fn written(&self, bytes: usize) {
        self.free(bytes);
    }

    /// Ready to be delivered, whatever is on its way to disk; `charged` where it is in this queue already.
    pub(crate) fn feed(&self, owed: Owed, charged: bool) {
        let mut state = self.state.lock();
        if !charged {
            state.bytes += owed.bytes;
            self.share.force(owed.bytes);
        }
        let news = self.ready(&mut state, owed);
        drop(state);
        if news {
            self.work.notify_one();
        }
    }

    /// Bytes that are ready to be delivered.
    pub(crate) fn ready_bytes(&self) -> usize {
        self.state.lock().kinds.iter().map(|waiting| waiting.bytes).sum()
    }

    /// Whether everything that is still here is on disk, too.
    pub(crate) fn is_kept(&self) -> bool {
        let state = self.state.lock();
        let flying = state.flying.values().all(|flying| flying.keeper == Keeper::Spill);
        let waiting = state.kinds.iter().flat_map(|waiting| &waiting.flows).all(|owed| owed.keeper == Keeper::Spill);
        flying && waiting && state.to_disk.flows.is_empty()
    }
}
