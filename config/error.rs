//! What serde had to say of a value, in the words of somebody who writes YAML.

use crate::{Fault, Node, Place, words};
use serde::de::{self, Expected, Unexpected};
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
