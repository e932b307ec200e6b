//! Which service runs where, learned from spans and told to logs that do not say: what is read from a container's output knows its pod, and nothing of the service in it.

use super::place::{Place, places};
use crate::seed::Seed;
use signal::{Batch, Signal, Time, Value, text, view::Resource};
use std::{collections::HashMap, sync::Arc, time::Duration};
use xxhash_rust::xxh3::xxh3_64;

/// A place is known for at least so long after its last span, and at most for twice that.
const KNOWN: Duration = Duration::from_secs(3_600);
/// For each of two generations; beyond it the older one is forgotten early.
const BYTES_MAX: usize = 4 << 20;
/// Allocated for a name of a place, in a table with room to grow.
const PLACE_BYTES: usize = 2 * size_of::<(Place, Learned)>();
/// Of each value.
const VALUE_BYTES_MAX: usize = 256;
/// What is learned.
const KEYS: [&str; 4] = ["service.name", "service.namespace", "service.version", "deployment.environment.name"];
/// Resources learned lately, of which nothing new is to be learned.
const LATELY: usize = 1_024;

/// What spans say of themselves, by where they are.
pub(super) struct Dictionary {
    seed: Seed,
    young: HashMap<Place, Learned>,
    old: HashMap<Place, Learned>,
    /// Allocated for each of them.
    bytes: [usize; 2],
    turned: Time,
    /// Hashes of resources, each at a place that follows from it.
    lately: Box<[u64; LATELY]>,
}

#[derive(Clone)]
enum Learned {
    One(Arc<Identity>),
    /// Several services have this place.
    Several,
}

/// Values of `KEYS`.
#[derive(PartialEq)]
struct Identity([Option<Box<str>>; KEYS.len()]);

impl Identity {
    fn of(resource: &Resource<'_>) -> Option<Identity> {
        let mut values = KEYS.map(|_| None);
        for (key, value) in resource.attributes().iter() {
            if let Some(slot) = KEYS.iter().position(|known| *known == key).and_then(|at| values.get_mut(at)) {
                *slot = value.text().filter(|value| !value.is_empty()).map(|value| text::head(value, VALUE_BYTES_MAX).into());
            }
        }
        values[0].is_some().then_some(Identity(values))
    }

    fn service(&self) -> Option<&str> {
        self.0[0].as_deref()
    }

    fn bytes(&self) -> usize {
        size_of::<Identity>() + self.0.iter().flatten().map(|value| value.len()).sum::<usize>()
    }
}

impl Default for Dictionary {
    fn default() -> Dictionary {
        let (seed, young, old, bytes, turned) = Default::default();
        Dictionary { seed, young, old, bytes, turned, lately: Box::new([0; LATELY]) }
    }
}

impl Dictionary {
    /// Learns from the spans of a batch, or tells its logs; metrics it leaves alone.
    pub(super) fn pass(&mut self, batch: &mut Batch, now: Time) {
        match batch.signal() {
            Signal::Traces => self.learn(batch, now),
            Signal::Logs if !self.young.is_empty() || !self.old.is_empty() => self.tell(batch, now),
            Signal::Logs | Signal::Metrics => {}
        }
    }

    fn learn(&mut self, batch: &Batch, now: Time) {
        self.turn(now);
        for resource in batch.resources() {
            let hash = xxh3_64(resource.bytes());
            let slot = &mut self.lately[hash as usize % LATELY];
            if *slot != hash {
                *slot = hash;
                self.learn_of(&resource);
            }
        }
    }

    fn learn_of(&mut self, resource: &Resource<'_>) {
        let places = places(self.seed, resource);
        let Some(identity) = Identity::of(resource).filter(|_| !places.is_empty()).map(Arc::new) else { return };
        for place in places {
            let known = self.young.get(&place).or_else(|| self.old.get(&place));
            let learned = match known {
                // Several versions may come one after the other; several services are side by side.
                Some(Learned::One(known)) if known.service() != identity.service() => Learned::Several,
                Some(Learned::Several) => Learned::Several,
                _ => Learned::One(Arc::clone(&identity)),
            };
            let grown = PLACE_BYTES + identity.bytes();
            self.bytes[0] += if self.young.insert(place, learned).is_none() { grown } else { 0 };
        }
    }

    fn tell(&mut self, batch: &mut Batch, now: Time) {
        self.turn(now);
        // What the resource at hand is to be told; neighbours share theirs.
        let mut at_hand: Option<(*const u8, Option<Arc<Identity>>)> = None;
        let mut told = |resource: &Resource<'_>| match &at_hand {
            Some((bytes, identity)) if *bytes == resource.bytes().as_ptr() => identity.clone(),
            _ => {
                let identity = if resource.service().is_empty() { self.find(resource) } else { None };
                at_hand = Some((resource.bytes().as_ptr(), identity.clone()));
                identity
            }
        };
        if !batch.records().any(|record| told(&record.resource).is_some()) {
            return;
        }
        batch.edit(|record, edit| {
            let Some(identity) = told(&record.resource) else { return };
            for (key, value) in KEYS.iter().zip(&identity.0) {
                if let Some(value) = value
                    && record.resource.attributes().get(key).is_none_or(|said| said.text() == Some(""))
                {
                    edit.set_resource_attribute(key, Value::Text(value.to_string()));
                }
            }
        });
    }

    fn find(&self, resource: &Resource<'_>) -> Option<Arc<Identity>> {
        let known = |place: &Place| self.young.get(place).or_else(|| self.old.get(place));
        match places(self.seed, resource).iter().find_map(known)? {
            Learned::One(identity) => Some(Arc::clone(identity)),
            Learned::Several => None,
        }
    }

    fn turn(&mut self, now: Time) {
        if now.since(self.turned) >= KNOWN * 2 {
            self.young.clear();
            self.bytes[0] = 0;
        }
        if now.since(self.turned) >= KNOWN || self.bytes[0] >= BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.bytes = [0, self.bytes[0]];
            self.turned = now;
            *self.lately = [0; LATELY];
        }
    }
}

#[cfg(test)]
mod tests;
