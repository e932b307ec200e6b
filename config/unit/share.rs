//! Shares of a whole.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt};

/// A share between 0 and 1, written `10%` or `0.5%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl Share {
    /// Reads `10%`; the error says what to write.
    pub fn parse(text: &str) -> Result<Share, String> {
        let number = text.strip_suffix('%').unwrap_or(text);
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let value = match number.parse::<f64>() {
            Ok(value) if digits(number.strip_prefix('-').unwrap_or(number)) => value,
            _ => return Err(format!("`{text}` is not understood; write it like `10%`")),
        };
        if number.len() == text.len() {
            let percent = if value > 0.0 && value < 1.0 { (value * 1e8).round() / 1e6 } else { value };
            return Err(format!("`{text}` needs a unit; did you mean `{percent}%`?"));
        }
        match value {
            v if v < 0.0 => Err(format!("`{text}` is below zero")),
            v if v > 100.0 => Err(format!("`{text}` is more than `100%`")),
            v => Ok(Share(v / 100.0)),
        }
    }
}

impl fmt::Display for Share {
    /// In percent: `10%`, `0.5%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Share::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl JsonSchema for Share {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_or_says_what_to_write() {
        assert_eq!(Share::parse("10%"), Ok(Share(0.1)));
        assert_eq!(Share::parse("0.5%"), Ok(Share(0.005)));
        for (text, error) in [
            ("10", "`10` needs a unit; did you mean `10%`?"),
            ("0.1", "`0.1` needs a unit; did you mean `10%`?"),
            ("101%", "`101%` is more than `100%`"),
            ("-1%", "`-1%` is below zero"),
            ("1e9%", "`1e9%` is not understood; write it like `10%`"),
            ("inf%", "`inf%` is not understood; write it like `10%`"),
        ] {
            assert_eq!(Share::parse(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_share_is_shown_as_it_would_be_written() {
        assert_eq!(Share(0.005).to_string(), "0.5%");
        assert_eq!(Share(0.1).to_string(), "10%");
    }
}
