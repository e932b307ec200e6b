//! What records ask of what they share with others: the resource, and the metric's name. Where all ask the same, the shared thing is patched; otherwise records move to groups of their own.

use super::{Edit, asks::Asks};
use crate::{
    Gather, Record, Signal,
    splice::Patch,
    view::{Resource, Walk},
    wire::{Fields, close, open},
};
use std::{borrow::Borrow, collections::HashMap, hash::Hash, ops::Range};

/// What each record of one resource group asks.
#[derive(Debug, Default)]
pub(super) struct Shared {
    resources: Numbered<Asks>,
    names: Numbered<Vec<u8>>,
    /// Per record, which of them; empty as long as nobody asked for anything.
    list: Vec<Wish>,
    records: usize,
}

/// Numbers of what a record asks for; zero is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    resource: u32,
    name: u32,
}

impl Shared {
    pub(super) fn clear(&mut self) {
        self.resources.clear();
        self.names.clear();
        self.list.clear();
        self.records = 0;
    }

    /// Notes what the next record asks.
    #[inline]
    pub(super) fn note(&mut self, edit: &Edit, signal: Signal) {
        let name = edit.name.as_ref().filter(|_| signal == Signal::Metrics);
        if !(self.list.is_empty() && edit.resource.is_empty() && name.is_none()) {
            let resource = if edit.resource.is_empty() { 0 } else { self.resources.number(&edit.resource) };
            let name = name.map_or(0, |name| self.names.number(edit.noted(name)));
            self.list.resize(self.records, Wish::default());
            self.list.push(Wish { resource, name });
        }
        self.records += 1;
    }

    pub(super) fn asks_nothing(&self) -> bool {
        self.list.is_empty()
    }

    /// The change of the resource that all records ask for, if that is all that any of them asks.
    pub(super) fn same_for_all(&self) -> Option<&Asks> {
        let first = *self.list.first()?;
        let same = first.name == 0 && self.list.iter().all(|wish| *wish == first);
        if same { self.resources.get(first.resource) } else { None }
    }
}

/// Different things, numbered from one in order of first sight.
#[derive(Debug, Default)]
struct Numbered<T> {
    all: Vec<T>,
    numbers: HashMap<T, u32>,
    /// The number given last: neighbours mostly ask for the same.
    latest: u32,
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn clear(&mut self) {
        self.all.clear();
        self.numbers.clear();
        self.latest = 0;
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.all.get((number as usize).checked_sub(1)?)
    }

    fn number<Q>(&mut self, thing: &Q) -> u32
    where
        T: Borrow<Q>,
        Q: ToOwned<Owned = T> + Eq + Hash + ?Sized,
    {
        if self.get(self.latest).is_some_and(|latest| latest.borrow() == thing) {
            return self.latest;
        }
        self.latest = match self.numbers.get(thing) {
            Some(number) => *number,
            None => {
                self.all.push(thing.to_owned());
                let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
                self.numbers.insert(thing.to_owned(), number);
                number
            }
        };
        self.latest
    }
}

/// The patch of a group's resource; `group` is where the group's content lies in `raw`. A group without a resource gets one.
pub(super) fn resource_patch(asks: &Asks, raw: &[u8], group: Range<usize>, new: &mut Vec<u8>) -> Patch {
    let from = new.len();
    let found = Fields::within(raw, group.start, group.end).next_bytes(1);
    let (start, end, message) =
        found.map_or((group.start, group.start, [].as_slice()), |(field, message)| (field.start, field.end, message));
    let slot = open(new, 1, message.len());
    asks.put_patched(new, message, 1, 0);
    close(new, slot);
    Patch { start, end, from, to: new.len() }
}

/// Appends a group, alone in `patched`, taken apart into one group for each change of the resource asked for, and within it into metrics of one name. Returns the old number of each record in its new place.
pub(super) fn regroup(signal: Signal, patched: &[u8], shared: &Shared, out: &mut Vec<u8>) -> Vec<usize> {
    let mut walk = Walk::new(signal, patched);
    let mut records = Vec::with_capacity(shared.records);
    while walk.advance() {
        let wish = shared.list.get(records.len()).copied().unwrap_or_default();
        let metric = walk.frames().get(2).map_or(0, |frame| frame.tag);
        records.push((wish.resource, metric, wish.name, records.len(), walk.record()));
    }
    records.sort_by_key(|&(resource, metric, name, ..)| (resource, metric, name));
    let old = records.first().map(|(.., record)| record.resource).unwrap_or_default();
    let resources: Vec<Vec<u8>> = shared.resources.all.iter().map(|asks| patched_resource(asks, old)).collect();
    let mut gather = Gather::new(signal);
    for &(resource, _, name, _, record) in &records {
        let bytes = (resource as usize).checked_sub(1).and_then(|place| resources.get(place)).map_or(old.bytes, Vec::as_slice);
        let record = Record { resource: Resource { bytes, ..old }, ..record };
        gather.push_named(record, shared.names.get(name).map(Vec::as_slice));
    }
    out.extend_from_slice(&gather.finish().0);
    records.into_iter().map(|(_, _, _, number, _)| number).collect()
}

fn patched_resource(asks: &Asks, resource: Resource<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(resource.bytes.len() + 64);
    asks.put_patched(&mut out, resource.bytes, 1, 0);
    out
}
