//! Quantities with their unit. A bare number where a unit belongs is a fault that suggests one.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt, time::Duration};

/// A length of time: `500ms`, `10s`, `5m`, `2h`, `7d`, `1w`, also combined (`1h30m`). At most 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A number of bytes: `512B`, `64KiB`, `256MiB`, `4GiB`, and the decimal `kB`, `MB`, `GB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A share between 0 and 1, written `10%` or `0.5%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(pub f64);

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

/// What people write for a unit, and what it is here.
const MEANT: &[(&str, &str)] = &[
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("S", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("H", "h"),
    ("day", "d"),
    ("days", "d"),
    ("D", "d"),
    ("week", "w"),
    ("weeks", "w"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("milliseconds", "ms"),
    ("µs", "us"),
    ("micros", "us"),
    ("nanos", "ns"),
    ("b", "B"),
    ("bytes", "B"),
    ("k", "KiB"),
    ("K", "KiB"),
    ("Ki", "KiB"),
    ("KB", "kB"),
    ("kb", "kB"),
    ("kib", "KiB"),
    ("m", "MiB"),
    ("M", "MiB"),
    ("Mi", "MiB"),
    ("mb", "MB"),
    ("Mb", "MB"),
    ("mib", "MiB"),
    ("g", "GiB"),
    ("G", "GiB"),
    ("Gi", "GiB"),
    ("gb", "GB"),
    ("Gb", "GB"),
    ("gib", "GiB"),
    ("t", "TiB"),
    ("T", "TiB"),
    ("Ti", "TiB"),
    ("tb", "TB"),
    ("tib", "TiB"),
];

/// One number with its unit at the start of `text`: the digits, the fraction, the unit's word, and what follows.
fn piece(text: &str) -> Option<(&str, &str, &str, &str)> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(digits_end);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(tail) => tail.split_at(tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len())),
        None => ("", rest),
    };
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    (!digits.is_empty()).then_some((digits, fraction, unit, rest))
}

/// Exactly `digits.fraction` times `scale`, rounded down, or none if it does not fit.
fn scaled(digits: &str, fraction: &str, scale: u128) -> Option<u128> {
    let whole = digits.parse::<u64>().ok()?;
    let fraction = fraction.get(..fraction.len().min(12))?;
    let parts = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let of = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    u128::from(whole).checked_mul(scale)?.checked_add(parts.checked_mul(scale)? / of)
}

/// The sum of all pieces of `text`, in the smallest unit.
fn quantity(text: &str, units: &[(&str, u128)], suggest: fn(&str) -> String, example: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not understood; write it like `{example}`");
    if text.strip_prefix('-').is_some_and(|t| t.starts_with(|c: char| c.is_ascii_digit())) {
        return Err(format!("`{text}` is below zero"));
    }
    let (mut rest, mut sum) = (text, 0u128);
    while !rest.is_empty() || rest.len() == text.len() {
        let (digits, fraction, unit, tail) = piece(rest).ok_or_else(wrong)?;
        if unit.is_empty() {
            return Err(format!("`{text}` needs a unit; did you mean `{}`?", suggest(text)));
        }
        let Some((_, scale)) = units.iter().find(|(u, _)| *u == unit) else {
            let word = unit.trim();
            let known = |w: &str| units.iter().any(|(u, _)| *u == w);
            let meant = if known(word) { Some(word) } else { MEANT.iter().find(|(m, u)| *m == word && known(u)).map(|(_, u)| *u) };
            return Err(match meant {
                Some(meant) => format!("`{text}` has an unknown unit; did you mean `{}`?", text.replacen(unit, meant, 1)),
                None => wrong(),
            });
        };
        let too_much = || format!("`{text}` is too much");
        sum = scaled(digits, fraction, *scale).and_then(|n| sum.checked_add(n)).ok_or_else(too_much)?;
        rest = tail;
    }
    u64::try_from(sum).map_err(|_| format!("`{text}` is too much"))
}

impl Period {
    /// Reads `5s`; the error says what to write.
    pub fn parse(text: &str) -> Result<Period, String> {
        quantity(text, TIMES, |bare| format!("{bare}s"), "10s").map(|ns| Period(Duration::from_nanos(ns)))
    }
}

impl Bytes {
    /// Reads `4GiB`; the error says what to write.
    pub fn parse(text: &str) -> Result<Bytes, String> {
        // Who writes a small bare number thinks of megabytes; a large one can only be bytes.
        quantity(text, SIZES, |bare| format!("{bare}{}", if bare.len() <= 5 { "MiB" } else { "B" }), "256MiB").map(Bytes)
    }
}

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

impl fmt::Display for Share {
    /// In percent: `10%`, `0.5%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Period::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Bytes::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Share::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for Share {
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
    use super::{Bytes, Period, Share};
    use std::time::Duration;

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
    fn a_quantity_is_shown_as_it_would_be_written() {
        for text in ["0s", "500ms", "1s500ms", "1h30m", "7d", "1d12h"] {
            assert_eq!(Period::parse(text).unwrap().to_string(), text);
        }
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (1 << 20, "1MiB"), (1_572_864, "1.5MiB"), (4 << 30, "4GiB")] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
        assert_eq!(Share(0.005).to_string(), "0.5%");
        assert_eq!(Share(0.1).to_string(), "10%");
    }
}
