//! What a program wrote into a map of the record (its attributes, its resource's), laid over what is there. Only touched keys are made.

use crate::{convert, path::Keys};
use signal::view::{Any, Attributes};
use vrl::{
    path::{OwnedSegment, OwnedValuePath},
    value::{KeyString, Value},
};

/// Writes over a map.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// The whole map was assigned: nothing beneath is seen any more.
    covers: bool,
    /// By key, in order of the first write; none is a removal.
    keys: Vec<(KeyString, Option<Value>)>,
}

/// A key of the map, and the path within its value.
struct Spot {
    key: KeyString,
    inner: OwnedValuePath,
}

impl Layer {
    /// Whether nothing was written.
    pub(super) fn is_untouched(&self) -> bool {
        !self.covers && self.keys.is_empty()
    }

    /// The value of a key of the map.
    fn get(&self, under: Attributes<'_>, key: &str) -> Option<Value> {
        match self.keys.iter().find(|(k, _)| k.as_str() == key) {
            Some((_, written)) => written.clone(),
            None if self.covers => None,
            None => under.get(key).map(convert::of_any),
        }
    }

    /// Whether a key of the map holds a map.
    fn holds_map(&self, under: Attributes<'_>, key: &str) -> bool {
        match self.keys.iter().find(|(k, _)| k.as_str() == key) {
            Some((_, written)) => matches!(written, Some(Value::Object(_))),
            None => !self.covers && matches!(under.get(key), Some(Any::Map(_))),
        }
    }

    /// All of it.
    pub(super) fn whole(&self, under: Attributes<'_>) -> Value {
        let mut all = if self.covers { Value::Object(std::collections::BTreeMap::new()) } else { convert::of_map(under) };
        if let Some(map) = all.as_object_mut() {
            for (key, written) in &self.keys {
                match written {
                    Some(value) => map.insert(key.clone(), value.clone()),
                    None => map.remove(key),
                };
            }
        }
        all
    }

    /// The flat key if it is there or no map is on the way; else the key of that map and the way within.
    fn spot(&self, under: Attributes<'_>, keys: &Keys, rest: &OwnedValuePath) -> Spot {
        let flat = keys.flat();
        let mut names = keys.each();
        let first = names.next().unwrap_or_default();
        let nested = first != flat && self.get(under, flat).is_none() && self.holds_map(under, first);
        let (key, within) = if nested { (first, names.map(OwnedSegment::field).collect()) } else { (flat, Vec::new()) };
        let inner = within.into_iter().chain(rest.segments.iter().cloned()).collect::<Vec<_>>();
        Spot { key: key.into(), inner: inner.into() }
    }

    /// The value under these keys.
    pub(super) fn read(&self, under: Attributes<'_>, keys: &Keys, rest: &OwnedValuePath) -> Option<Value> {
        let spot = self.spot(under, keys, rest);
        let value = self.get(under, &spot.key)?;
        if spot.inner.is_root() { Some(value) } else { value.get(&spot.inner).cloned() }
    }

    /// Writes under these keys.
    pub(super) fn insert(&mut self, under: Attributes<'_>, keys: &Keys, rest: &OwnedValuePath, value: Value) {
        let spot = self.spot(under, keys, rest);
        if spot.inner.is_root() {
            return self.set(spot.key, Some(value));
        }
        let mut whole = self.get(under, &spot.key).unwrap_or(Value::Null);
        whole.insert(&spot.inner, value);
        self.set(spot.key, Some(whole));
    }

    /// Takes out what is under these keys.
    pub(super) fn remove(&mut self, under: Attributes<'_>, keys: &Keys, rest: &OwnedValuePath, compact: bool) -> Option<Value> {
        let spot = self.spot(under, keys, rest);
        let mut whole = self.get(under, &spot.key)?;
        if spot.inner.is_root() {
            self.set(spot.key, None);
            return Some(whole);
        }
        let gone = whole.remove(&spot.inner, compact);
        self.set(spot.key, Some(whole));
        gone
    }

    /// Puts another map in the place of all that is there.
    pub(super) fn replace(&mut self, map: impl IntoIterator<Item = (KeyString, Value)>) {
        self.covers = true;
        self.keys = map.into_iter().map(|(key, value)| (key, Some(value))).collect();
    }

    fn set(&mut self, key: KeyString, value: Option<Value>) {
        match self.keys.iter_mut().find(|(k, _)| *k == key) {
            Some((_, written)) => *written = value,
            None => self.keys.push((key, value)),
        }
    }

    /// Each key with its new value, or none where it is to go; keys that are not there do not go.
    pub(super) fn changes<'l>(&'l self, under: Attributes<'l>) -> impl Iterator<Item = (&'l str, Option<&'l Value>)> {
        let gone = under.iter().map(|(key, _)| key).filter(|key| self.covers && !self.keys.iter().any(|(k, _)| k.as_str() == *key));
        let written = self.keys.iter().filter(move |(key, value)| value.is_some() || under.get(key).is_some());
        gone.map(|key| (key, None)).chain(written.map(|(key, value)| (key.as_str(), value.as_ref())))
    }
}
