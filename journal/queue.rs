//! Records that were taken and wait to be written, already cut into the segments they will lie in. Pure; small payloads are copied together so that a write has few parts.

use crate::record::{HEADER_BYTES, Kind};
use crate::stamp::STAMP_BYTES;
use bytes::{Bytes, BytesMut};

/// Payload parts up to this size are copied; larger ones are written from where they lie.
const COPIED_BYTES_MAX: usize = 4 << 10;

/// Where a group starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Behind what was written before.
    Here,
    /// In a segment of its own.
    NewSegment,
}

/// Neighbours that are written into one segment.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) begin: Begin,
    pub(crate) first: u64,
    /// Behind the last number.
    pub(crate) end: u64,
    pub(crate) parts: Vec<Bytes>,
    pub(crate) bytes: u64,
    /// It holds decisions or marks, without which what waits cannot leave.
    pub(crate) urgent: bool,
    /// It holds decisions.
    pub(crate) decides: bool,
    copied: BytesMut,
}

impl Group {
    fn push(&mut self, part: &Bytes) {
        if part.len() <= COPIED_BYTES_MAX {
            self.copied.extend_from_slice(part);
        } else {
            self.finish();
            self.parts.push(part.clone());
        }
    }

    fn finish(&mut self) {
        if !self.copied.is_empty() {
            self.parts.push(self.copied.split().freeze());
        }
    }
}

/// What waits.
#[derive(Debug)]
pub(crate) struct Queue {
    groups: Vec<Group>,
    bytes: u64,
    /// Bytes the segment of the last group will have.
    planned: u64,
    segment_bytes_max: u64,
}

impl Queue {
    /// Empty; the first record goes where the writer is.
    pub(crate) fn new(segment_bytes_max: u64) -> Queue {
        Queue { groups: Vec::new(), bytes: 0, planned: STAMP_BYTES as u64, segment_bytes_max }
    }

    /// Adds one record of `bytes` in all.
    pub(crate) fn push(&mut self, sequence: u64, head: &[u8; HEADER_BYTES], payload: &[Bytes], bytes: u64, kind: Kind) {
        let begin = if self.planned > STAMP_BYTES as u64 && self.planned + bytes > self.segment_bytes_max {
            self.planned = STAMP_BYTES as u64;
            Begin::NewSegment
        } else {
            Begin::Here
        };
        if begin == Begin::NewSegment || self.groups.is_empty() {
            self.groups.push(Group {
                begin,
                first: sequence,
                end: sequence,
                parts: Vec::new(),
                bytes: 0,
                urgent: false,
                decides: false,
                copied: BytesMut::new(),
            });
        }
        self.planned += bytes;
        self.bytes += bytes;
        if let Some(group) = self.groups.last_mut() {
            group.copied.extend_from_slice(head);
            payload.iter().for_each(|part| group.push(part));
            group.end = sequence + 1;
            group.urgent |= matches!(kind, Kind::Decision | Kind::Mark);
            group.decides |= kind == Kind::Decision;
            group.bytes += bytes;
        }
    }

    /// Everything, ready to be written.
    pub(crate) fn take(&mut self) -> Vec<Group> {
        self.bytes = 0;
        let mut groups = std::mem::take(&mut self.groups);
        groups.iter_mut().for_each(Group::finish);
        groups
    }

    /// The writer began a new segment by itself while nothing waited.
    pub(crate) fn rolled(&mut self) {
        if self.groups.is_empty() {
            self.planned = STAMP_BYTES as u64;
        }
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}
