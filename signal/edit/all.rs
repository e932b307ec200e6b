//! The same change of attributes to every span or log: written anew in one pass, since nearly all of a request changes.

use super::{Edit, asks::Asks};
use crate::{
    Signal,
    wire::{Fields, close, open},
};

/// Levels of groups around the records.
const GROUPS: u32 = 2;

impl Edit {
    /// The change, if nothing but attributes of spans or logs is asked for.
    pub(super) fn of_attributes_alone(&self, signal: Signal) -> Option<&Asks> {
        let alone = !self.discards() && !self.changes_fields(signal) && self.resource.is_empty() && !self.attributes.is_empty();
        (alone && signal != Signal::Metrics).then_some(&self.attributes)
    }
}

/// The request with these attributes in every record.
pub(super) fn rewritten(signal: Signal, raw: &[u8], asks: &Asks) -> Vec<u8> {
    let attributes = if signal == Signal::Traces { 9 } else { 6 };
    // An attribute is about an eighth of a record.
    let out = Vec::with_capacity(raw.len() + raw.len() / 8);
    let mut rewrite = Rewrite { raw, asks, attributes, out, copied: 0 };
    rewrite.message(0, 0, raw.len());
    rewrite.copy(raw.len());
    rewrite.out
}

struct Rewrite<'a> {
    raw: &'a [u8],
    asks: &'a Asks,
    /// The field that they are in.
    attributes: u32,
    out: Vec<u8>,
    /// Up to here `raw` is in `out`.
    copied: usize,
}

impl Rewrite<'_> {
    fn copy(&mut self, to: usize) {
        self.out.extend_from_slice(self.raw.get(self.copied..to).unwrap_or_default());
        self.copied = to;
    }

    /// Recurses over request, group, scope group.
    fn message(&mut self, level: u32, start: usize, end: usize) {
        let (member, mut fields) = (if level == 0 { 1 } else { 2 }, Fields::within(self.raw, start, end));
        while let Some((field, content)) = fields.next_bytes(member) {
            self.copy(field.start);
            let slot = open(&mut self.out, member, content.len());
            self.copied = field.end - content.len();
            if level == GROUPS {
                self.asks.put_patched(&mut self.out, content, self.attributes, 0);
                self.copied = field.end;
            } else {
                self.message(level + 1, self.copied, field.end);
                self.copy(field.end);
            }
            close(&mut self.out, slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Value,
        arbitrary::{self, Draw, messages::request},
    };
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_each_record_is_given_one_by_one(mut draw in Draw::of(4_000), logs in any::<bool>()) {
            let signal = if logs { Signal::Logs } else { Signal::Traces };
            let mut edit = Edit::default();
            for _ in 0..=draw.below(3) {
                let key = draw.pick(&["http.route", "new", "a"]);
                if draw.chance(20) { edit.remove_attribute(key) } else { edit.set_attribute(key, Value::Text(draw.text())) }
            }
            let mut one_by_one = arbitrary::batch(signal, request(&mut draw, signal).encode());
            let mut together = one_by_one.clone();
            one_by_one.edit(|_, each| *each = edit.clone());
            prop_assert!(edit.of_attributes_alone(signal).is_some());
            prop_assert_eq!(together.edit_all(&edit), 0);
            let bytes = |batch: &crate::Batch| batch.chunks().iter().map(|chunk| chunk.bytes().clone()).collect::<Vec<_>>();
            prop_assert_eq!(bytes(&together), bytes(&one_by_one));
        }
    }
}
