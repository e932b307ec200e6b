//! One encoded request and the places in it that differ from turn to turn: trace ids, and times where there are no ids.

use super::chance::mixed;
use bytes::BufMut;

const ID_MARK: [u8; 12] = *b"\xf5trace-id-n\xf5";
/// A time that stands for "the time of this turn" until it is found and patched.
pub(super) const TIME_MARK: u64 = u64::from_le_bytes(*b"\xf5time-n\xf5");

/// A trace id that stands for the trace of that number until it is found and patched.
pub(super) fn marked_id(trace: u32) -> Vec<u8> {
    [&ID_MARK[..], &trace.to_be_bytes()].concat()
}

#[derive(Clone, Copy)]
enum Patch {
    /// 16 bytes: which of the request's traces.
    Id(u32),
    /// 8 bytes, little-endian nanoseconds.
    Time,
}

/// How many of its items come out at the other end, by what is done on the way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// Neither health checks nor below INFO.
    pub(crate) unfiltered: u64,
    /// Spans of traces that failed or were slow.
    pub(crate) remarkable: u64,
}

/// An encoded request.
pub(crate) struct Template {
    bytes: Vec<u8>,
    pub(crate) items: u64,
    pub(crate) fate: Fate,
    /// Ascending offsets.
    patches: Vec<(usize, Patch)>,
    now: u64,
}

impl Template {
    /// `now` in Unix nanoseconds.
    pub(super) fn new(bytes: Vec<u8>, items: usize, fate: Fate, now: u64) -> Template {
        let mut patches = Vec::new();
        let mut at = 0;
        while at + 8 <= bytes.len() {
            let rest = &bytes[at..];
            if let Some(number) = rest.strip_prefix(&ID_MARK).and_then(|rest| rest.first_chunk::<4>()) {
                patches.push((at, Patch::Id(u32::from_be_bytes(*number))));
                at += 16;
            } else if rest.starts_with(&TIME_MARK.to_le_bytes()) {
                patches.push((at, Patch::Time));
                at += 8;
            } else {
                at += 1;
            }
        }
        Template { bytes, items: items as u64, fate, patches, now }
    }

    /// Bytes of the request as written.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Writes the request with ids and times that no other turn gives.
    pub(crate) fn write(&self, turn: u64, to: &mut impl BufMut) {
        let mut at = 0;
        for &(offset, patch) in &self.patches {
            to.put_slice(&self.bytes[at..offset]);
            match patch {
                Patch::Id(trace) => {
                    let n = turn << 32 | u64::from(trace);
                    to.put_u64(mixed(n));
                    to.put_u64(mixed(n ^ 0x5bd1_e995_97f4_a7c1));
                    at = offset + 16;
                }
                Patch::Time => {
                    to.put_u64_le(self.now.wrapping_add(turn.wrapping_mul(1000)));
                    at = offset + 8;
                }
            }
        }
        to.put_slice(&self.bytes[at..]);
    }
}
