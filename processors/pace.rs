//! How many logs in how long: `100/s`, `20/m`, `5/h`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use std::{borrow::Cow, time::Duration};

/// A number of logs in a second, a minute or an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    amount: u64,
    /// In which so many may come, all at once too.
    pub(crate) period: Duration,
}

const PERIODS: [(&str, u64, &[&str]); 3] =
    [("s", 1, &["sec", "second", "1s", "S"]), ("m", 60, &["min", "minute", "1m", "M"]), ("h", 3_600, &["hour", "hr", "1h", "H"])];

impl Pace {
    /// Reads `100/s`; the error says what to write.
    fn parse(text: &str) -> Result<Pace, String> {
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
        let Some((amount, per)) = text.split_once('/') else {
            let meant = if is_number(text) { text } else { "100" };
            return Err(format!("`{text}` does not say in how long; did you mean `{meant}/s`?"));
        };
        let number = amount.strip_suffix(" logs").unwrap_or(amount);
        let amount = number.parse::<u64>().ok().filter(|_| is_number(number));
        let amount = amount.ok_or_else(|| format!("`{text}` is not understood; write it like `100/s`"))?;
        let Some((_, seconds, _)) = PERIODS.iter().find(|(word, ..)| *word == per) else {
            let meant = PERIODS.iter().find(|(.., words)| words.contains(&per)).map_or("s", |(word, ..)| word);
            return Err(format!("`{text}` has an unknown time after the `/`; did you mean `{amount}/{meant}`?"));
        };
        if amount == 0 {
            return Err(format!("`{text}` lets nothing through; `filter` does that"));
        }
        Ok(Pace { amount, period: Duration::from_secs(*seconds) })
    }

    /// What one takes of the period.
    pub(crate) fn each(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.period.as_nanos()).unwrap_or(u64::MAX) / self.amount)
    }
}

impl<'de> Deserialize<'de> for Pace {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Pace::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for Pace {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Pace".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+( logs)?/[smh]$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_read_or_says_what_to_write() {
        for (text, nanos) in [("100/s", 10_000_000), ("20/m", 3_000_000_000), ("5 logs/h", 720_000_000_000)] {
            assert_eq!(Pace::parse(text).unwrap().each(), Duration::from_nanos(nanos), "{text}");
        }
        for (text, said) in [
            ("100", "`100` does not say in how long; did you mean `100/s`?"),
            ("fast", "`fast` does not say in how long; did you mean `100/s`?"),
            ("fast/s", "`fast/s` is not understood; write it like `100/s`"),
            ("+1/s", "`+1/s` is not understood; write it like `100/s`"),
            ("100/minute", "`100/minute` has an unknown time after the `/`; did you mean `100/m`?"),
            ("0/s", "`0/s` lets nothing through; `filter` does that"),
        ] {
            assert_eq!(Pace::parse(text), Err(said.to_owned()), "{text}");
        }
    }
}
