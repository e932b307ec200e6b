//! The serde `Deserializer` over a node: knows each field's place and key, refuses unknown keys, and passes over what was found wrong before.

use crate::{
    Fault, Node, Place, Value,
    error::{Error, What},
    node::{Key, Origin, Text},
    placed::MARK,
    read::Seen,
    words,
};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor, value::SeqDeserializer, value::StrDeserializer};
use std::cell::Cell;

/// A node to read, and the key it stands under.
#[derive(Clone, Copy)]
pub(crate) struct In<'de> {
    node: &'de Node,
    key: Option<&'de str>,
    seen: &'de Seen,
}

impl<'de> In<'de> {
    /// The whole of what is read.
    pub(crate) fn root(node: &'de Node, seen: &'de Seen) -> In<'de> {
        In { node, key: None, seen }
    }

    /// Says of an error that knows no place yet that it came from here.
    pub(crate) fn at<T>(self, result: Result<T, Error<'de>>) -> Result<T, Error<'de>> {
        result.map_err(|error| Error { at: error.at.or(Some((self.node, self.key))), ..error })
    }

    fn map<V: Visitor<'de>>(
        self,
        entries: &'de [(Key, Node)],
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error<'de>> {
        let asked = Cell::new(None);
        let map = Map { rest: entries.iter(), next: None, fields, seen: self.seen, asked: &asked };
        let result = visitor.visit_map(map);
        // Whoever refuses a key by hand does so before asking for its value.
        self.at(result.map_err(|error| match asked.get() {
            Some((node, place)) if error.at.is_none() => Error { at: Some((node, None)), place: Some(place), ..error },
            _ => error,
        }))
    }

    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        match &self.node.value {
            // Inside `{ }` a `${…}` needs quotes, which then say nothing about its type.
            Value::Text(text) if text.origin == Origin::Wholly => self.at(scalar(text, visitor)),
            _ => de::Deserializer::deserialize_any(self, visitor),
        }
    }
}

/// A plain scalar as what it looks like.
fn scalar<'de, V: Visitor<'de>>(text: &'de Text, visitor: V) -> Result<V::Value, Error<'de>> {
    let text = text.text.as_str();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && !(digits.len() > 1 && digits.starts_with('0') && !digits.contains('.'));
    match text {
        "true" => visitor.visit_bool(true),
        "false" => visitor.visit_bool(false),
        _ if !number => visitor.visit_borrowed_str(text),
        _ => match (text.parse::<u64>(), text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), ..) => visitor.visit_u64(number),
            (_, Ok(number), _) => visitor.visit_i64(number),
            (.., Ok(number)) if number.is_finite() => visitor.visit_f64(number),
            _ => visitor.visit_borrowed_str(text),
        },
    }
}

impl<'de> de::Deserializer<'de> for In<'de> {
    type Error = Error<'de>;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.at(match &self.node.value {
            Value::Broken(fault) => Err(What::Broken(Fault::clone(fault)).into()),
            Value::Null => visitor.visit_unit(),
            Value::Text(text) if text.plain => scalar(text, visitor),
            Value::Text(text) => visitor.visit_borrowed_str(&text.text),
            Value::List(items) => visitor.visit_seq(List { rest: items.iter(), seen: self.seen }),
            Value::Map(entries) => self.map(entries, None, visitor),
        })
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.number(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.number(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.number(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.number(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.number(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.number(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        match &self.node.value {
            Value::Text(text) => self.at(visitor.visit_borrowed_str(&text.text)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.deserialize_str(visitor)
    }

    /// A key with nothing after it is no way to leave it out: `when:` would then hold for everything.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error<'de>> {
        self.at(visitor.visit_some(self))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error<'de>> {
        if name != MARK {
            return self.at(visitor.visit_newtype_struct(self));
        }
        self.at(match &self.node.value {
            Value::Broken(fault) => Err(What::Broken(Fault::clone(fault)).into()),
            Value::Null => Err(What::Empty.into()),
            Value::Text(text) if text.text.trim().is_empty() => Err(What::Empty.into()),
            _ => visitor.visit_seq(Mark { inner: self, step: 0 }),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error<'de>> {
        match &self.node.value {
            Value::Map(entries) => self.map(entries, Some(fields), visitor),
            // `otlp:` alone is `otlp: {}`.
            Value::Null => self.map(&[], Some(fields), visitor),
            // Serde would take a list for the fields in their order.
            Value::List(_) => self.at(Err(What::Type { expected: "a map".to_owned(), found: "a list" }.into())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error<'de>> {
        match &self.node.value {
            // Serde would pass over all but the first.
            Value::Map(entries) if entries.len() != 1 => {
                let what = format!("expected one key of {}, found {}", words.join(", "), entries.len());
                self.at(Err(What::Sentence(what).into()))
            }
            Value::Text(text) => self.at(visitor.visit_enum(IntoDeserializer::<Error<'de>>::into_deserializer(text.text.as_str()))),
            Value::Map(entries) => {
                let asked = Cell::new(None);
                let map = Map { rest: entries.iter(), next: None, fields: None, seen: self.seen, asked: &asked };
                self.at(visitor.visit_enum(de::value::MapAccessDeserializer::new(map)))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! { i8 i16 i128 u128 f32 char bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier ignored_any }
}

struct List<'de> {
    rest: std::slice::Iter<'de, Node>,
    seen: &'de Seen,
}

impl<'de> de::SeqAccess<'de> for List<'de> {
    type Error = Error<'de>;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error<'de>> {
        let seen = self.seen;
        let Some(node) = self.rest.find(|node| !seen.hides(node)) else { return Ok(None) };
        let item = In { node, key: None, seen };
        item.at(seed.deserialize(item)).map(Some)
    }
}

/// The key that was asked for last, until its value is.
type Asked<'de> = Cell<Option<(&'de Node, Place)>>;

struct Map<'de, 'a> {
    rest: std::slice::Iter<'de, (Key, Node)>,
    next: Option<(&'de str, &'de Node)>,
    fields: Option<&'static [&'static str]>,
    seen: &'de Seen,
    asked: &'a Asked<'de>,
}

impl<'de> de::MapAccess<'de> for Map<'de, '_> {
    type Error = Error<'de>;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error<'de>> {
        for ((key, place), node) in self.rest.by_ref() {
            if let Some(known) = self.fields.filter(|fields| !fields.contains(&key.as_str())) {
                self.seen.note(Fault { help: words::advice(key, known), ..Fault::at(*place, format!("unknown key `{key}`")) });
            } else if !self.seen.hides(node) {
                self.next = Some((key, node));
                self.asked.set(Some((node, *place)));
                let at_key = |error| Error { at: Some((node, None)), place: Some(*place), ..error };
                return seed.deserialize(StrDeserializer::<Error<'de>>::new(key)).map(Some).map_err(at_key);
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error<'de>> {
        let Some((key, node)) = self.next.take() else { return Err(de::Error::custom("a value without a key")) };
        self.asked.set(None);
        let value = In { node, key: Some(key), seen: self.seen };
        value.at(seed.deserialize(value))
    }
}

/// What `Placed` asks for: start, end, offsets, and then the value itself.
struct Mark<'de> {
    inner: In<'de>,
    step: u8,
}

impl<'de> de::SeqAccess<'de> for Mark<'de> {
    type Error = Error<'de>;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error<'de>> {
        let node = self.inner.node;
        self.step += 1;
        match (self.step, &node.value) {
            (1, _) => seed.deserialize(node.place.start.into_deserializer()),
            (2, _) => seed.deserialize(node.place.end.into_deserializer()),
            (3, Value::Text(text)) => seed.deserialize(SeqDeserializer::new(text.offsets.numbers())),
            (3, _) => seed.deserialize(SeqDeserializer::new(std::iter::empty::<u32>())),
            _ => self.inner.at(seed.deserialize(self.inner)),
        }
        .map(Some)
    }
}
