//! The serde `Deserializer` over a node: knows each field's place and key, refuses unknown keys, and passes over what was found wrong before.

use crate::{
    Fault, Node, Place, Value,
    node::{Key, Origin, Text},
    placed::MARK,
    read::Seen,
    words,
};
use serde::de::{self, DeserializeSeed, Expected, IntoDeserializer, Unexpected, Visitor, value::SeqDeserializer, value::StrDeserializer};
use std::fmt;

/// What serde or a `Deserialize` had to say.
#[derive(Debug)]
pub(crate) enum What {
    Broken(Fault),
    Missing(&'static str),
    Empty,
    Type { expected: String, found: &'static str },
    Word { word: String, advice: Option<String> },
    Sentence(String),
}

/// An error with the node and key it came from, as soon as those are known.
#[derive(Debug)]
pub(crate) struct Error<'de> {
    pub(crate) what: What,
    pub(crate) at: Option<(&'de Node, Option<&'de str>)>,
    /// Where it stands, if not at the node.
    pub(crate) place: Option<Place>,
}

impl From<What> for Error<'_> {
    fn from(what: What) -> Self {
        Error { what, at: None, place: None }
    }
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for Error<'_> {}

impl de::Error for Error<'_> {
    fn custom<T: fmt::Display>(what: T) -> Self {
        What::Sentence(what.to_string()).into()
    }

    fn missing_field(field: &'static str) -> Self {
        What::Missing(field).into()
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        What::Word { word: word.to_owned(), advice: words::advice(word, known) }.into()
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Unit | Unexpected::Option => return What::Empty.into(),
            Unexpected::Str(_) | Unexpected::Char(_) | Unexpected::Bytes(_) => "text",
            Unexpected::Bool(_) => "`true` or `false`",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a map",
            _ => "something else",
        };
        What::Type { expected: ours(&expected.to_string()), found }.into()
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let found = match found {
            Unexpected::Unsigned(number) => number.to_string(),
            Unexpected::Signed(number) => number.to_string(),
            Unexpected::Float(number) => number.to_string(),
            Unexpected::Str(text) => text.to_owned(),
            other => other.to_string(),
        };
        let range =
            range(&expected).map_or_else(|| format!("expected {}", ours(&expected)), |range| format!("a whole number {range} is expected"));
        What::Sentence(format!("`{found}` is out of range; {range}")).into()
    }
}

/// Serde's word for what it wants, in the words of somebody who writes YAML.
fn ours(expected: &str) -> String {
    let is = |words: &[&str]| words.iter().any(|word| expected.starts_with(word));
    let ours = if is(&["a sequence", "sequence", "a tuple", "tuple"]) {
        "a list"
    } else if is(&["struct ", "a map", "map", "unit struct"]) {
        "a map"
    } else if is(&["a string", "a borrowed string", "str", "a character"]) {
        "text"
    } else if is(&["a boolean", "bool"]) {
        "`true` or `false`"
    } else if range(expected).is_some() || is(&["a nonzero"]) {
        "a whole number"
    } else if is(&["f32", "f64"]) {
        "a number"
    } else if is(&["enum ", "variant identifier"]) {
        "a word"
    } else {
        expected
    };
    ours.to_owned()
}

fn range(expected: &str) -> Option<&'static str> {
    Some(match expected {
        "u8" => "from 0 to 255",
        "u16" => "from 0 to 65535",
        "u32" => "from 0 to 4294967295",
        "u64" | "usize" | "u128" => "from 0",
        "i8" => "from -128 to 127",
        "i16" => "from -32768 to 32767",
        "i32" | "i64" | "isize" | "i128" => "of at most its size",
        _ => return None,
    })
}

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

    fn map(self, entries: &'de [(Key, Node)], fields: Option<&'static [&'static str]>) -> Map<'de> {
        Map { rest: entries.iter(), next: None, fields, seen: self.seen }
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
            Value::Map(entries) => visitor.visit_map(self.map(entries, None)),
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
            Value::Map(entries) => self.at(visitor.visit_map(self.map(entries, Some(fields)))),
            // `otlp:` alone is `otlp: {}`.
            Value::Null => self.at(visitor.visit_map(self.map(&[], Some(fields)))),
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
            Value::Map(entries) => self.at(visitor.visit_enum(de::value::MapAccessDeserializer::new(self.map(entries, None)))),
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

struct Map<'de> {
    rest: std::slice::Iter<'de, (Key, Node)>,
    next: Option<(&'de str, &'de Node)>,
    fields: Option<&'static [&'static str]>,
    seen: &'de Seen,
}

impl<'de> de::MapAccess<'de> for Map<'de> {
    type Error = Error<'de>;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error<'de>> {
        for ((key, place), node) in self.rest.by_ref() {
            if let Some(known) = self.fields.filter(|fields| !fields.contains(&key.as_str())) {
                self.seen.note(Fault { help: words::advice(key, known), ..Fault::at(*place, format!("unknown key `{key}`")) });
            } else if !self.seen.hides(node) {
                self.next = Some((key, node));
                let at_key = |error| Error { at: Some((node, None)), place: Some(*place), ..error };
                return seed.deserialize(StrDeserializer::<Error<'de>>::new(key)).map(Some).map_err(at_key);
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error<'de>> {
        let Some((key, node)) = self.next.take() else { return Err(de::Error::custom("a value without a key")) };
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
