//! The files of one source: who is read next, and what a turn gives. Calls the disk, so it runs where blocking is allowed; reads no clock and waits for nothing.

use super::{
    found::Places,
    lineage::{Flush, Format, Lineage, Raw, Tally},
    stream::Joining,
    tracked::{Kept, Named, RAW_LINE_MAX, Read, Standing, Tracked, key},
};
use bytes::{Bytes, BytesMut};
use pipeline::{
    foreign::Identity,
    positions::{Moves, Progress, Reached},
};
use signal::Time;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::Duration,
};

/// What one turn reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Bytes, about.
    bytes: usize,
    records: usize,
    /// Lines of one file before others have their turn.
    lines: usize,
}

impl Default for Size {
    fn default() -> Size {
        Size { bytes: 1 << 19, records: 8_192, lines: 2_048 }
    }
}

impl Size {
    /// Half as much; none where a turn is a line already.
    pub(crate) fn halved(self) -> Option<Size> {
        (self.lines > 1).then_some(Size { bytes: self.bytes / 2, records: self.records / 2, lines: self.lines / 2 })
    }
}

/// Files that stay open though there is nothing new in them.
const OPEN_MAX: usize = 512;
/// A file that others write to is looked at so often, and a quiet one less often.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOK_AT_QUIET_EVERY: Duration = Duration::from_secs(1);
const QUIET_AFTER: Duration = Duration::from_secs(10);
/// When a last line without an end, and a file without a name, are taken to be complete.
const COMPLETE_AFTER: Duration = Duration::from_secs(5);

/// Where a start that knows nothing of a file begins in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Beginning,
    End,
}

/// How files are followed.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) places: Places,
    pub(crate) format: Format,
    pub(crate) joining: Joining,
    pub(crate) start: Start,
}

/// What a turn gave.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) request: Option<Bytes>,
    /// How far files are once the request is taken in.
    pub(crate) moves: Moves,
    pub(crate) progress: Progress,
    /// There is more to read at once.
    pub(crate) more: bool,
}

/// All files of a source.
pub(crate) struct Tailer {
    pub(super) options: Options,
    size: Size,
    pub(super) files: BTreeMap<u64, Tracked>,
    pub(super) by_identity: HashMap<Identity, u64>,
    pub(super) lineages: BTreeMap<String, Lineage>,
    /// Of an earlier life, by key, not found yet.
    pub(super) kept: BTreeMap<String, Kept>,
    /// Up to when an earlier life knew older parts of what a program writes.
    pub(super) older_kept: BTreeMap<String, u64>,
    pub(super) next_number: u64,
    pub(super) discover_at: Time,
    /// Nothing is known of any file yet.
    pub(super) first: bool,
    pub(super) forget_at: Option<Time>,
    pub(super) told_full: bool,
    pub(super) moves: Moves,
    ready: VecDeque<u64>,
    /// Files of which a restart has to know something new.
    changed: BTreeSet<u64>,
    pub(super) tally: Tally,
    buffer: Vec<u8>,
}

impl Tailer {
    /// Goes on where an earlier life had come to.
    pub(crate) fn new(options: Options, size: Size, reached: &Reached) -> Tailer {
        let read = |(key, kept): (&String, &String)| Some((key.clone(), serde_json::from_str::<Kept>(kept).ok()?));
        let kept: BTreeMap<String, Kept> = reached.iter().filter_map(read).collect();
        let mut older_kept: BTreeMap<String, u64> = BTreeMap::new();
        for kept in kept.values() {
            let older_to = older_kept.entry(kept.writes_to.clone()).or_default();
            *older_to = kept.older_to.max(*older_to);
        }
        Tailer {
            options,
            size,
            files: BTreeMap::new(),
            by_identity: HashMap::new(),
            lineages: BTreeMap::new(),
            first: kept.is_empty(),
            kept,
            older_kept,
            next_number: 0,
            discover_at: Time(0),
            forget_at: None,
            told_full: false,
            moves: Moves::new(),
            ready: VecDeque::new(),
            changed: BTreeSet::new(),
            tally: Tally::default(),
            buffer: Vec::new(),
        }
    }

    /// How it follows files, for another one to do so.
    pub(crate) fn into_options(self) -> Options {
        self.options
    }

    /// Looks what is new and reads as much of it as one request should have.
    pub(crate) fn turn(&mut self, now: Time) -> Turn {
        self.discover_if_due(now);
        self.look(now);
        let (mut bytes, mut records) = (0, self.records());
        while bytes < self.size.bytes
            && records < self.size.records
            && let Some(number) = self.ready.pop_front()
        {
            let before = self.records_of(number);
            let read = self.read(number, now);
            bytes += read;
            records += self.records_of(number).saturating_sub(before);
            if let Some(file) = self.files.get_mut(&number) {
                file.queued = file.has_news() && read > 0;
                self.ready.extend(Some(number).filter(|_| file.queued));
            }
        }
        self.note_ready();
        self.flush(Flush::Due(now));
        self.end_those_that_left(now);
        self.close_beyond(OPEN_MAX);
        Turn { more: !self.ready.is_empty(), ..self.turned(now) }
    }

    /// Makes records of what waits for lines that will not be read any more.
    pub(crate) fn last_turn(&mut self, now: Time) -> Turn {
        self.flush(Flush::Lines);
        self.turned(now)
    }

    fn turned(&mut self, now: Time) -> Turn {
        let mut request = BytesMut::new();
        // Requests one behind the other are one request.
        self.lineages.values_mut().filter_map(Lineage::request).for_each(|part| request.extend_from_slice(&part));
        for number in std::mem::take(&mut self.changed) {
            let Some(file) = self.files.get(&number) else { continue };
            let lineage = self.lineages.get(&file.writes_to);
            let (waits_from, older_to) = lineage.map_or(([None; 2], 0), |lineage| (lineage.waits_from(number), lineage.older_to));
            if let Ok(kept) = serde_json::to_string(&file.kept(waits_from, older_to)) {
                self.moves.insert(file.key(), Some(kept));
            }
        }
        Turn {
            request: Some(request.freeze()).filter(|request| !request.is_empty()),
            moves: std::mem::take(&mut self.moves),
            progress: self.progress(now),
            more: false,
        }
    }

    fn progress(&self, now: Time) -> Progress {
        let oldest = self.files.values().filter_map(|file| file.behind_since).min();
        Progress {
            files: self.files.len(),
            open: self.files.values().filter(|file| file.handle.is_some()).count(),
            behind_bytes: self.files.values().map(Tracked::behind).sum(),
            oldest_seconds: oldest.map_or(0.0, |since| now.since(since).as_secs_f64()),
            split: self.tally.split,
            repaired: self.tally.repaired,
        }
    }

    fn records(&self) -> usize {
        self.lineages.values().map(Lineage::records).sum()
    }

    /// Those of the file's program.
    fn records_of(&self, number: u64) -> usize {
        self.files.get(&number).and_then(|file| self.lineages.get(&file.writes_to)).map_or(0, Lineage::records)
    }

    /// Looks at every file whose time has come, and notes those with something new.
    fn look(&mut self, now: Time) {
        let due = |file: &Tracked| {
            let quiet = now.since(file.grew) >= QUIET_AFTER;
            !matches!(file.standing, Standing::Done(_)) && now.since(file.looked) >= if quiet { LOOK_AT_QUIET_EVERY } else { LOOK_EVERY }
        };
        let due: Vec<u64> = self.files.values().filter(|file| due(file)).map(|file| file.number).collect();
        for number in due {
            let Some(file) = self.files.get_mut(&number) else { continue };
            let before = file.modified;
            let named = file.look(now);
            // As long as before, and written to since: it may have been cut, and filled again to the same length.
            let doubtful = file.bytes == file.read_to && file.modified != before && named == Named::Still;
            if file.bytes < file.read_to || (doubtful && !file.is_in(&file.path)) {
                self.truncated(number, now);
            } else if named == Named::NoMore && file.standing == Standing::There {
                // Another file has its name, or none: what was not read of it may lie elsewhere.
                self.discover_at = now;
            }
        }
        self.note_ready();
    }

    /// Files with something new take their turns, but not before what their program had written earlier was read.
    fn note_ready(&mut self) {
        for lineage in self.lineages.values() {
            for number in &lineage.files {
                let Some(file) = self.files.get_mut(number) else { continue };
                if file.has_news() {
                    self.ready.extend(Some(*number).filter(|_| !file.queued));
                    file.queued = true;
                    break;
                }
            }
        }
    }

    /// Reads one stretch of a file; returns its length.
    fn read(&mut self, number: u64, now: Time) -> usize {
        let Some(file) = self.files.get_mut(&number) else { return 0 };
        let mut buffer = std::mem::take(&mut self.buffer);
        let length = match file.read(&mut buffer) {
            Ok(Read::Bytes(bytes)) => {
                self.take(number, &buffer, now);
                bytes
            }
            Ok(Read::Rewritten) => {
                self.truncated(number, now);
                0
            }
            Err(error) => {
                self.unreadable(number, &error, now);
                0
            }
        };
        self.buffer = buffer;
        length
    }

    /// Takes the lines of a stretch, as far as they have an end.
    fn take(&mut self, number: u64, stretch: &[u8], now: Time) {
        let Some(file) = self.files.get_mut(&number) else { return };
        let Some(lineage) = self.lineages.get_mut(&file.writes_to) else { return };
        file.bytes = file.bytes.max(file.read_to + stretch.len() as u64);
        let (mut rest, mut lines) = (stretch, 0);
        while !rest.is_empty() && lines < self.size.lines {
            lines += 1;
            let end = memchr::memchr(b'\n', rest);
            let (line, length) = match end {
                Some(end) => (&rest[..end], end + 1),
                None if rest.len() >= RAW_LINE_MAX => {
                    let cut = (rest.len() - 4..rest.len()).rev().find(|at| rest[*at] & 0xc0 != 0x80).unwrap_or(rest.len() - 1);
                    (&rest[..cut], cut)
                }
                None => break,
            };
            let raw = Raw { bytes: line, offset: file.read_to, has_end: end.is_some() };
            lineage.take(&raw, file, now, &mut self.tally);
            file.passed(&rest[..length]);
            rest = &rest[length..];
        }
        let has_no_end = file.behind() == rest.len() as u64 && rest.len() < RAW_LINE_MAX && memchr::memchr(b'\n', rest).is_none();
        file.no_end_at = Some(file.bytes).filter(|_| has_no_end);
        file.note_behind(now);
        // A record that is complete now may have begun in a file before.
        let of_lineage =
            lineage.files.iter().filter(|other| self.files.get(other).is_some_and(|file| !matches!(file.standing, Standing::Done(_))));
        self.changed.extend(of_lineage);
    }

    pub(super) fn changed(&mut self, number: u64) {
        self.changed.insert(number);
    }

    pub(super) fn flush(&mut self, which: Flush) {
        let mut records = self.records();
        for lineage in self.lineages.values_mut().filter(|lineage| !lineage.is_empty()) {
            // The others are due in the next turn too.
            if matches!(which, Flush::Due(_)) && records >= self.size.records {
                break;
            }
            let before = lineage.records();
            // What belongs to what waits may lie there.
            if matches!(which, Flush::Due(_)) && lineage.files.iter().any(|number| self.files.get(number).is_some_and(Tracked::has_news)) {
                continue;
            }
            if lineage.flush(which, &mut self.tally) {
                self.changed.extend(&lineage.files);
            }
            records += lineage.records() - before;
        }
    }

    /// A last line that stays without an end is a line; a file without a name that was read to its end is closed.
    fn end_those_that_left(&mut self, now: Time) {
        let complete = |file: &&Tracked| !matches!(file.standing, Standing::Done(_)) && now.since(file.grew) >= COMPLETE_AFTER;
        let quiet: Vec<u64> = self.files.values().filter(complete).map(|file| file.number).collect();
        for number in quiet {
            let Some(file) = self.files.get_mut(&number) else { continue };
            if file.behind() > 0 && !file.has_news() {
                let mut buffer = std::mem::take(&mut self.buffer);
                if let Ok(Read::Bytes(bytes)) = file.read(&mut buffer)
                    && bytes as u64 == file.behind()
                    && let Some(lineage) = self.lineages.get_mut(&file.writes_to)
                {
                    lineage.take(&Raw { bytes: &buffer, offset: file.read_to, has_end: true }, file, now, &mut self.tally);
                    file.passed(&buffer);
                    file.note_behind(now);
                    self.changed.insert(number);
                }
                self.buffer = buffer;
            }
            let left = matches!(file.standing, Standing::Leaving(since) if now.since(since) >= COMPLETE_AFTER);
            let is_read = file.behind() == 0;
            if left
                && is_read
                && self.waits_in(number) == [None; 2]
                && let Some(file) = self.files.get_mut(&number)
            {
                (file.standing, file.handle) = (Standing::Done(now), None);
            }
        }
    }

    pub(super) fn waits_in(&self, number: u64) -> [Option<u64>; 2] {
        let lineage = self.files.get(&number).and_then(|file| self.lineages.get(&file.writes_to));
        lineage.map_or([None; 2], |lineage| lineage.waits_from(number))
    }

    /// Lets go of a file altogether.
    pub(super) fn forget(&mut self, number: u64) {
        let Some(file) = self.files.remove(&number) else { return };
        self.by_identity.remove(&file.identity);
        self.moves.insert(key(file.identity), None);
        if let Some(lineage) = self.lineages.get_mut(&file.writes_to) {
            lineage.files.retain(|other| *other != number);
            if lineage.files.is_empty() && lineage.is_empty() && lineage.records() == 0 {
                self.lineages.remove(&file.writes_to);
            }
        }
    }

    /// Closes files that have nothing new, those that were quiet longest first.
    fn close_beyond(&mut self, open_max: usize) {
        let open: Vec<&Tracked> = self.files.values().filter(|file| file.handle.is_some()).collect();
        let Some(beyond) = open.len().checked_sub(open_max).filter(|beyond| *beyond > 0) else { return };
        let at_rest = |file: &&&Tracked| file.standing == Standing::There && !file.has_news() && self.waits_in(file.number) == [None; 2];
        let mut resting: Vec<(Time, u64)> = open.iter().filter(at_rest).map(|file| (file.grew, file.number)).collect();
        resting.sort_unstable();
        for (_, number) in resting.into_iter().take(beyond) {
            if let Some(file) = self.files.get_mut(&number) {
                file.handle = None;
            }
        }
    }
}
