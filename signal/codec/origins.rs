//! Where the records of a message come from, as it stands in the header `kansoku-origin` of a Kafka message (signal/FORMAT.md): the entries of the sender's journal
//! and the ordinals in them, and how far that journal was settled. Whoever reads knows a second copy by it, and when no copy can come any more.

use crate::{
    Ack, Batch, Chunk, Ordinals, Origin, Signal,
    wire::{put_varint, varint},
};
use smallvec::SmallVec;
use std::fmt;

/// What this version writes and reads.
pub const VERSION: u8 = 1;
const NONE: u64 = 0;
const NEW_LOG: u64 = 1;
const KNOWN_LOG: u64 = 2;

/// Neighbours in a message that come from one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The entry; none where the sender had no journal for them.
    pub origin: Option<Origin>,
    /// Their ordinals in it.
    pub ordinals: Ordinals,
    /// How many they are.
    pub records: u32,
}

/// How far a journal was settled when the message was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Which journal.
    pub log: u32,
    /// No copy of an entry below this is sent any more, whatever crashes; 0 where nothing is known.
    pub below: u64,
}

/// Where all records of a message come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// In the order of the records.
    pub pieces: Vec<Piece>,
    /// Of each journal that a piece comes from.
    pub settled: Vec<Settled>,
}

/// A header that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(&'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Writes the header record by record.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    logs: SmallVec<[u32; 2]>,
    /// Of the piece at hand.
    piece: Option<Option<Origin>>,
    /// Of the run at hand.
    first: u32,
    length: u32,
}

impl<'a> Writer<'a> {
    /// Begins behind what is in `out`.
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>) -> Writer<'a> {
        out.push(VERSION);
        Writer { out, logs: SmallVec::new(), piece: None, first: 0, length: 0 }
    }

    /// The next record of the message. `below` says how far a journal is settled; it is asked once for each.
    #[inline]
    pub fn record(&mut self, origin: Option<Origin>, ordinal: u32, below: impl FnOnce(u32) -> u64) {
        if self.piece == Some(origin) {
            if self.length > 0 && self.first.checked_add(self.length) == Some(ordinal) {
                self.length += 1;
                return;
            }
            self.end_run();
        } else {
            self.end_piece();
            self.begin(origin, below);
        }
        (self.first, self.length) = (ordinal, 1);
    }

    fn begin(&mut self, origin: Option<Origin>, below: impl FnOnce(u32) -> u64) {
        self.piece = Some(origin);
        let Some(Origin { log, position }) = origin else { return put_varint(self.out, NONE) };
        match self.logs.iter().position(|known| *known == log) {
            Some(at) => put_varint(self.out, KNOWN_LOG + at as u64),
            None => {
                self.logs.push(log);
                put_varint(self.out, NEW_LOG);
                self.out.extend_from_slice(&log.to_le_bytes());
                put_varint(self.out, below(log));
            }
        }
        put_varint(self.out, position);
    }

    fn end_run(&mut self) {
        put_varint(self.out, u64::from(self.length));
        put_varint(self.out, u64::from(self.first));
    }

    fn end_piece(&mut self) {
        if self.piece.is_some() {
            self.end_run();
            put_varint(self.out, 0);
        }
    }

    /// All records were given.
    pub fn finish(mut self) {
        self.end_piece();
    }
}

impl Origins {
    /// The header.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut to = Writer::new(&mut out);
        let below = |log: u32| self.settled.iter().find(|settled| settled.log == log).map_or(0, |settled| settled.below);
        for piece in &self.pieces {
            for n in 0..piece.records {
                let ordinal = match &piece.ordinals {
                    Ordinals::From(first) => first.saturating_add(n),
                    Ordinals::These(all) => usize::try_from(n).ok().and_then(|n| all.get(n).copied()).unwrap_or(u32::MAX),
                };
                to.record(piece.origin, ordinal, below);
            }
        }
        to.finish();
        out
    }

    /// Of a message with so many records; of any other, and of what is damaged, nothing is read.
    ///
    /// # Errors
    /// It is of another version, ends too early, or tells of more or fewer records.
    pub fn decode(header: &[u8], records: usize) -> Result<Origins, Unreadable> {
        let [VERSION, ..] = header else { return Err(Unreadable("it is of a version that is not known here")) };
        let mut from = Reading { header, at: 1, left: records };
        let mut origins = Origins::default();
        while from.at < header.len() {
            let piece = from.piece(&mut origins.settled)?;
            origins.pieces.push(piece);
        }
        if from.left > 0 {
            return Err(Unreadable("it tells of fewer records than the message has"));
        }
        Ok(origins)
    }
}

impl Origins {
    /// The message's chunk in a chunk for each piece, which tells where that was written before. `known` says what a journal is called here.
    #[must_use]
    pub fn part(self, signal: Signal, chunk: Chunk, known: impl Fn(u32) -> u32) -> Vec<Chunk> {
        let before = |origin: Option<Origin>| origin.map(|origin| Origin { log: known(origin.log), ..origin });
        let told = |chunk: Chunk, piece: Piece| match before(piece.origin) {
            Some(origin) => Chunk { before: Some(origin), ordinals: piece.ordinals, ..chunk },
            None => chunk,
        };
        let mut pieces = self.pieces;
        if pieces.len() == 1 {
            return pieces.pop().map(|only| told(chunk, only)).into_iter().collect();
        }
        let mut from = 0;
        let parted = pieces.into_iter().filter_map(|piece| {
            let (start, end, mut at) = (from, from + piece.records, 0);
            from = end;
            let mut batch = Batch::new(signal, chunk.clone(), Ack::none());
            batch.retain(|_| {
                at += 1;
                (start..end).contains(&(at - 1))
            });
            batch.chunks.pop().map(|chunk| told(chunk, piece))
        });
        parted.collect()
    }
}

struct Reading<'a> {
    header: &'a [u8],
    at: usize,
    /// Records that nothing was said of yet.
    left: usize,
}

impl Reading<'_> {
    fn number(&mut self) -> Result<u64, Unreadable> {
        let (number, end) = varint(self.header, self.at).map_err(|_| Unreadable("it ends within a number"))?;
        self.at = end;
        Ok(number)
    }

    fn log(&mut self) -> Result<u32, Unreadable> {
        let four = self.header.get(self.at..).and_then(|rest| rest.first_chunk()).ok_or(Unreadable("it ends within a number"))?;
        self.at += four.len();
        Ok(u32::from_le_bytes(*four))
    }

    fn piece(&mut self, logs: &mut Vec<Settled>) -> Result<Piece, Unreadable> {
        let log = match self.number()? {
            NONE => None,
            NEW_LOG => {
                let log = self.log()?;
                logs.push(Settled { log, below: self.number()? });
                Some(log)
            }
            known => {
                let at = usize::try_from(known - KNOWN_LOG).unwrap_or(usize::MAX);
                Some(logs.get(at).ok_or(Unreadable("it tells of a journal that it does not name"))?.log)
            }
        };
        let origin = match log {
            Some(log) => Some(Origin { log, position: self.number()? }),
            None => None,
        };
        let (ordinals, records) = self.runs()?;
        Ok(Piece { origin, ordinals, records })
    }

    fn runs(&mut self) -> Result<(Ordinals, u32), Unreadable> {
        let (mut only, mut list) = (None, Vec::new());
        let mut records = 0_u32;
        loop {
            let length = self.number()?;
            if length == 0 {
                break;
            }
            let first = u32::try_from(self.number()?).map_err(|_| Unreadable("an ordinal is out of range"))?;
            let length = u32::try_from(length).ok().filter(|length| first.checked_add(length - 1).is_some());
            let length = length.ok_or(Unreadable("an ordinal is out of range"))?;
            // What is told is at most as long as the message, so no number makes a list long.
            self.left = usize::try_from(length).ok().and_then(|length| self.left.checked_sub(length)).ok_or(TOO_MANY)?;
            records = records.checked_add(length).ok_or(TOO_MANY)?;
            match only {
                None if list.is_empty() => only = Some((first, length)),
                _ => {
                    list.extend(only.take().into_iter().flat_map(|(first, length)| first..=first + (length - 1)));
                    list.extend(first..=first + (length - 1));
                }
            }
        }
        match only {
            Some((first, _)) => Ok((Ordinals::From(first), records)),
            None if list.is_empty() => Err(Unreadable("it tells of an entry with no record")),
            None => Ok((Ordinals::of(list), records)),
        }
    }
}

const TOO_MANY: Unreadable = Unreadable("it tells of more records than the message has");

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::{
        collector::logs::v1::ExportLogsServiceRequest,
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    };
    use proptest::prelude::*;
    use prost::Message as _;

    fn origin() -> impl Strategy<Value = Option<Origin>> {
        let position = prop_oneof![0..9_u64, any::<u64>()];
        prop::option::weighted(0.8, (0..3_u32, position).prop_map(|(log, position)| Origin { log, position }))
    }

    fn ordinals() -> impl Strategy<Value = Vec<u32>> {
        prop::collection::vec(prop_oneof![0..4_u32, any::<u32>()], 1..6)
    }

    /// As a sender has them: of each entry all its neighbours at once.
    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let piece = (origin(), ordinals()).prop_map(|(origin, ordinals)| {
            let records = u32::try_from(ordinals.len()).unwrap();
            Piece { origin, ordinals: Ordinals::of(ordinals), records }
        });
        prop::collection::vec(piece, 0..8).prop_map(|mut pieces| {
            pieces.dedup_by_key(|piece| piece.origin);
            pieces
        })
    }

    fn records(origins: &Origins) -> usize {
        origins.pieces.iter().map(|piece| piece.records as usize).sum()
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(pieces in pieces(), below in any::<u64>()) {
            let mut settled: Vec<Settled> = Vec::new();
            for Origin { log, .. } in pieces.iter().filter_map(|piece| piece.origin) {
                if settled.iter().all(|known| known.log != log) {
                    settled.push(Settled { log, below: below.wrapping_add(u64::from(log)) });
                }
            }
            let origins = Origins { pieces, settled };
            let (header, records) = (origins.encode(), records(&origins));
            let read = Origins::decode(&header, records);
            prop_assert_eq!(read.as_ref(), Ok(&origins));
            prop_assert!(Origins::decode(&header, records + 1).is_err());
            prop_assert!(records == 0 || Origins::decode(&header, records - 1).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(mut header in prop::collection::vec(any::<u8>(), 0..64), said in 0..100_usize) {
            if let Some(first) = header.first_mut() {
                *first = VERSION;
            }
            if let Ok(origins) = Origins::decode(&header, said) {
                prop_assert_eq!(records(&origins), said);
            }
        }
    }

    #[test]
    fn a_message_of_several_pieces_is_taken_apart_by_them() {
        let log = |n: u8| LogRecord { severity_text: n.to_string(), ..LogRecord::default() };
        let scope_logs = vec![ScopeLogs { log_records: (1..=4).map(log).collect(), ..ScopeLogs::default() }];
        let request = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] };
        let (checked, counts) = crate::check(Signal::Logs, request.encode_to_vec().into(), &crate::Limits::default()).unwrap();
        let chunk = Chunk::new(checked, counts.records, Some(Origin { log: 9, position: 1 }), Ordinals::From(0), crate::Time(1));
        let piece = |position, ordinals: &[u32], records| Piece {
            origin: Some(Origin { log: 3, position }),
            ordinals: Ordinals::of(ordinals.iter().copied()),
            records,
        };
        let alone = Piece { origin: None, ordinals: Ordinals::From(0), records: 1 };
        let origins = Origins { pieces: vec![piece(50, &[4, 9], 2), alone, piece(51, &[0], 1)], settled: Vec::new() };
        let parted = origins.part(Signal::Logs, chunk, |log| log + 100);
        let told: Vec<_> = parted.iter().map(|chunk| (chunk.before(), chunk.ordinal(0), chunk.len())).collect();
        let before = |position| Some(Origin { log: 103, position });
        assert_eq!(told, [(before(50), 4, 2), (None, 2, 1), (before(51), 0, 1)]);
        let said = parted.iter().flat_map(|chunk| chunk.records(Signal::Logs)).map(|record| match record.item {
            crate::Item::Log(log) => log.severity_text().to_owned(),
            _ => panic!("a request of logs"),
        });
        assert_eq!(said.collect::<Vec<_>>(), ["1", "2", "3", "4"]);
    }

    #[test]
    fn a_trace_of_one_request_takes_fifteen_bytes() {
        let piece = Piece { origin: Some(Origin { log: 0xfeed_beef, position: 1_000_000 }), ordinals: Ordinals::From(7), records: 8 };
        let origins = Origins { pieces: vec![piece], settled: vec![Settled { log: 0xfeed_beef, below: 999_000 }] };
        assert_eq!(origins.encode().len(), 15);
    }

    #[test]
    fn a_run_longer_than_the_message_is_refused_before_it_is_listed() {
        let mut header = vec![VERSION, 0, 1, 5];
        put_varint(&mut header, u64::from(u32::MAX));
        header.extend([0, 0]);
        assert_eq!(Origins::decode(&header, 2), Err(TOO_MANY));
    }
}
