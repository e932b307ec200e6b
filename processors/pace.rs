//! How many logs in how long: `100/s`, `20/m`, `5/h`.

use crate::per;
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

impl Pace {
    /// Reads `100/s`; the error says what to write.
    fn parse(text: &str) -> Result<Pace, String> {
        let (amount, per) = per::split(text)?;
        let number = amount.strip_suffix(" logs").unwrap_or(amount);
        let amount = number.parse::<u64>().ok().filter(|_| number.bytes().all(|c| c.is_ascii_digit()));
        let amount = amount.ok_or_else(|| format!("`{text}` is not understood; write it like `100/s`"))?;
        let period = per::period(text, amount, per)?;
        if amount == 0 {
            return Err(format!("`{text}` lets nothing through; `filter` does that"));
        }
        Ok(Pace { amount, period })
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
