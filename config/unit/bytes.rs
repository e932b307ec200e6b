//! Numbers of bytes.

use super::quantity::quantity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt};

/// A number of bytes: `512B`, `64KiB`, `256MiB`, `4GiB`, and the decimal `kB`, `MB`, `GB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(pub u64);

const SIZES: &[(&str, u128)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Bytes {
    /// Reads `4GiB`; the error says what to write.
    pub fn parse(text: &str) -> Result<Bytes, String> {
        // Who writes a small bare number thinks of megabytes; a large one can only be bytes.
        quantity(text, SIZES, |bare| format!("{bare}{}", if bare.len() <= 5 { "MiB" } else { "B" }), "256MiB").map(Bytes)
    }
}

impl fmt::Display for Bytes {
    /// In the largest binary unit, rounded to a tenth: `4GiB`, `1.5MiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = u128::from(self.0);
        match SIZES.iter().take(4).find(|(_, scale)| bytes >= *scale) {
            None => write!(f, "{bytes}B"),
            Some((unit, scale)) if bytes % scale == 0 => write!(f, "{}{unit}", bytes / scale),
            Some((unit, scale)) => {
                let tenths = (bytes * 10 + scale / 2) / scale;
                write!(f, "{}.{}{unit}", tenths / 10, tenths % 10)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Bytes::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_exactly() {
        for (text, bytes) in
            [("512B", 512), ("64KiB", 65_536), ("1.5MiB", 1_572_864), ("4GiB", 4 << 30), ("1kB", 1_000), ("2TB", 2_000_000_000_000)]
        {
            assert_eq!(Bytes::parse(text), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn a_size_that_is_not_one_says_what_to_write() {
        for (text, error) in [
            ("256", "`256` needs a unit; did you mean `256MiB`?"),
            ("1048576", "`1048576` needs a unit; did you mean `1048576B`?"),
            ("256Mi", "`256Mi` has an unknown unit; did you mean `256MiB`?"),
            ("4G", "`4G` has an unknown unit; did you mean `4GiB`?"),
            ("10mb", "`10mb` has an unknown unit; did you mean `10MB`?"),
            ("4 GiB", "`4 GiB` has an unknown unit; did you mean `4GiB`?"),
            ("5s", "`5s` is not understood; write it like `256MiB`"),
            ("99999999999TiB", "`99999999999TiB` is too much"),
        ] {
            assert_eq!(Bytes::parse(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_size_is_shown_as_it_would_be_written() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (1 << 20, "1MiB"), (1_572_864, "1.5MiB"), (4 << 30, "4GiB")] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
}
