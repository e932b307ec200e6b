//! Lengths of time.

use super::quantity::quantity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt, time::Duration};

/// A length of time: `500ms`, `10s`, `5m`, `2h`, `7d`, `1w`, also combined (`1h30m`). At most 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// Nanoseconds; the largest first, as they are shown.
const TIMES: &[(&str, u128)] = &[
    ("w", 7 * 86_400_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Period {
    /// Reads `5s`; the error says what to write.
    pub fn parse(text: &str) -> Result<Period, String> {
        quantity(text, TIMES, |bare| format!("{bare}s"), "10s").map(|ns| Period(Duration::from_nanos(ns)))
    }
}

impl fmt::Display for Period {
    /// Exact, in the largest units: `1h30m`, `1s500ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_nanos();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in TIMES.iter().filter(|(unit, _)| *unit != "w") {
            let count = rest / scale;
            rest %= scale;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Period::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d|w))+$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_read_exactly() {
        for (text, ns) in [
            ("0s", 0),
            ("500ms", 500_000_000),
            ("1.5s", 1_500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("7d", 604_800_000_000_000),
            ("1w", 604_800_000_000_000),
            ("10us", 10_000),
            ("3ns", 3),
        ] {
            assert_eq!(Period::parse(text), Ok(Period(Duration::from_nanos(ns))), "{text}");
        }
    }

    #[test]
    fn a_period_that_is_not_one_says_what_to_write() {
        for (text, error) in [
            ("5", "`5` needs a unit; did you mean `5s`?"),
            ("1h30", "`1h30` needs a unit; did you mean `1h30s`?"),
            ("5sec", "`5sec` has an unknown unit; did you mean `5s`?"),
            ("5 s", "`5 s` has an unknown unit; did you mean `5s`?"),
            ("10minutes", "`10minutes` has an unknown unit; did you mean `10m`?"),
            ("-5s", "`-5s` is below zero"),
            ("soon", "`soon` is not understood; write it like `10s`"),
            ("", "`` is not understood; write it like `10s`"),
            ("5s.", "`5s.` is not understood; write it like `10s`"),
            ("99999999999w", "`99999999999w` is too much"),
            ("99999999999999999999999s", "`99999999999999999999999s` is too much"),
        ] {
            assert_eq!(Period::parse(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_period_is_shown_as_it_would_be_written() {
        for text in ["0s", "500ms", "1s500ms", "1h30m", "7d", "1d12h"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
    }
}
