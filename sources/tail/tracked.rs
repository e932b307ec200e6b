//! One file that is followed: which it is, how far it was read, and whether it still is what was read.

use super::stream::Spot;
use pipeline::foreign::{self, Foreign, Identity, Seen};
use serde::{Deserialize, Serialize};
use signal::{Time, codec::line::Output};
use std::{
    io,
    path::{Path, PathBuf},
};
use xxhash_rust::xxh3::xxh3_64;

/// The longest line that is looked for an end in; beyond it a line comes in pieces.
pub(crate) const RAW_LINE_MAX: usize = 256 << 10;
/// A read asks for so much at the least.
const READ_BYTES_MIN: usize = 4 << 10;
/// Bytes at the start of a file by which it is known again under another name.
const HEAD_BYTES: usize = 512;
/// Bytes before the place read to, which must not change; a file in which they did was truncated and written anew.
pub(crate) const TAIL_BYTES: usize = 256;

/// What is kept of a file over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// What it was called when it was last looked at.
    pub(crate) path: PathBuf,
    pub(crate) writes_to: String,
    /// Per output: where what is not taken in begins.
    pub(crate) at: [u64; 2],
    /// Length and hash of the bytes at its start, and of those before the lower of `at`.
    head: (usize, u64),
    tail: (usize, u64),
    /// Older parts of what its program writes are known up to here.
    pub(crate) older_to: u64,
}

/// How it stands with a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is where it was found.
    There,
    /// Its name has gone, to another file or altogether; since then.
    Leaving(Time),
    /// It was read to its end and closed, and is known only so that it is not read again; since then.
    Done(Time),
}

/// Whether a file has the name it was found under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Still,
    NoMore,
}

/// A file that is followed.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) number: u64,
    pub(crate) identity: Identity,
    pub(crate) path: PathBuf,
    pub(crate) writes_to: String,
    pub(crate) handle: Option<Foreign>,
    pub(crate) standing: Standing,
    /// Everything before was read.
    pub(crate) read_to: u64,
    pub(crate) bytes: u64,
    pub(crate) modified: u64,
    /// Per output: what begins before was taken in before a restart.
    taken_to: [u64; 2],
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Where what is no record yet begins, and what lay before it: once that is asked for, the file may be cut.
    starts: Vec<(u64, (usize, u64))>,
    /// The output of the line in whose middle `read_to` is.
    pub(crate) within: Option<Output>,
    /// At this size no end of a line was found.
    pub(crate) no_end_at: Option<u64>,
    /// When it last grew, or was found.
    pub(crate) grew: Time,
    pub(crate) looked: Time,
    /// Whether its turn will come.
    pub(crate) queued: bool,
    /// Since when there is something unread.
    pub(crate) behind_since: Option<Time>,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// So many new bytes at the start of the buffer.
    Bytes(usize),
    /// What was read before is not there any more.
    Rewritten,
}

fn sum(bytes: &[u8]) -> (usize, u64) {
    (bytes.len(), xxh3_64(bytes))
}

/// Bytes of a file, fewer where it ends.
fn bytes_of(file: &Foreign, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    let read = file.read_at(offset, &mut buffer)?;
    buffer.truncate(read);
    Ok(buffer)
}

fn before(file: &Foreign, offset: u64) -> io::Result<Vec<u8>> {
    let bytes = usize::try_from(offset).unwrap_or(usize::MAX).min(TAIL_BYTES);
    bytes_of(file, offset - bytes as u64, bytes)
}

impl Kept {
    /// Where to go on reading.
    pub(crate) fn lowest(&self) -> u64 {
        self.at[0].min(self.at[1])
    }

    /// Whether a file is what was read, up to where it was read to.
    pub(crate) fn is_in(&self, path: &Path) -> bool {
        let same = || -> io::Result<bool> {
            let file = Foreign::open(path)?;
            Ok(sum(&bytes_of(&file, 0, self.head.0)?) == self.head && sum(&before(&file, self.lowest())?) == self.tail)
        };
        same().unwrap_or(false)
    }

    /// Whether there is anything by which it can be known.
    pub(crate) fn has_content(&self) -> bool {
        self.head.0 > 0
    }
}

impl Tracked {
    /// A file not seen before, to be read from `from`.
    pub(crate) fn new(number: u64, path: PathBuf, writes_to: String, seen: Seen, from: u64, now: Time) -> Tracked {
        Tracked {
            number,
            identity: seen.identity,
            path,
            writes_to,
            handle: None,
            standing: Standing::There,
            read_to: from,
            bytes: seen.bytes,
            modified: seen.modified,
            taken_to: [from; 2],
            head: Vec::new(),
            tail: Vec::new(),
            starts: Vec::new(),
            within: None,
            no_end_at: None,
            grew: now,
            looked: now,
            queued: false,
            behind_since: None,
        }
    }

    /// The same where an earlier life had read some of it.
    pub(crate) fn again(number: u64, path: PathBuf, kept: &Kept, seen: Seen, now: Time) -> Tracked {
        Tracked { taken_to: kept.at, ..Tracked::new(number, path, kept.writes_to.clone(), seen, kept.lowest(), now) }
    }

    pub(crate) fn key(&self) -> String {
        key(self.identity)
    }

    pub(crate) fn spot(&self, offset: u64) -> Spot {
        Spot { file: self.number, offset }
    }

    /// Whether a line of this output that begins here was taken in before a restart.
    pub(crate) fn was_taken(&self, output: Output, offset: u64) -> bool {
        offset < self.taken_to[output as usize]
    }

    pub(crate) fn behind(&self) -> u64 {
        self.bytes.saturating_sub(self.read_to)
    }

    /// Whether a read would give something.
    pub(crate) fn has_news(&self) -> bool {
        self.behind() > 0 && self.no_end_at != Some(self.bytes)
    }

    /// Opens it if it is not open. Another file under its name is an error.
    pub(crate) fn open(&mut self) -> io::Result<()> {
        if self.handle.is_none() {
            let file = Foreign::open(&self.path)?;
            if file.seen()?.identity != self.identity {
                return Err(io::Error::new(io::ErrorKind::NotFound, "another file has its name"));
            }
            if self.head.is_empty() {
                self.head = bytes_of(&file, 0, HEAD_BYTES.min(usize::try_from(self.read_to).unwrap_or(usize::MAX)))?;
                self.tail = before(&file, self.read_to)?;
            }
            self.handle = Some(file);
        }
        Ok(())
    }

    /// Learns by what the file is known again, where it is not read from its beginning.
    pub(crate) fn learn(&mut self) {
        if self.read_to > 0 && self.head.is_empty() {
            // What cannot be opened is told when it is read.
            let _told_later = self.open();
            self.handle = None;
        }
    }

    /// Looks how large it is, and whether it has its name still.
    pub(crate) fn look(&mut self, now: Time) -> Named {
        self.looked = now;
        let of_name = foreign::look(&self.path).ok().filter(|seen| seen.identity == self.identity);
        let seen = of_name.or_else(|| self.handle.as_ref()?.seen().ok());
        if let Some(seen) = seen.filter(|seen| (seen.bytes, seen.modified) != (self.bytes, self.modified)) {
            (self.bytes, self.modified, self.grew) = (seen.bytes, seen.modified, now);
        }
        self.note_behind(now);
        if of_name.is_some() { Named::Still } else { Named::NoMore }
    }

    pub(crate) fn note_behind(&mut self, now: Time) {
        self.behind_since = if self.behind() == 0 { None } else { self.behind_since.or(Some(now)) };
    }

    /// Reads on from `read_to`, into the start of the buffer, which is longer by `TAIL_BYTES` than what is wanted.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<Read> {
        self.open()?;
        let Some(handle) = &self.handle else { return Ok(Read::Bytes(0)) };
        let known = self.tail.len();
        // Most files have a few lines that are new: for those no large buffer is filled with zeros.
        let new = usize::try_from(self.behind()).unwrap_or(RAW_LINE_MAX).clamp(READ_BYTES_MIN, RAW_LINE_MAX);
        buffer.resize(known + new, 0);
        let read = handle.read_at(self.read_to - known as u64, buffer)?;
        if read < known || buffer[..known] != self.tail[..] {
            return Ok(Read::Rewritten);
        }
        buffer.truncate(read);
        buffer.drain(..known);
        Ok(Read::Bytes(buffer.len()))
    }

    /// Notes that what begins at `read_to` is no record yet; `waiting` are all places where something is.
    pub(crate) fn begins_here(&mut self, waiting: &[u64]) {
        self.starts.retain(|(offset, _)| waiting.contains(offset));
        self.starts.push((self.read_to, sum(&self.tail)));
    }

    /// Notes that these bytes behind `read_to` are read.
    pub(crate) fn passed(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES.saturating_sub(self.head.len());
        if self.head.len() as u64 == self.read_to {
            self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        self.read_to += bytes.len() as u64;
        self.bytes = self.bytes.max(self.read_to);
        let kept = bytes.len().min(TAIL_BYTES);
        let over = (self.tail.len() + kept).saturating_sub(TAIL_BYTES);
        self.tail.drain(..over);
        self.tail.extend_from_slice(&bytes[bytes.len() - kept..]);
    }

    /// Whether another file is a copy of this one, as `copytruncate` makes it: it begins the same and, where it is as long, has the same before the place read to.
    pub(crate) fn is_copied_in(&self, path: &Path) -> bool {
        let same = || -> io::Result<bool> {
            let copy = Foreign::open(path)?;
            let bytes = copy.seen()?.bytes;
            let head = self.head.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            let is_same_head = head > 0 && bytes_of(&copy, 0, head)? == self.head[..head];
            Ok(is_same_head && (bytes < self.read_to || before(&copy, self.read_to)? == self.tail))
        };
        same().unwrap_or(false)
    }

    /// Whether another file begins with what lies in this one now, of which nothing was read yet.
    pub(crate) fn is_alike(&self, path: &Path) -> bool {
        let same = || -> io::Result<bool> {
            let (own, other) = (Foreign::open(&self.path)?, Foreign::open(path)?);
            let head = bytes_of(&other, 0, HEAD_BYTES)?;
            Ok(!head.is_empty() && bytes_of(&own, 0, head.len())? == head)
        };
        self.head.is_empty() && same().unwrap_or(false)
    }

    /// From now on it is read from its copy.
    pub(crate) fn moved_to(&mut self, path: PathBuf, seen: Seen, now: Time) {
        (self.path, self.identity, self.handle) = (path, seen.identity, None);
        (self.bytes, self.modified, self.standing) = (seen.bytes, seen.modified, Standing::Leaving(now));
        (self.no_end_at, self.grew) = (None, now);
        if self.bytes < self.read_to {
            self.read_to = self.bytes;
            (self.head, self.tail, self.within) = (Vec::new(), Vec::new(), None);
        }
        self.learn();
    }

    /// Whether what was read of it is in a file, as far as it was read.
    pub(crate) fn is_in(&self, path: &Path) -> bool {
        let same = || -> io::Result<bool> { Ok(before(&Foreign::open(path)?, self.read_to)? == self.tail) };
        same().unwrap_or(false)
    }

    /// What a restart has to know of it and of its lineage. `waits_from`: where what is read and not yet a record begins, per output.
    pub(crate) fn kept(&self, waits_from: [Option<u64>; 2], older_to: u64) -> Kept {
        let at = |output: usize| waits_from[output].unwrap_or(self.read_to.max(self.taken_to[output]));
        let at = [at(0), at(1)];
        let lowest = at[0].min(at[1]);
        let of_start = self.starts.iter().find(|(offset, _)| *offset == lowest).map(|(_, tail)| *tail);
        let tail = of_start.filter(|_| lowest != self.read_to).unwrap_or_else(|| sum(&self.tail));
        Kept { path: self.path.clone(), writes_to: self.writes_to.clone(), at, head: sum(&self.head), tail, older_to }
    }
}

/// The key of a file among positions.
pub(crate) fn key(identity: Identity) -> String {
    format!("{:x}.{:x}", identity.device, identity.inode)
}
