//! Walks the records of one segment and passes over what is damaged: never stops at it, never believes it, never allocates by it.

use crate::disk::File;
use crate::error::{self, Damaged, Error};
use crate::record::{self, Entry, HEADER_BYTES, Head, Header};
use crate::stamp::STAMP_BYTES;
use bytes::{Bytes, BytesMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a record was passed over whose bytes are all there.
pub(crate) const PAYLOAD: &str = "the payload's checksum is wrong";
/// Why bytes were passed over that the disk does not give back.
pub(crate) const UNREADABLE: &str = "the disk cannot read it";
/// Read at once, when the segment has so much.
const CHUNK_BYTES: usize = 256 << 10;
/// Read at once where most is passed over.
const SPARSE_CHUNK_BYTES: usize = 16 << 10;
/// Read at once around a place that cannot be read.
const PAGE_BYTES: u64 = 4 << 10;
/// Pages of a segment that are tried and cannot be read; then the rest of it is given up, since each may take a disk seconds.
const HOLES_MAX: usize = 256;

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
    chunk_bytes: usize,
    /// Only so much of a payload is read.
    payload_bytes_max: usize,
    holes: Holes,
}

/// What a scan does at a place that cannot be read.
enum Holes {
    /// Says so.
    Told,
    /// Goes around it; here they begin, a page each.
    PassedOver(Vec<u64>),
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
        let path = path.to_path_buf();
        Scan {
            file,
            path,
            expected,
            at,
            end,
            chunk: Bytes::new(),
            chunk_at: 0,
            chunk_bytes: CHUNK_BYTES,
            payload_bytes_max: usize::MAX,
            holes: Holes::Told,
        }
    }

    /// Reads little at once: for whoever wants few of the records.
    pub(crate) fn sparse(self) -> Scan {
        Scan { chunk_bytes: SPARSE_CHUNK_BYTES, ..self }
    }

    /// Reads the beginning of each payload only, and asks no checksum of it.
    pub(crate) fn peeking(self, payload_bytes_max: usize) -> Scan {
        Scan { payload_bytes_max, ..self.sparse() }
    }

    /// From now on, places that cannot be read are damage like any other: what lies behind them is found again.
    pub(crate) fn pass_over_holes(&mut self) {
        self.holes = Holes::PassedOver(Vec::new());
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

    /// What comes next; `None` at the end. The payload is read, and its checksum asked, only for a record that is `wanted`.
    pub(crate) fn step(&mut self, wanted: impl FnOnce(u64, &Header) -> bool) -> Result<Option<Step>, Error> {
        if self.at >= self.end {
            return Ok(None);
        }
        if matches!(&self.holes, Holes::PassedOver(holes) if holes.len() >= HOLES_MAX) {
            return Ok(Some(Step::Damaged(self.damaged(self.end, UNREADABLE))));
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
        let bytes = (head.payload_bytes as usize).min(self.payload_bytes_max);
        let payload = self.read(start + HEADER_BYTES as u64, bytes)?;
        let peeked = bytes < head.payload_bytes as usize && payload.len() == bytes;
        if payload.len() != bytes || !peeked && record::payload_sum(self.expected.id, std::slice::from_ref(&payload)) != head.payload_sum {
            return Ok(Some(Step::Damaged(self.damaged(after, PAYLOAD))));
        }
        self.at = after;
        Ok(Some(Step::Entry(Entry { sequence: head.sequence, header, payload })))
    }

    fn damaged(&mut self, after: u64, why: &'static str) -> Damaged {
        let here = self.at..after;
        let hole =
            matches!(&self.holes, Holes::PassedOver(holes) if holes.iter().any(|hole| *hole < after && hole + PAGE_BYTES > here.start));
        let why = if hole { UNREADABLE } else { why };
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
        let ahead = bytes.max(self.chunk_bytes).min(usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX));
        self.chunk = match (self.file.read_at(at, ahead), &mut self.holes) {
            (Ok(chunk), _) => chunk,
            (Err(error), Holes::PassedOver(holes)) if error::unreadable(&error) => read_around(&*self.file, at, ahead, holes),
            (Err(error), _) => return Err(Error::disk("read", &self.path, error)),
        };
        self.chunk_at = at;
        Ok(self.chunk.slice(..bytes.min(self.chunk.len())))
    }
}

/// Page by page; those that cannot be read are zeros, which are no record and no payload's checksum.
fn read_around(file: &dyn File, at: u64, bytes: usize, holes: &mut Vec<u64>) -> Bytes {
    let mut out = BytesMut::with_capacity(bytes);
    while out.len() < bytes {
        let at = at + out.len() as u64;
        let whole = usize::try_from(PAGE_BYTES - at % PAGE_BYTES).unwrap_or(1).min(bytes - out.len());
        let page = at - at % PAGE_BYTES;
        let known = holes.contains(&page) || holes.len() >= HOLES_MAX;
        match if known { None } else { file.read_at(at, whole).ok() } {
            Some(read) if read.len() < whole => {
                out.extend_from_slice(&read);
                break;
            }
            Some(read) => out.extend_from_slice(&read),
            None => {
                if !known {
                    holes.push(page);
                }
                out.resize(out.len() + whole, 0);
            }
        }
    }
    out.freeze()
}
