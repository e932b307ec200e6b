//! Resources and scopes of records that wait: each once, however many requests brought it, as long as a record stands under it.

use crate::{
    Record,
    view::{Resource, Scope},
    wire::put_bytes,
};
use std::{collections::HashMap, ptr, sync::Arc};
use xxhash_rust::xxh3::xxh3_64;

/// The number of a heading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Under(pub(super) u32);

/// The resource and the scope of records.
#[derive(Debug)]
pub struct Heading {
    /// The fields of the resource's group, then those of the scope's.
    bytes: Box<[u8]>,
    /// Where the scope's begin.
    scope: usize,
    service: Arc<str>,
    hash: u64,
    /// Records that stand under it.
    records: usize,
}

impl Heading {
    /// `service.name`, or nothing.
    #[must_use]
    pub fn service(&self) -> &Arc<str> {
        &self.service
    }

    /// The fields of the resource's group, and those of the scope's.
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at_checked(self.scope).unwrap_or_default()
    }

    fn charge(&self) -> usize {
        size_of::<Heading>() + self.bytes.len() + self.service.len()
    }
}

/// All headings that records stand under.
#[derive(Debug, Default)]
pub(super) struct Headings {
    all: Vec<Option<Heading>>,
    unused: Vec<u32>,
    /// By the hash of their bytes. Where two have the same hash only the first is found.
    by_hash: HashMap<u64, u32>,
    bytes: usize,
    /// What a heading is written into to be looked for.
    written: Vec<u8>,
}

impl Headings {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, under: Under) -> Option<&Heading> {
        self.all.get(under.0 as usize)?.as_ref()
    }

    /// That of a record. It stays as long as records stand under it, and is let go when the last of them is.
    pub(super) fn of(&mut self, record: &Record<'_>) -> Under {
        let (resource, scope) = (&record.resource, &record.scope);
        self.written.clear();
        put_head(&mut self.written, resource.bytes(), resource.schema_url());
        let start = self.written.len();
        put_head(&mut self.written, scope.bytes(), scope.schema_url());
        // Where the two part is of the heading too.
        let hash = xxh3_64(&self.written).wrapping_add(start as u64);
        if let Some(number) = self.by_hash.get(&hash)
            && self
                .all
                .get(*number as usize)
                .and_then(Option::as_ref)
                .is_some_and(|known| known.scope == start && *known.bytes == *self.written)
        {
            return Under(*number);
        }
        let heading =
            Heading { bytes: self.written.as_slice().into(), scope: start, service: record.resource.service().into(), hash, records: 0 };
        self.bytes += heading.charge();
        let number = match self.unused.pop() {
            Some(number) => {
                if let Some(place) = self.all.get_mut(number as usize) {
                    *place = Some(heading);
                }
                number
            }
            None => {
                self.all.push(Some(heading));
                u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
            }
        };
        self.by_hash.entry(hash).or_insert(number);
        Under(number)
    }

    /// A record more stands under it.
    pub(super) fn hold(&mut self, under: Under) {
        if let Some(Some(heading)) = self.all.get_mut(under.0 as usize) {
            heading.records += 1;
        }
    }

    /// A record less.
    pub(super) fn release(&mut self, under: Under) {
        let Some(place) = self.all.get_mut(under.0 as usize) else { return };
        let Some(heading) = place else { return };
        heading.records = heading.records.saturating_sub(1);
        if heading.records > 0 {
            return;
        }
        self.bytes -= heading.charge();
        if self.by_hash.get(&heading.hash) == Some(&under.0) {
            self.by_hash.remove(&heading.hash);
        }
        *place = None;
        self.unused.push(under.0);
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

/// Whether two records of one request stand under the same bytes in the same place.
pub(super) fn is_one(a: &Record<'_>, b: &Record<'_>) -> bool {
    is_one_resource(&a.resource, &b.resource) && is_one_scope(&a.scope, &b.scope)
}

fn is_one_resource(a: &Resource<'_>, b: &Resource<'_>) -> bool {
    ptr::eq(a.bytes, b.bytes) && ptr::eq(a.schema_url, b.schema_url)
}

fn is_one_scope(a: &Scope<'_>, b: &Scope<'_>) -> bool {
    ptr::eq(a.bytes, b.bytes) && ptr::eq(a.schema_url, b.schema_url)
}
