//! Spans and logs that wait for others of their kind: each is copied once into segments that all owners share, and what stands around it is kept once for all.
//! An owner has no more of it than where its last record lies; each leads to the one before it through the segments.

mod compact;
mod head;
mod headings;
mod request;
#[cfg(test)]
mod tests;

pub use headings::{Heading, Under};
pub use request::requests;

use crate::{
    Item, Record,
    view::{LogRecord, Span},
    wire::{field, put_bytes, varint_len},
};
use head::{HEAD_BYTES, Head, NOBODY, Place};
use headings::Headings;
use smallvec::SmallVec;

/// Bytes of a segment at the most; a longer record has one of its own.
const SEGMENT_BYTES_MAX: usize = 256 << 10;
const SEGMENT_BYTES_MIN: usize = 1 << 10;
/// Of so many segments an owner of the whole budget has at least.
const SEGMENTS_MIN: usize = 64;
/// A segment is emptied into another once less than a quarter of it is alive.
const SPARSE: usize = 4;

/// Where the records of one owner lie, in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    last: Place,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { last: Place::NOWHERE }
    }
}

impl Chain {
    /// Whether no record is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last == Place::NOWHERE
    }
}

/// What is noted beside a record, for whoever takes it up again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The number that its owner is known by; not `u32::MAX`.
    pub owner: u32,
    /// The number of what it came in.
    pub source: u32,
    /// Its ordinal there.
    pub ordinal: u32,
    /// Whatever the owner wants to know of it without looking.
    pub flags: u32,
    /// The span's id, or that of the log's span; zero is none.
    pub span: u64,
    /// The id of the span's parent; zero is none.
    pub parent: u64,
}

/// A record that waits.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// What was noted beside it.
    pub note: Note,
    /// What stands around it.
    pub heading: &'a Heading,
    /// The heading's number: equal where the heading is.
    pub under: Under,
    /// The record as a field of its group.
    field: &'a [u8],
}

impl<'a> Waiting<'a> {
    fn content(&self) -> &'a [u8] {
        let length =
            field(self.field, 0).map_or(0, |field| if let crate::wire::Wire::Bytes(content) = field.value { content.len() } else { 0 });
        self.field.get(self.field.len() - length..).unwrap_or_default()
    }

    /// It, read as a span.
    #[must_use]
    pub fn span(&self) -> Span<'a> {
        Span::of(self.content())
    }

    /// It, read as a log record.
    #[must_use]
    pub fn log(&self) -> LogRecord<'a> {
        LogRecord::of(self.content())
    }
}

/// One segment: records, each behind its head.
#[derive(Debug, Default)]
struct Segment {
    bytes: Vec<u8>,
    /// Bytes of it that somebody still has.
    live: usize,
}

/// All records that wait in one place.
#[derive(Debug)]
pub struct Segments {
    segments: Vec<Segment>,
    /// Numbers of segments that are not in use.
    unused: Vec<u32>,
    /// Room that was let go, to be used again without asking for it.
    spare: Vec<Vec<u8>>,
    /// The segment that is written.
    at_hand: u32,
    /// Those that have become sparse.
    sparse: Vec<u32>,
    segment_bytes: usize,
    headings: Headings,
    /// Filled, whether alive or not.
    bytes: usize,
}

impl Segments {
    /// Nothing waits; all that will is meant to take no more than so many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Segments {
        Segments {
            segments: Vec::new(),
            unused: Vec::new(),
            spare: Vec::new(),
            at_hand: u32::MAX,
            sparse: Vec::new(),
            segment_bytes: (bytes_max / SEGMENTS_MIN).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            headings: Headings::default(),
            bytes: 0,
        }
    }

    /// Bytes allocated for what waits, that of it which nobody has any more included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.headings.bytes()
    }

    /// What stands around a record, known by a number from now on. `last`: the answer for the record before it in the same request.
    pub fn under<'a>(&mut self, record: &Record<'a>, last: &mut Option<(Record<'a>, Under)>) -> Under {
        if let Some((before, under)) = last
            && headings::is_one(before, record)
        {
            return *under;
        }
        let under = self.headings.of(record);
        *last = Some((*record, under));
        under
    }

    /// The heading of that number.
    #[must_use]
    pub fn heading(&self, under: Under) -> Option<&Heading> {
        self.headings.get(under)
    }

    /// Copies a span or a log, behind the others in the chain; a point is ignored.
    pub fn push(&mut self, chain: &mut Chain, under: Under, note: Note, record: &Record<'_>) {
        let content = match &record.item {
            Item::Span(span) => span.bytes(),
            Item::Log(log) => log.bytes(),
            Item::Point(..) => return,
        };
        let length = 1 + varint_len(content.len() as u64) + content.len();
        let head = Head { before: chain.last, under, length: u32::try_from(length).unwrap_or(u32::MAX), note };
        let place = self.append(head, |bytes| put_bytes(bytes, 2, content));
        self.headings.hold(under);
        chain.last = place;
    }

    /// Writes a head and what belongs to it into the segment at hand, or into a new one where it has no room.
    fn append(&mut self, head: Head, write: impl FnOnce(&mut Vec<u8>)) -> Place {
        let length = HEAD_BYTES + head.length as usize;
        let fits = |segment: &Segment| segment.bytes.len() + length <= segment.bytes.capacity();
        if !self.segments.get(self.at_hand as usize).is_some_and(fits) {
            self.begin(length);
        }
        let Some(segment) = self.segments.get_mut(self.at_hand as usize) else { return Place::NOWHERE };
        let at = segment.bytes.len();
        head.put(&mut segment.bytes);
        write(&mut segment.bytes);
        let grown = segment.bytes.len() - at;
        segment.live += grown;
        self.bytes += grown;
        Place { segment: self.at_hand, at: u32::try_from(at).unwrap_or(u32::MAX) }
    }

    /// Another segment is at hand, with room for so many bytes.
    fn begin(&mut self, length: usize) {
        let full = std::mem::replace(&mut self.at_hand, u32::MAX);
        self.look_after(full);
        let spare = if length <= self.segment_bytes { self.spare.pop() } else { None };
        let bytes = spare.unwrap_or_else(|| Vec::with_capacity(self.segment_bytes.max(length)));
        let segment = Segment { bytes, live: 0 };
        self.at_hand = match self.unused.pop() {
            Some(number) => {
                if let Some(place) = self.segments.get_mut(number as usize) {
                    *place = segment;
                }
                number
            }
            None => {
                self.segments.push(segment);
                u32::try_from(self.segments.len() - 1).unwrap_or(u32::MAX)
            }
        };
    }

    /// Where the records of a chain lie, in the order in which they came.
    fn places(&self, chain: &Chain) -> SmallVec<[Place; 16]> {
        let (mut places, mut place) = (SmallVec::new(), chain.last);
        while let Some(head) = self.head(place) {
            places.push(place);
            place = head.before;
        }
        places.reverse();
        places
    }

    fn head(&self, place: Place) -> Option<Head> {
        Head::read(&self.segments.get(place.segment as usize)?.bytes, place.at)
    }

    /// The records of a chain, in the order in which they came.
    pub fn records<'a>(&'a self, chain: &Chain) -> impl Iterator<Item = Waiting<'a>> + use<'a> {
        self.places(chain).into_iter().filter_map(|place| {
            let segment = self.segments.get(place.segment as usize)?;
            let head = Head::read(&segment.bytes, place.at)?;
            let start = place.at as usize + HEAD_BYTES;
            let field = segment.bytes.get(start..start + head.length as usize)?;
            Some(Waiting { note: head.note, heading: self.headings.get(head.under)?, under: head.under, field })
        })
    }

    /// What was noted beside the records of a chain, in the order in which they came.
    pub fn notes<'a>(&'a self, chain: &Chain) -> impl Iterator<Item = Note> + use<'a> {
        self.places(chain).into_iter().filter_map(|place| Some(self.head(place)?.note))
    }

    /// Lets go of all records of a chain.
    pub fn free(&mut self, chain: Chain) {
        let mut place = chain.last;
        while let Some(segment) = self.segments.get_mut(place.segment as usize) {
            let Some(head) = Head::read(&segment.bytes, place.at) else { break };
            Head::set_owner(&mut segment.bytes, place.at, NOBODY);
            let before = segment.live;
            segment.live = before.saturating_sub(HEAD_BYTES + head.length as usize);
            self.headings.release(head.under);
            let quarter = segment.bytes.len() / SPARSE;
            if segment.live == 0 || (before >= quarter && segment.live < quarter) {
                self.look_after(place.segment);
            }
            place = head.before;
        }
    }

    /// Gives back a segment that nobody has anything in, and notes one that has become sparse.
    fn look_after(&mut self, number: u32) {
        let Some(segment) = self.segments.get_mut(number as usize) else { return };
        if number == self.at_hand {
            if segment.live == 0 {
                self.bytes -= segment.bytes.len();
                segment.bytes.clear();
            }
            return;
        }
        if segment.live == 0 {
            self.give_back(number);
        } else if segment.live < segment.bytes.len() / SPARSE {
            self.sparse.push(number);
        }
    }

    fn give_back(&mut self, number: u32) {
        let Some(segment) = self.segments.get_mut(number as usize) else { return };
        let Segment { mut bytes, .. } = std::mem::take(segment);
        if bytes.capacity() == 0 {
            return;
        }
        self.bytes -= bytes.len();
        self.unused.push(number);
        let used = self.segments.len() - self.unused.len();
        if bytes.capacity() == self.segment_bytes && self.spare.len() <= used / 8 {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}
