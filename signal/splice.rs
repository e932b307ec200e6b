//! Puts changed, new and left-out pieces into a request: untouched ranges are copied, the lengths around a change fixed, groups that lost all their records left out.

use crate::{
    Signal,
    wire::{Fields, Wire, close, open},
};

/// Whole fields of one message, `start..end` of the request, give way to `from..to` of the new bytes. Nothing new takes them out; an empty `start..end` puts something in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Patch {
    /// Takes these fields out.
    pub(crate) const fn cut(start: usize, end: usize) -> Patch {
        Patch { start, end, from: 0, to: 0 }
    }

    const fn is_cut(&self) -> bool {
        self.from == self.to
    }
}

/// Adds a cut behind all other patches; neighbours become one.
pub(crate) fn push_cut(patches: &mut Vec<Patch>, start: usize, end: usize) {
    match patches.last_mut() {
        Some(last) if last.is_cut() && last.end == start => last.end = end,
        _ => patches.push(Patch::cut(start, end)),
    }
}

/// The request with the patches in it; they ascend and do not overlap. Empty when no group is left.
pub(crate) fn splice(signal: Signal, raw: &[u8], patches: &[Patch], new: &[u8]) -> Vec<u8> {
    let capacity = patches.iter().fold(raw.len(), |all, p| all + (p.to - p.from) - (p.end - p.start));
    let mut splicer = Splicer { signal, raw, new, patches, out: Vec::with_capacity(capacity + 16), copied: 0 };
    if splicer.message(0, 0, raw.len()) == Left::Nothing {
        return Vec::new();
    }
    splicer.copy(raw.len());
    splicer.out
}

/// Whether a message has members (groups, metrics, records) after patching.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}

struct Splicer<'a> {
    signal: Signal,
    raw: &'a [u8],
    new: &'a [u8],
    /// Those still to come.
    patches: &'a [Patch],
    out: Vec<u8>,
    /// Up to here `raw` is in `out` or was left out.
    copied: usize,
}

impl Splicer<'_> {
    fn copy(&mut self, to: usize) {
        self.out.extend_from_slice(self.raw.get(self.copied..to).unwrap_or_default());
        self.copied = self.copied.max(to);
    }

    /// Recurses over request, group, scope group, metric, data: five levels at the most.
    fn message(&mut self, level: u32, start: usize, end: usize) -> Left {
        let mut left = Left::Nothing;
        for field in Fields::within(self.raw, start, end) {
            let mut covered = None;
            while let [patch, rest @ ..] = self.patches
                && patch.start <= field.start
            {
                self.copy(patch.start);
                self.out.extend_from_slice(self.new.get(patch.from..patch.to).unwrap_or_default());
                self.copied = patch.end;
                self.patches = rest;
                if patch.end > patch.start {
                    covered = Some(patch.is_cut());
                }
            }
            let member = self.is_member(level, field.number);
            if field.end <= self.copied {
                if member && covered == Some(false) {
                    left = Left::Something;
                }
                continue;
            }
            let touched = matches!(self.patches, [patch, ..] if patch.start < field.end);
            match field.value {
                Wire::Bytes(content) if member && touched => {
                    self.copy(field.start);
                    let slot = open(&mut self.out, field.number, content.len());
                    self.copied = field.end - content.len();
                    if self.message(level + 1, self.copied, field.end) == Left::Something {
                        self.copy(field.end);
                        close(&mut self.out, slot);
                        left = Left::Something;
                    } else {
                        self.out.truncate(slot.tag);
                        self.copied = field.end;
                    }
                }
                _ if member => left = Left::Something,
                _ => {}
            }
        }
        left
    }

    /// Whether this field of a message on this level leads to records.
    fn is_member(&self, level: u32, number: u32) -> bool {
        match (level, self.signal) {
            (0, _) => number == 1,
            (1 | 2, _) => number == 2,
            (3, Signal::Metrics) => matches!(number, 5 | 7 | 9 | 10 | 11),
            (4, Signal::Metrics) => number == 1,
            _ => false,
        }
    }
}
