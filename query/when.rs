//! A time as people and JSON see it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Nanoseconds since 1970; in JSON and in tables RFC 3339 in UTC with nine digits of a second, since JSON numbers cannot hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct When(pub u64);

const SECOND: u64 = 1_000_000_000;

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / SECOND, self.0 % SECOND);
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }
}

impl When {
    /// So many milliseconds later, in nanoseconds; a float would not hold the sum.
    pub(crate) fn plus_ms(self, ms: f64) -> u64 {
        self.0.saturating_add((ms.max(0.0) * 1e6).round() as u64)
    }

    /// Reads RFC 3339 in UTC (`2026-11-21T10:00:00Z`, any digits of a second up to nine).
    #[must_use]
    pub fn read(text: &str) -> Option<When> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let [year, month, day] = numbers::<3>(date, '-')?;
        let [hour, minute, second] = numbers::<3>(clock, ':')?;
        if !(1970..=2600).contains(&year)
            || !(1..=12).contains(&month)
            || !(1..=31).contains(&day)
            || hour > 23
            || minute > 59
            || second > 60
        {
            return None;
        }
        if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let nanos = format!("{fraction:0<9}").parse::<u64>().ok()?;
        let seconds = days(year, month, day)?.checked_mul(86_400)?.checked_add(hour * 3_600 + minute * 60 + second)?;
        seconds.checked_mul(SECOND)?.checked_add(nanos).map(When)
    }
}

fn numbers<const N: usize>(text: &str, between: char) -> Option<[u64; N]> {
    let parts: Vec<u64> = text.split(between).map(str::parse).collect::<Result<_, _>>().ok()?;
    parts.try_into().ok()
}

/// Days since 1970 to year, month, day, by eras of 400 years that start in March (Howard Hinnant, chrono-compatible date algorithms).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (year + era * 400 + u64::from(month <= 2), month, day)
}

fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<When, D::Error> {
        let text = String::deserialize(from)?;
        When::read(&text).ok_or_else(|| serde::de::Error::custom("a time is RFC 3339 in UTC, such as 2026-11-21T10:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_868_799_000_000_001, "2000-02-29T23:59:59.000000001Z"),
            (1_795_255_200_120_000_000, "2026-11-21T10:00:00.120000000Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!(When(nanos).to_string(), text);
            assert_eq!(When::read(text), Some(When(nanos)));
        }
        assert_eq!(When::read("2026-11-21T10:00:00Z"), Some(When(1_795_255_200_000_000_000)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Z",
            "2026-11-21",
            "2026-13-21T10:00:00Z",
            "2026-11-21T10:00Z",
            "2026-11-21T10:00:00.1234567890Z",
            "9999-01-01T00:00:00Z",
            "2026-11-21T10:00:00.Z",
        ] {
            assert_eq!(When::read(text), None, "{text}");
        }
    }
}
