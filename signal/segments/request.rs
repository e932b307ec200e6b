//! Writes the requests that waiting records make together: each heading once, and the records under it in their order.

use super::{Heading, Waiting};
use crate::{
    Checked,
    wire::{BYTES, put_tag, put_varint, varint_len},
};
use bytes::Bytes;
use smallvec::SmallVec;

/// A request of each part. Neighbours under one heading share a group; all requests share one allocation.
#[must_use]
pub fn requests(parts: &[&[Waiting<'_>]]) -> SmallVec<[Checked; 1]> {
    let total = parts.iter().flat_map(|part| runs(part)).map(|run| field_len(Lengths::of(run).group)).sum();
    let mut out = Vec::with_capacity(total);
    let mut ends = SmallVec::<[usize; 4]>::new();
    for part in parts {
        runs(part).for_each(|run| put_run(&mut out, run));
        ends.push(out.len());
    }
    let mut all = Bytes::from(out);
    let (mut requests, mut start) = (SmallVec::new(), 0);
    if let Some((_, before)) = ends.split_last() {
        for end in before {
            requests.push(Checked(all.split_to(end - start)));
            start = *end;
        }
        requests.push(Checked(all));
    }
    requests
}

fn runs<'a, 'r>(part: &'a [Waiting<'r>]) -> impl Iterator<Item = &'a [Waiting<'r>]> + use<'a, 'r> {
    part.chunk_by(|a, b| a.under == b.under)
}

fn put_run(out: &mut Vec<u8>, run: &[Waiting<'_>]) {
    let Some(first) = run.first() else { return };
    let ((group, scope), lengths) = (Heading::parts(first.heading), Lengths::of(run));
    put_tag(out, 1, BYTES);
    put_varint(out, lengths.group as u64);
    out.extend_from_slice(group);
    put_tag(out, 2, BYTES);
    put_varint(out, lengths.scope as u64);
    out.extend_from_slice(scope);
    run.iter().for_each(|record| out.extend_from_slice(record.field));
}

/// How long the messages around a run's records are.
struct Lengths {
    group: usize,
    scope: usize,
}

impl Lengths {
    fn of(run: &[Waiting<'_>]) -> Lengths {
        let (group, scope) = run.first().map(|first| first.heading.parts()).unwrap_or_default();
        let scope = scope.len() + run.iter().map(|record| record.field.len()).sum::<usize>();
        Lengths { group: group.len() + field_len(scope), scope }
    }
}

/// A field of a number below 16 with a content of that length.
fn field_len(content: usize) -> usize {
    1 + varint_len(content as u64) + content
}
