//! Decisions outlive the telemetry around them: what is left of a segment that everybody has passed are its decisions and marks, under its name and
//! with their numbers, until the last of those decisions is a minute old.

use crate::disk::Disk;
use crate::error::Error;
use crate::record::{self, Entry, Kind};
use crate::saving::replace;
use crate::scan::{Expected, Scan, Step};
use crate::stamp::{self, Of, STAMP_BYTES};
use crate::state::{Segment, State};
use bytes::{Bytes, BytesMut};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How long a decision lives at least. Downtime does not count: what an earlier process wrote is as young as this one.
pub(crate) const DECISION_LIFE: Duration = Duration::from_secs(60);
/// A segment with more than this share of decisions is kept as it is.
const SHARE: u64 = 4;
/// After a failure, such as of a full disk, the next try.
const STRIP_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What is left of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stripped {
    /// It holds no decision.
    Nothing,
    /// So many bytes.
    Bytes(u64),
}

impl State {
    /// Something is wholly below the slowest cursor and can go now, or can be stripped.
    pub(crate) fn freeable(&self) -> bool {
        self.slowest().is_some_and(|slowest| self.oldest_goes(slowest) || self.next_to_strip(slowest).is_some())
    }

    fn oldest_goes(&self, slowest: u64) -> bool {
        let old = |first: &Segment| first.decided.is_none_or(|decided| decided.elapsed() >= DECISION_LIFE);
        let lingers = |first: &Segment| self.stripped == 0 && self.lingers(first);
        self.segments.len() > 1 && self.segments.front().is_some_and(|first| first.end <= slowest && old(first) && !lingers(first))
    }

    /// Whether a segment that everybody has passed stays whole for a while, since there is room.
    fn lingers(&self, segment: &Segment) -> bool {
        let roomy = self.refusing.is_none() && self.bytes.saturating_sub(self.leaving) <= self.linger.1;
        roomy && segment.written.elapsed() < self.linger.0
    }

    /// Takes the segments out that nobody needs, with the bytes that are counted for them; the last one stays, for its name says which numbers were given.
    pub(crate) fn take_passed(&mut self, slowest: u64) -> Vec<(PathBuf, u64)> {
        let mut passed = Vec::new();
        while self.oldest_goes(slowest) {
            self.stripped = self.stripped.saturating_sub(1);
            passed.extend(self.segments.pop_front().map(|segment| (segment.path, segment.bytes)));
            self.leaving += passed.last().map_or(0, |(_, bytes)| *bytes);
        }
        passed
    }

    /// The oldest segment that everybody has passed and that is whole.
    pub(crate) fn next_to_strip(&self, slowest: u64) -> Option<&Segment> {
        let due = self.stripped + 1 < self.segments.len() && self.strip_after.is_none_or(|after| after <= Instant::now());
        self.segments.get(self.stripped).filter(|segment| due && segment.end <= slowest && !self.lingers(segment))
    }

    /// That segment is done: kept, or out of the way. Returns what is to be removed, with the bytes that are counted for it.
    pub(crate) fn strip(&mut self, base: u64, stripped: Result<Stripped, Error>) -> Option<(PathBuf, u64)> {
        let at = self.stripped;
        let segment = self.segments.get_mut(at).filter(|segment| segment.base == base)?;
        match stripped {
            Ok(Stripped::Nothing) => {
                self.leaving += segment.bytes;
                self.segments.remove(at).map(|segment| (segment.path, segment.bytes))
            }
            Ok(Stripped::Bytes(bytes)) => {
                self.bytes = self.bytes.saturating_sub(segment.bytes.saturating_sub(bytes));
                segment.bytes = bytes;
                self.stripped += 1;
                None
            }
            // It stays whole, and goes when its decisions are old.
            Err(_) => {
                self.strip_after = Some(Instant::now() + STRIP_AGAIN_AFTER);
                None
            }
        }
    }
}

/// Puts what must be kept of a segment in its place, in one step.
pub(crate) fn strip(disk: &dyn Disk, dir: &Path, id: u32, segment: &Segment) -> Result<Stripped, Error> {
    if segment.decided.is_none() {
        return Ok(Stripped::Nothing);
    }
    let file = disk.open(&segment.path).map_err(|error| Error::disk("open", &segment.path, error))?;
    let expected = Expected { id, from: segment.base, below: u64::MAX };
    let mut scan = Scan::new(file, &segment.path, expected, segment.bytes).sparse();
    scan.pass_over_holes();
    let mut kept = BytesMut::from(&stamp::encode(Of::Segment, id, segment.base)[..]);
    let mut decisions = 0;
    while let Some(step) = scan.step(|_, header| matches!(header.kind, Kind::Decision | Kind::Mark))? {
        let Step::Entry(Entry { sequence, header, payload }) = step else { continue };
        decisions += u64::from(header.kind == Kind::Decision);
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let sum = record::payload_sum(id, std::slice::from_ref(&payload));
        kept.extend_from_slice(&record::encode(id, sequence, header, length, sum));
        kept.extend_from_slice(&payload);
        if kept.len() as u64 > STAMP_BYTES as u64 + segment.bytes / SHARE {
            return Ok(Stripped::Bytes(segment.bytes));
        }
    }
    if decisions == 0 {
        return Ok(Stripped::Nothing);
    }
    let bytes = kept.len() as u64;
    replace(disk, dir, &stamp::segment_name(segment.base), Bytes::from(kept))
        .map_err(|error| Error::disk("strip", &segment.path, error))?;
    Ok(Stripped::Bytes(bytes))
}
