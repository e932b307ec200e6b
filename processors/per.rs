//! The time in `100/s`, `20/m` and `5/h`, which rates and limits have in common.

use std::{fmt::Display, time::Duration};

/// The word, its seconds, and what else is written for it.
const PERIODS: [(&str, u64, &[&str]); 3] =
    [("s", 1, &["sec", "second", "1s", "S"]), ("m", 60, &["min", "minute", "1m", "M"]), ("h", 3_600, &["hour", "hr", "1h", "H"])];

/// What stands before and behind the `/`; the error says what to write.
pub(crate) fn split(text: &str) -> Result<(&str, &str), String> {
    text.split_once('/').ok_or_else(|| {
        let meant = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) { text } else { "100" };
        format!("`{text}` does not say in how long; did you mean `{meant}/s`?")
    })
}

/// The period whose word is `per` in `text`; the error says what to write for this amount.
pub(crate) fn period(text: &str, amount: impl Display, per: &str) -> Result<Duration, String> {
    let known = PERIODS.iter().find(|(word, ..)| *word == per);
    known.map(|(_, seconds, _)| Duration::from_secs(*seconds)).ok_or_else(|| {
        let meant = PERIODS.iter().find(|(.., words)| words.contains(&per)).map_or("s", |(word, ..)| word);
        format!("`{text}` has an unknown time after the `/`; did you mean `{amount}/{meant}`?")
    })
}

/// The word of a period that was read here.
pub(crate) fn word(period: Duration) -> &'static str {
    PERIODS.iter().find(|(_, seconds, _)| *seconds == period.as_secs()).map_or("s", |(word, ..)| word)
}
