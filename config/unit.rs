//! Quantities with their unit. A bare number where a unit belongs is a fault that suggests one.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use std::{borrow::Cow, fmt, time::Duration};

/// A length of time: `500ms`, `10s`, `5m`, `2h`, `7d`, `1w`, also combined (`1h30m`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A number of bytes: `512B`, `64KiB`, `256MiB`, `4GiB`, and the decimal `kB`, `MB`, `GB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A share between 0 and 1, written `10%` or `0.5%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(pub f64);

macro_rules! written {
    ($ty:ident, $parse:path, $pattern:literal) => {
        impl<'de> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
        impl JsonSchema for $ty {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($ty).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

written!(Period, Period::parse, r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d|w))+$");
written!(Bytes, Bytes::parse, r"^[0-9]+(\.[0-9]+)?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$");
written!(Share, Share::parse, r"^[0-9]+(\.[0-9]+)?%$");

impl Period {
    /// Reads `5s`; the error says what to write.
    pub fn parse(text: &str) -> Result<Period, String> {
        let _ = text;
        todo!()
    }
}

impl Bytes {
    /// Reads `4GiB`; the error says what to write.
    pub fn parse(text: &str) -> Result<Bytes, String> {
        let _ = text;
        todo!()
    }
}

impl Share {
    /// Reads `10%`; the error says what to write.
    pub fn parse(text: &str) -> Result<Share, String> {
        let _ = text;
        todo!()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}
