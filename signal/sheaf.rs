//! Spans or logs out of one request that wait for others of their trace: the bytes of each record once, and what stands around it once for all traces that have records under it.

use crate::{
    Checked, Item, Record,
    view::{Resource, Scope},
    wire::{BYTES, put_bytes, put_tag, put_varint, varint_len},
};
use smallvec::SmallVec;
use std::{ptr, sync::Arc};

/// The resource and the scope of a group of records. Clones share it.
#[derive(Clone, Debug)]
pub struct Heading(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The fields of the resource's group, then those of the scope's.
    bytes: Box<[u8]>,
    /// Where the scope's begin.
    scope: usize,
    service: Arc<str>,
}

impl Heading {
    fn of(resource: &Resource<'_>, scope: &Scope<'_>) -> Heading {
        let mut bytes =
            Vec::with_capacity(resource.bytes().len() + scope.bytes().len() + resource.schema_url().len() + scope.schema_url().len() + 20);
        put_head(&mut bytes, resource.bytes(), resource.schema_url());
        let start = bytes.len();
        put_head(&mut bytes, scope.bytes(), scope.schema_url());
        Heading(Arc::new(Shared { bytes: bytes.into(), scope: start, service: resource.service().into() }))
    }

    /// `service.name`, or nothing.
    #[must_use]
    pub fn service(&self) -> &Arc<str> {
        &self.0.service
    }

    /// Bytes allocated for it if nobody but its maker has it yet, else none: who gathers under it first is charged.
    fn charge(&self) -> usize {
        if Arc::strong_count(&self.0) > 1 { 0 } else { size_of::<Shared>() + self.0.bytes.len() + self.0.service.len() }
    }
}

fn put_head(out: &mut Vec<u8>, message: &[u8], schema_url: &str) {
    if !message.is_empty() {
        put_bytes(out, 1, message);
    }
    if !schema_url.is_empty() {
        put_bytes(out, 3, schema_url.as_bytes());
    }
}

/// The headings of one chunk's records, made as one goes along.
#[derive(Debug, Default)]
pub struct Headings<'a> {
    last: Option<(Resource<'a>, Scope<'a>, Heading)>,
}

impl<'a> Headings<'a> {
    /// The heading of the next record; the same one as long as the group is the same.
    pub fn of(&mut self, record: &Record<'a>) -> &Heading {
        let (resource, scope) = (record.resource, record.scope);
        let is_same = |last: &(Resource<'a>, Scope<'a>, Heading)| is_one(&last.0, &resource) && is_one_scope(&last.1, &scope);
        let last = self.last.take().filter(is_same).unwrap_or_else(|| (resource, scope, Heading::of(&resource, &scope)));
        &self.last.insert(last).2
    }
}

/// Whether they are the same bytes in the same place; equal ones elsewhere only cost another heading.
fn is_one(a: &Resource<'_>, b: &Resource<'_>) -> bool {
    ptr::eq(a.bytes, b.bytes) && ptr::eq(a.schema_url, b.schema_url)
}

fn is_one_scope(a: &Scope<'_>, b: &Scope<'_>) -> bool {
    ptr::eq(a.bytes, b.bytes) && ptr::eq(a.schema_url, b.schema_url)
}

/// Records of one signal that wait; their request is written when they leave.
#[derive(Debug, Default)]
pub struct Sheaf {
    /// Records as fields of their group.
    bytes: Vec<u8>,
    runs: SmallVec<[Run; 1]>,
}

/// Neighbours under one heading.
#[derive(Debug)]
struct Run {
    heading: Heading,
    /// Where they end in the sheaf's bytes.
    end: usize,
}

impl Sheaf {
    /// Copies a span or a log; a point is ignored. Returns by how many bytes it grew, its heading included where nobody else has that yet.
    pub fn push(&mut self, heading: &Heading, record: &Record<'_>) -> usize {
        let content = match &record.item {
            Item::Span(span) => span.bytes(),
            Item::Log(log) => log.bytes(),
            Item::Point(..) => return 0,
        };
        let before = self.bytes.len();
        if before == 0 {
            // Most have one record; room for twice as much comes with the second.
            self.bytes.reserve_exact(1 + varint_len(content.len() as u64) + content.len());
        }
        put_bytes(&mut self.bytes, 2, content);
        let end = self.bytes.len();
        match self.runs.last_mut() {
            Some(run) if Arc::ptr_eq(&run.heading.0, &heading.0) => {
                run.end = end;
                end - before
            }
            _ => {
                let charge = heading.charge();
                self.runs.push(Run { heading: heading.clone(), end });
                end - before + charge + size_of::<Run>()
            }
        }
    }

    /// The request that they make together.
    #[must_use]
    pub fn finish(self) -> Checked {
        let mut start = 0;
        let lengths: SmallVec<[Lengths; 1]> = self.runs.iter().map(|run| Lengths::of(run, &mut start)).collect();
        let mut out = Vec::with_capacity(lengths.iter().map(|lengths| field_len(lengths.group)).sum());
        let mut start = 0;
        for (run, lengths) in self.runs.iter().zip(&lengths) {
            let (group, scope) = run.heading.0.bytes.split_at(run.heading.0.scope);
            put_tag(&mut out, 1, BYTES);
            put_varint(&mut out, lengths.group as u64);
            out.extend_from_slice(group);
            put_tag(&mut out, 2, BYTES);
            put_varint(&mut out, lengths.scope as u64);
            out.extend_from_slice(scope);
            out.extend_from_slice(self.bytes.get(start..run.end).unwrap_or_default());
            start = run.end;
        }
        Checked(out.into())
    }
}

/// How long the messages around a run's records are.
struct Lengths {
    group: usize,
    scope: usize,
}

impl Lengths {
    fn of(run: &Run, start: &mut usize) -> Lengths {
        let Shared { bytes, scope: at, .. } = &*run.heading.0;
        let scope = bytes.len() - at + run.end - *start;
        *start = run.end;
        Lengths { group: at + field_len(scope), scope }
    }
}

/// A field of a number below 16 with a content of that length.
fn field_len(content: usize) -> usize {
    1 + varint_len(content as u64) + content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chunk, Gather, Ordinals, Signal, Time, arbitrary};

    fn gathered(chunk: &Chunk, mut pick: impl FnMut(usize) -> bool) -> (Checked, Checked, usize) {
        let (mut sheaf, mut gather, mut headings, mut grown) = (Sheaf::default(), Gather::new(Signal::Traces), Headings::default(), 0);
        for (_, record) in chunk.records(Signal::Traces).enumerate().filter(|(n, _)| pick(*n)) {
            grown += sheaf.push(headings.of(&record), &record);
            gather.push(record);
        }
        (sheaf.finish(), gather.finish(), grown)
    }

    #[test]
    fn a_sheaf_makes_the_request_that_gathering_makes() {
        let chunk = Chunk::new(arbitrary::checked(&arbitrary::spans(9)), 9, None, Ordinals::From(0), Time(1));
        for step in 1..4 {
            let (ours, theirs, grown) = gathered(&chunk, |n| n % step == 0);
            assert_eq!(ours.bytes(), theirs.bytes());
            assert!(grown >= ours.bytes().len());
        }
        assert!(gathered(&chunk, |_| false).0.bytes().is_empty());
    }

    #[test]
    fn a_heading_is_charged_to_the_first_who_has_it() {
        let chunk = Chunk::new(arbitrary::checked(&arbitrary::spans(2)), 2, None, Ordinals::From(0), Time(1));
        let (mut headings, mut first, mut second) = (Headings::default(), Sheaf::default(), Sheaf::default());
        let record = chunk.records(Signal::Traces).next().unwrap();
        let charged = first.push(headings.of(&record), &record);
        let shared = second.push(headings.of(&record), &record);
        assert!(charged > shared);
    }
}
