//! The target of a running program: reads are made from the record once per path, writes are kept beside it and seen by later reads.

use super::{layer::Layer, write};
use crate::{
    convert::{self, Reader},
    fields::Leaf,
    functions,
    operand::Operand,
    program::field_path,
    subject::Subject,
};
use signal::{Edit, Time, view::Attributes};
use std::cell::OnceCell;
use vrl::{
    compiler::{SecretTarget, Target},
    path::OwnedTargetPath,
    value::Value,
};

/// A record and what was written over it.
#[derive(Debug)]
pub(super) struct Draft<'p, 'r> {
    subject: &'p Subject<'p, 'r>,
    reads: &'p [(OwnedTargetPath, Option<Reader>)],
    slots: Vec<OnceCell<Option<Value>>>,
    attributes: Layer,
    resource: Layer,
    /// Fields of their own, in order of the first write; none is `del`.
    fields: Vec<(Leaf, Option<Value>)>,
    /// The first write that could not be taken: VRL drops what `target_insert` answers.
    wrong: Option<String>,
    now: Option<String>,
}

impl<'p, 'r> Draft<'p, 'r> {
    /// Nothing written yet. `now` is none for a program that does not ask for it.
    pub(super) fn new(subject: &'p Subject<'p, 'r>, reads: &'p [(OwnedTargetPath, Option<Reader>)], now: Option<Time>) -> Draft<'p, 'r> {
        Draft {
            subject,
            reads,
            slots: reads.iter().map(|_| OnceCell::new()).collect(),
            attributes: Layer::default(),
            resource: Layer::default(),
            fields: Vec::new(),
            wrong: None,
            now: now.map(|now| now.0.to_string()),
        }
    }

    fn map(&self, leaf: Leaf) -> Option<(&Layer, Attributes<'r>)> {
        let layer = match leaf {
            Leaf::Attributes => &self.attributes,
            Leaf::Resource => &self.resource,
            _ => return None,
        };
        match self.subject.read(leaf) {
            Operand::Map(map) => Some((layer, map)),
            _ => None,
        }
    }

    fn layer(&mut self, leaf: Leaf) -> &mut Layer {
        if leaf == Leaf::Resource { &mut self.resource } else { &mut self.attributes }
    }

    fn make(&self, reader: &Reader) -> Option<Value> {
        let leaf = reader.path().entry.leaf;
        if let Some((layer, under)) = self.map(leaf).filter(|(layer, _)| !layer.is_untouched()) {
            return match reader.path().keys.is_empty() {
                true => layer.whole(under).get(reader.rest()).cloned(),
                false => layer.read(under, &reader.path().keys, reader.rest()),
            };
        }
        match self.fields.iter().find(|(l, _)| *l == leaf) {
            Some((_, written)) => {
                let inner = inner(reader);
                written.as_ref().and_then(|value| value.get(&inner)).cloned()
            }
            None => reader.read(self.subject),
        }
    }

    fn whole(&self) -> Value {
        let mut all = convert::whole(self.subject);
        for leaf in [Leaf::Attributes, Leaf::Resource] {
            if let Some((layer, under)) = self.map(leaf).filter(|(layer, _)| !layer.is_untouched()) {
                all.insert(&field_path(write::name(leaf)), layer.whole(under));
            }
        }
        for (leaf, written) in &self.fields {
            let path = field_path(write::name(*leaf));
            match written {
                Some(value) => all.insert(&path, value.clone()),
                None => all.remove(&path, false),
            };
        }
        all
    }

    /// Slots whose value may have changed are made anew.
    fn touched(&mut self, leaf: Leaf) {
        for ((_, reader), slot) in self.reads.iter().zip(&mut self.slots) {
            if reader.as_ref().is_none_or(|r| r.path().entry.leaf == leaf) {
                slot.take();
            }
        }
    }

    fn write(&mut self, leaf: Leaf, value: Option<Value>) {
        match self.fields.iter_mut().find(|(l, _)| *l == leaf) {
            Some((_, written)) => *written = value,
            None => self.fields.push((leaf, value)),
        }
    }

    fn insert(&mut self, reader: &Reader, value: Value) -> Result<(), String> {
        let leaf = reader.path().entry.leaf;
        if !reader.path().entry.writable.has(self.subject.kind()) {
            return Ok(());
        }
        if write::is_map(leaf) {
            let Operand::Map(under) = self.subject.read(leaf) else { return Ok(()) };
            if !reader.path().keys.is_empty() {
                self.layer(leaf).insert(under, &reader.path().keys, reader.rest(), value);
                return Ok(());
            }
            let Value::Object(map) = value else { return Err(format!("`.{}` takes a map", write::name(leaf))) };
            self.layer(leaf).replace(map);
            return Ok(());
        }
        let inner = inner(reader);
        if inner.is_root() {
            write::scalar(leaf, &value)?;
            self.write(leaf, Some(value));
        } else {
            let mut whole = self.current(leaf).unwrap_or(Value::Null);
            whole.insert(&inner, value);
            self.write(leaf, Some(whole));
        }
        Ok(())
    }

    fn current(&self, leaf: Leaf) -> Option<Value> {
        match self.fields.iter().find(|(l, _)| *l == leaf) {
            Some((_, written)) => written.clone(),
            None => convert::of_leaf(self.subject, leaf),
        }
    }

    fn remove(&mut self, reader: &Reader, compact: bool) -> Option<Value> {
        let leaf = reader.path().entry.leaf;
        if !reader.path().entry.writable.has(self.subject.kind()) {
            return None;
        }
        if let Operand::Map(under) = self.subject.read(leaf)
            && write::is_map(leaf)
        {
            if !reader.path().keys.is_empty() {
                return self.layer(leaf).remove(under, &reader.path().keys, reader.rest(), compact);
            }
            let layer = self.layer(leaf);
            let all = layer.whole(under);
            layer.replace([]);
            return Some(all);
        }
        let inner = inner(reader);
        let mut whole = self.current(leaf)?;
        if inner.is_root() {
            self.write(leaf, None);
            return Some(whole);
        }
        let gone = whole.remove(&inner, compact);
        self.write(leaf, Some(whole));
        gone
    }

    /// Turns what was written into the edit, or says which write could not be taken.
    pub(super) fn finish(self, edit: &mut Edit) -> Result<(), String> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        if let Some((layer, under)) = self.map(Leaf::Attributes) {
            for (key, change) in layer.changes(under) {
                match change {
                    Some(value) => edit.set_attribute(key, write::value(value)),
                    None => edit.remove_attribute(key),
                }
            }
        }
        if let Some((layer, under)) = self.map(Leaf::Resource) {
            for (key, change) in layer.changes(under) {
                match change {
                    Some(value) => edit.set_resource_attribute(key, write::value(value)),
                    None => edit.remove_resource_attribute(key),
                }
            }
        }
        for (leaf, written) in &self.fields {
            let scalar = match written {
                Some(value) => write::scalar(*leaf, value)?,
                None => write::deleted(*leaf),
            };
            scalar.apply(*leaf, edit);
        }
        Ok(())
    }
}

/// The way within a body: its keys are plain here.
fn inner(reader: &Reader) -> vrl::path::OwnedValuePath {
    let keys = reader.path().keys.each().map(vrl::path::OwnedSegment::field);
    keys.chain(reader.rest().segments.iter().cloned()).collect::<Vec<_>>().into()
}

impl Target for Draft<'_, '_> {
    fn target_get(&self, path: &OwnedTargetPath) -> Result<Option<&Value>, String> {
        let found = self.reads.iter().zip(&self.slots).find(|((query, _), _)| query == path);
        let Some(((_, reader), slot)) = found else { return Ok(None) };
        let make = || reader.as_ref().map_or_else(|| Some(self.whole()), |reader| self.make(reader));
        Ok(slot.get_or_init(make).as_ref())
    }

    fn target_insert(&mut self, path: &OwnedTargetPath, value: Value) -> Result<(), String> {
        let Some(reader) = Reader::new(&path.path.segments) else { return Err("the record as a whole cannot be written".to_owned()) };
        let taken = self.insert(&reader, value);
        self.touched(reader.path().entry.leaf);
        if let Err(wrong) = &taken {
            self.wrong.get_or_insert_with(|| wrong.clone());
        }
        taken
    }

    fn target_get_mut(&mut self, _: &OwnedTargetPath) -> Result<Option<&mut Value>, String> {
        Ok(None)
    }

    fn target_remove(&mut self, path: &OwnedTargetPath, compact: bool) -> Result<Option<Value>, String> {
        let Some(reader) = Reader::new(&path.path.segments) else { return Ok(None) };
        let gone = self.remove(&reader, compact);
        self.touched(reader.path().entry.leaf);
        Ok(gone)
    }
}

impl SecretTarget for Draft<'_, '_> {
    fn get_secret(&self, key: &str) -> Option<&str> {
        self.now.as_deref().filter(|_| key == functions::CLOCK)
    }

    fn insert_secret(&mut self, _: &str, _: &str) {}

    fn remove_secret(&mut self, _: &str) {}
}
