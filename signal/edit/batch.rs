//! Editing a batch: one scan that shows each record and notes the patches, then one copy per chunk that changed.

use super::{
    Edit,
    all::rewritten,
    regroup::{Shared, regroup, resource_patch},
};
use crate::{
    Batch, Checked, Chunk, Record, Signal,
    retain::Left,
    splice::{Patch, push_cut, splice},
    view::{Frame, Walk},
};

impl Batch {
    /// Shows each record to `change`, which says in the `Edit` what to do to it; then patches what was changed. Chunks without a change are not copied. Records that ask for another resource
    /// than their neighbours (or points for another name) move to a group of their own behind them. Returns how many records `Edit::discard` took out.
    pub fn edit(&mut self, mut change: impl FnMut(Record<'_>, &mut Edit)) -> usize {
        self.edit_chunks(Edit::default(), |walk, edit| {
            edit.clear();
            change(walk.record(), edit);
        })
    }

    /// Does the same to every record, without looking at what is in it. Returns how many records are gone: all or none.
    pub fn edit_all(&mut self, edit: &Edit) -> usize {
        if let Some(asks) = edit.of_attributes_alone(self.signal) {
            for chunk in &mut self.chunks {
                chunk.bytes = Checked(rewritten(self.signal, &chunk.bytes.0, asks).into());
            }
            self.chunks.retain(|chunk| !chunk.is_empty());
            return 0;
        }
        self.edit_chunks(edit.clone(), |_, _| ())
    }

    fn edit_chunks(&mut self, mut edit: Edit, mut change: impl FnMut(&Walk<'_>, &mut Edit)) -> usize {
        let (signal, mut gone) = (self.signal, 0);
        self.chunks.retain(|chunk| {
            gone += edit_chunk(signal, chunk, &mut edit, &mut change);
            !chunk.is_empty()
        });
        gone
    }
}

/// By how much records grow that get an attribute or two, as a share of what they had.
const NEW_SHARE: usize = 8;

fn edit_chunk(signal: Signal, chunk: &mut Chunk, edit: &mut Edit, change: &mut impl FnMut(&Walk<'_>, &mut Edit)) -> usize {
    let raw = chunk.bytes.0.clone();
    let mut walk = Walk::new(signal, &raw);
    let mut draft = Draft { signal, raw: &raw, patches: Vec::new(), new: Vec::new(), left: Left::default(), group: Group::default() };
    while walk.advance() {
        if let [frame, ..] = walk.frames()
            && draft.group.frame != *frame
        {
            draft.leave(chunk);
            draft.enter(*frame);
        }
        let frame = walk.frame();
        change(&walk, edit);
        if edit.discards() {
            draft.left.discard(chunk);
            push_cut(&mut draft.patches, frame.tag, frame.end);
            continue;
        }
        draft.left.keep(chunk);
        draft.group.shared.note(edit, signal);
        if edit.changes(signal) {
            if draft.new.capacity() == 0 {
                let rest = raw.len().saturating_sub(frame.tag);
                draft.new.reserve(rest + rest / NEW_SHARE);
            }
            let from = draft.new.len();
            edit.put_record(&mut draft.new, signal, &walk);
            draft.patches.push(Patch { start: frame.tag, end: frame.end, from, to: draft.new.len() });
        }
    }
    draft.leave(chunk);
    if draft.patches.is_empty() {
        return 0;
    }
    let bytes = splice(signal, &raw, &draft.patches, &draft.new);
    draft.left.settle(chunk, bytes)
}

/// A chunk's patches so far.
struct Draft<'a> {
    signal: Signal,
    raw: &'a [u8],
    patches: Vec<Patch>,
    /// What the patches put in.
    new: Vec<u8>,
    left: Left,
    group: Group,
}

/// The resource group at hand.
#[derive(Default)]
struct Group {
    frame: Frame,
    /// Patches before it.
    patches: usize,
    /// Records left before it.
    records: usize,
    shared: Shared,
}

impl Draft<'_> {
    fn enter(&mut self, frame: Frame) {
        self.group.frame = frame;
        self.group.patches = self.patches.len();
        self.group.records = self.left.len();
        self.group.shared.clear();
    }

    /// Does what the records of the group asked of what they share.
    fn leave(&mut self, chunk: &Chunk) {
        let shared = &self.group.shared;
        if shared.asks_nothing() {
            return;
        }
        let Frame { tag, start, end, .. } = self.group.frame;
        if let Some(asks) = shared.same_for_all() {
            let patch = resource_patch(asks, self.raw, start..end, &mut self.new);
            let place = self.patches.partition_point(|p| p.start < patch.start);
            self.patches.insert(place, patch);
            return;
        }
        let patches: Vec<Patch> = self.patches.drain(self.group.patches..).collect();
        let within = |p: &Patch| Patch { start: p.start - tag, end: p.end - tag, ..*p };
        let alone = self.raw.get(tag..end).unwrap_or_default();
        let patched = splice(self.signal, alone, &patches.iter().map(within).collect::<Vec<Patch>>(), &self.new);
        let from = self.new.len();
        let order = regroup(self.signal, &patched, shared, &mut self.new);
        self.patches.push(Patch { start: tag, end, from, to: self.new.len() });
        self.left.reorder(chunk, self.group.records, &order);
    }
}
