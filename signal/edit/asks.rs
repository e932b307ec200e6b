//! What is asked of a list of attributes, and doing it to the message that holds them.

use super::encode::put_pair;
use crate::{
    Value,
    view::Pair,
    wire::{Fields, Wire, put_bytes},
};
use smallvec::SmallVec;
use std::ops::Range;

/// Attributes to set and to remove, encoded when asked for. Equal ones do the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Asks {
    text: Vec<u8>,
    list: Vec<Ask>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Ask {
    key: Range<usize>,
    /// The encoded `KeyValue`; none to remove it.
    pair: Option<Range<usize>>,
}

impl Asks {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.list.clear();
    }

    pub(super) fn set(&mut self, key: &str, value: &Value) {
        let start = self.text.len();
        put_pair(&mut self.text, key, value);
        let pair = start..self.text.len();
        self.ask(key, Some(pair));
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.ask(key, None);
    }

    fn ask(&mut self, key: &str, pair: Option<Range<usize>>) {
        if let Some(place) = self.find(key.as_bytes()) {
            if let Some(ask) = self.list.get_mut(place) {
                ask.pair = pair;
            }
            return;
        }
        let start = self.text.len();
        self.text.extend_from_slice(key.as_bytes());
        self.list.push(Ask { key: start..self.text.len(), pair });
    }

    fn find(&self, key: &[u8]) -> Option<usize> {
        self.list.iter().position(|ask| self.text.get(ask.key.clone()) == Some(key))
    }

    fn put(&self, out: &mut Vec<u8>, field: u32, ask: &Ask) {
        if let Some(pair) = &ask.pair {
            put_bytes(out, field, self.text.get(pair.clone()).unwrap_or_default());
        }
    }

    /// Writes the message without the fields in `dropped` (a bit each, numbers below 64) and with its attributes, in field `field`, as asked: replaced in their place, new ones behind all else.
    pub(super) fn put_patched(&self, out: &mut Vec<u8>, message: &[u8], field: u32, dropped: u64) {
        let mut done: SmallVec<[bool; 16]> = SmallVec::from_elem(false, self.list.len());
        let (mut copied, mut fields) = (0, Fields::of(message));
        // Where nothing else is dropped, only attributes matter.
        let mut next = || if dropped == 0 { fields.next_bytes(field).map(|(field, _)| field) } else { fields.next() };
        while let Some(found) = next() {
            let ask = match found.value {
                Wire::Bytes(pair) if found.number == field && !self.list.is_empty() => match self.find(Pair::of(pair).key) {
                    Some(place) => Some(place),
                    None => continue,
                },
                _ if found.number < 64 && dropped & 1 << found.number != 0 => None,
                _ => continue,
            };
            out.extend_from_slice(message.get(copied..found.start).unwrap_or_default());
            copied = found.end;
            if let Some(place) = ask
                && let (Some(ask), Some(done)) = (self.list.get(place), done.get_mut(place))
                && !*done
            {
                self.put(out, field, ask);
                *done = true;
            }
        }
        out.extend_from_slice(message.get(copied..).unwrap_or_default());
        for (ask, _) in self.list.iter().zip(&done).filter(|(_, done)| !**done) {
            self.put(out, field, ask);
        }
    }
}
