//! How much in how long: `100/s`, `5000 spans/s`, `1MiB/s`; and the word for a quantile, `p99`.

use crate::per;
use config::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use std::{borrow::Cow, fmt, time::Duration};

/// An amount of something in a second, a minute or an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) amount: u64,
    pub(super) unit: Unit,
    pub(super) period: Duration,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// What is decided about: traces, or records one by one.
    Items,
    Traces,
    Spans,
    Logs,
    Points,
    Bytes,
}

const WORDS: [(&str, Unit); 4] = [("traces", Unit::Traces), ("spans", Unit::Spans), ("logs", Unit::Logs), ("points", Unit::Points)];

impl Rate {
    /// Reads `100/s`; the error says what to write.
    fn parse(text: &str) -> Result<Rate, String> {
        let (amount, per) = per::split(text)?;
        let period = per::period(text, amount, per)?;
        let (amount, unit) = parse_amount(text, amount.trim(), per)?;
        if amount == 0 {
            return Err(format!("`{text}` is nothing at all; for that write `keep: 0%`"));
        }
        Ok(Rate { amount, unit, period })
    }
}

fn parse_amount(text: &str, amount: &str, per: &str) -> Result<(u64, Unit), String> {
    let end = amount.find(|c: char| !c.is_ascii_digit()).unwrap_or(amount.len());
    let (digits, word) = amount.split_at(end);
    let number = || digits.parse().map_err(|_| format!("`{text}` is not understood; write it like `100/s`, `5000 spans/s` or `1MiB/s`"));
    match word.trim() {
        "" => Ok((number()?, Unit::Items)),
        named if word.starts_with(' ') => match WORDS.iter().find(|(word, _)| *word == named) {
            Some((_, unit)) => Ok((number()?, *unit)),
            None => {
                let meant = config::nearest(named, WORDS.map(|(word, _)| word)).map_or(String::new(), |word| format!(" {word}"));
                Err(format!("`{text}` counts something unknown; did you mean `{digits}{meant}/{per}`?"))
            }
        },
        _ => match Bytes::parse(amount) {
            Ok(bytes) => Ok((bytes.0, Unit::Bytes)),
            Err(_) if WORDS.iter().any(|(known, _)| *known == word) => {
                Err(format!("`{text}` lacks a space; write `{digits} {word}/{per}`"))
            }
            Err(why) => Err(why),
        },
    }
}

impl Unit {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Unit::Items => "",
            Unit::Traces => " traces",
            Unit::Spans => " spans",
            Unit::Logs => " logs",
            Unit::Points => " points",
            Unit::Bytes => "B",
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = per::word(self.period);
        match self.unit {
            Unit::Bytes => write!(f, "{}/{per}", Bytes(self.amount)),
            unit => write!(f, "{}{}/{per}", self.amount, unit.word()),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Rate::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Rate {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?( traces| spans| logs| points|B|kB|MB|GB|KiB|MiB|GiB)?/[smh]$" })
    }
}

/// A quantile, as `p99`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantile(pub(super) f64);

impl<'de> Deserialize<'de> for Quantile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.strip_prefix('p').unwrap_or(&text).trim_end_matches('%');
        let number = digits.parse::<f64>().ok().filter(|n| *n > 0.0 && *n < 100.0);
        match number {
            Some(number) if text.starts_with('p') && !text.ends_with('%') => Ok(Quantile(number / 100.0)),
            Some(_) => Err(D::Error::custom(format!("`{text}` is no quantile; did you mean `p{digits}`?"))),
            None => Err(D::Error::custom(format!("`{text}` is no quantile; write it like `p99`"))),
        }
    }
}

impl JsonSchema for Quantile {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Quantile".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^p[0-9]{1,2}(\.[0-9]+)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_and_shown_as_it_is_written() {
        for text in ["100/s", "5000 spans/s", "1MiB/s", "20 logs/m", "7 traces/h", "3 points/s"] {
            assert_eq!(Rate::parse(text).unwrap().to_string(), text);
        }
        let rate = Rate::parse("64KiB/m").unwrap();
        assert_eq!((rate.amount, rate.unit, rate.period), (65_536, Unit::Bytes, Duration::from_secs(60)));
    }

    #[test]
    fn a_rate_that_is_none_says_what_to_write() {
        for (text, said) in [
            ("100", "`100` does not say in how long; did you mean `100/s`?"),
            ("100/sec", "`100/sec` has an unknown time after the `/`; did you mean `100/s`?"),
            ("100/minute", "`100/minute` has an unknown time after the `/`; did you mean `100/m`?"),
            ("100 span/s", "`100 span/s` counts something unknown; did you mean `100 spans/s`?"),
            ("100spans/s", "`100spans/s` lacks a space; write `100 spans/s`"),
            ("1M/s", "`1M` has an unknown unit; did you mean `1MiB`?"),
            ("fast/s", "`fast` is not understood; write it like `256MiB`"),
            ("0/s", "`0/s` is nothing at all; for that write `keep: 0%`"),
        ] {
            assert_eq!(Rate::parse(text), Err(said.to_owned()), "{text}");
        }
    }
}
