//! Walks the records of one segment and passes over what is damaged: never stops at it, never believes it, never allocates by it.

use crate::disk::File;
use crate::error::{Damaged, Error};
use crate::record::{self, Entry, HEADER_BYTES, Head, Header};
use crate::stamp::STAMP_BYTES;
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a record was passed over whose bytes are all there.
pub(crate) const PAYLOAD: &str = "the payload's checksum is wrong";
/// Read at once, when the segment has so much.
const CHUNK_BYTES: usize = 256 << 10;

/// Whose records count as real: those of this log, with numbers that can be in this segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) id: u32,
    /// Lowest number; moves on with each record.
    pub(crate) from: u64,
    /// First number that cannot be: the next segment's.
    pub(crate) below: u64,
}

/// A place in a segment.
pub(crate) struct Scan {
    file: Arc<dyn File>,
    path: PathBuf,
    expected: Expected,
    at: u64,
    end: u64,
    chunk: Bytes,
    chunk_at: u64,
}

/// What lay there.
#[derive(Debug)]
pub(crate) enum Step {
    /// A record that was asked for.
    Entry(Entry),
    /// A whole record that was not.
    Other,
    /// A whole record of a newer kansoku.
    Unknown(Damaged),
    /// Bytes that are no record.
    Damaged(Damaged),
}

impl Scan {
    /// At the first record of a segment of which `end` bytes may be read.
    pub(crate) fn new(file: Arc<dyn File>, path: &Path, expected: Expected, end: u64) -> Scan {
        let at = STAMP_BYTES as u64;
        Scan { file, path: path.to_path_buf(), expected, at, end, chunk: Bytes::new(), chunk_at: 0 }
    }

    /// The offset of what comes next.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The lowest number that can come next.
    pub(crate) fn from(&self) -> u64 {
        self.expected.from
    }

    /// The segment has grown.
    pub(crate) fn extend(&mut self, end: u64) {
        self.end = self.end.max(end);
    }

    /// Gives the rest of the segment up.
    pub(crate) fn give_up(&mut self, why: &'static str) -> Damaged {
        self.damaged(self.end, why)
    }

    /// What comes next; `None` at the end. The payload is read, and its checksum asked, only for a record that is `wanted`.
    pub(crate) fn step(&mut self, wanted: impl FnOnce(u64, &Header) -> bool) -> Result<Option<Step>, Error> {
        if self.at >= self.end {
            return Ok(None);
        }
        let Some(head) = self.head(self.at)? else {
            let next = self.search()?;
            return Ok(Some(Step::Damaged(self.damaged(next, "no record has this header"))));
        };
        let start = self.at;
        let Some(after) = start.checked_add(head.record_bytes()).filter(|after| *after <= self.end) else {
            return Ok(Some(Step::Damaged(self.damaged(self.end, "the record ends behind the end of the file"))));
        };
        self.expected.from = head.sequence.saturating_add(1);
        let Some(header) = head.header() else {
            return Ok(Some(Step::Unknown(self.damaged(after, "a record of a kind or version that this kansoku does not know"))));
        };
        if !wanted(head.sequence, &header) {
            self.at = after;
            return Ok(Some(Step::Other));
        }
        let payload = self.read(start + HEADER_BYTES as u64, head.payload_bytes as usize)?;
        if payload.len() != head.payload_bytes as usize
            || record::payload_sum(self.expected.id, std::slice::from_ref(&payload)) != head.payload_sum
        {
            return Ok(Some(Step::Damaged(self.damaged(after, PAYLOAD))));
        }
        self.at = after;
        Ok(Some(Step::Entry(Entry { sequence: head.sequence, header, payload })))
    }

    fn damaged(&mut self, after: u64, why: &'static str) -> Damaged {
        let damaged = Damaged { file: self.path.clone(), offset: self.at, bytes: after - self.at, why };
        self.at = after;
        damaged
    }

    fn head(&mut self, at: u64) -> Result<Option<Head>, Error> {
        let bytes = self.read(at, HEADER_BYTES)?;
        Ok(self.believed(&bytes))
    }

    fn believed(&self, bytes: &[u8]) -> Option<Head> {
        record::decode(self.expected.id, bytes).filter(|head| (self.expected.from..self.expected.below).contains(&head.sequence))
    }

    /// The next offset with a header that is right, else the end.
    fn search(&mut self) -> Result<u64, Error> {
        let mut at = self.at + 1;
        loop {
            let window = self.read(at, CHUNK_BYTES)?;
            if window.len() < HEADER_BYTES {
                return Ok(self.end);
            }
            let fits = |head: &Head, offset: usize| head.record_bytes() <= self.end.saturating_sub(at + offset as u64);
            let offsets = 0..=window.len() - HEADER_BYTES;
            let found = offsets.clone().find(|offset| self.believed(&window[*offset..]).is_some_and(|head| fits(&head, *offset)));
            match found {
                Some(offset) => return Ok(at + offset as u64),
                None => at += *offsets.end() as u64 + 1,
            }
        }
    }

    /// At most the bytes that are there; a slice of the chunk where it lies in it.
    fn read(&mut self, at: u64, bytes: usize) -> Result<Bytes, Error> {
        let bytes = bytes.min(usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX));
        if let Some(offset) = at.checked_sub(self.chunk_at).and_then(|offset| usize::try_from(offset).ok())
            && offset.checked_add(bytes).is_some_and(|after| after <= self.chunk.len())
        {
            return Ok(self.chunk.slice(offset..offset + bytes));
        }
        let ahead = bytes.max(CHUNK_BYTES).min(usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX));
        self.chunk = self.file.read_at(at, ahead).map_err(|error| Error::disk("read", &self.path, error))?;
        self.chunk_at = at;
        Ok(self.chunk.slice(..bytes.min(self.chunk.len())))
    }
}
