//! What a line of a container's log file is made of: that of the Container Runtime Interface, and that of Docker's `json-file`. Pure.

use crate::Time;
use serde::Deserialize;
use std::borrow::Cow;

/// Which of a program's outputs a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Also what has no outputs, such as a file that a program writes itself.
    Stdout,
    /// Where errors go, and what is meant for people.
    Stderr,
}

impl Output {
    /// Both.
    pub const ALL: [Output; 2] = [Output::Stdout, Output::Stderr];

    /// The word of OpenTelemetry's `log.iostream`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Output::Stdout => "stdout",
            Output::Stderr => "stderr",
        }
    }
}

/// A line without what the runtime put around it.
#[derive(Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// What the program said.
    pub text: Cow<'a, str>,
    /// Where it said it.
    pub output: Output,
    /// When the runtime got it; zero where nobody says.
    pub at: Time,
    /// Whether what the program wrote goes on in the next line of this output.
    pub goes_on: bool,
    /// Whether something in it was not UTF-8.
    pub repaired: bool,
}

impl<'a> Said<'a> {
    /// A line as it stands.
    #[must_use]
    pub fn plain(line: &'a [u8]) -> Said<'a> {
        let (text, repaired) = text(line);
        Said { text, output: Output::Stdout, at: Time(0), goes_on: false, repaired }
    }

    /// A line of a container's file, of either form; one of neither is taken as it stands.
    #[must_use]
    pub fn of_container(line: &'a [u8]) -> Said<'a> {
        let read = match line.first() {
            Some(b'{') => docker(line),
            Some(b'0'..=b'9') => cri(line),
            _ => None,
        };
        read.unwrap_or_else(|| Said::plain(line))
    }
}

fn text(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    let text = String::from_utf8_lossy(bytes);
    let repaired = matches!(text, Cow::Owned(_));
    (text, repaired)
}

/// `2016-10-06T00:17:09.669794202Z stdout F text`; `P` where the line goes on.
fn cri(line: &[u8]) -> Option<Said<'_>> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let at = rfc3339(std::str::from_utf8(words.next()?).ok()?)?;
    let output = output(words.next()?)?;
    let tags = words.next()?;
    let goes_on = match tags.split(|byte| *byte == b':').next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    let (text, repaired) = text(words.next().unwrap_or_default());
    Some(Said { text, output, at, goes_on, repaired })
}

fn output(word: &[u8]) -> Option<Output> {
    Output::ALL.into_iter().find(|output| output.word().as_bytes() == word)
}

/// `{"log":"text\n","stream":"stdout","time":"2016-10-06T00:17:09.669794202Z"}`; a text without an end of line goes on.
fn docker(line: &[u8]) -> Option<Said<'_>> {
    #[derive(Deserialize)]
    struct Line {
        log: String,
        stream: String,
        time: String,
    }
    let Line { mut log, stream, time } = serde_json::from_slice(line).ok()?;
    let (at, output) = (rfc3339(&time)?, output(stream.as_bytes())?);
    let goes_on = !log.ends_with('\n');
    if !goes_on {
        log.pop();
    }
    Some(Said { text: Cow::Owned(log), output, at, goes_on, repaired: false })
}

const SECONDS_A_DAY: i64 = 86_400;

/// A time of RFC 3339 with up to nine digits of a second; none for one before 1970 or after what 64 bits hold.
pub(crate) fn rfc3339(text: &str) -> Option<Time> {
    let digits = |range: std::ops::Range<usize>| {
        let part = text.get(range)?;
        part.bytes().all(|c| c.is_ascii_digit()).then(|| part.parse::<i64>().ok())?
    };
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    let marks = [4, 7, 10, 13, 16].map(|at| text.as_bytes().get(at).copied());
    let is_well_formed = marks == [Some(b'-'), Some(b'-'), Some(b'T'), Some(b':'), Some(b':')];
    let is_in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    if !is_well_formed || !is_in_range {
        return None;
    }
    let rest = text.get(19..)?;
    let fraction = rest.strip_prefix('.').map_or("", |rest| &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]);
    let zone = &rest[if fraction.is_empty() { 0 } else { fraction.len() + 1 }..];
    let nanos = format!("{fraction:0<9}").get(..9)?.parse::<i64>().ok()?;
    let seconds = days_from_epoch(year, month, day) * SECONDS_A_DAY + hour * 3_600 + minute * 60 + second - offset(zone)?;
    let nanos = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    u64::try_from(nanos).ok().map(Time)
}

/// Seconds by which a zone is ahead of UTC: `Z`, `+09:00`.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str| text.parse::<u8>().ok().filter(|_| text.len() == 2).map(i64::from);
    Some(sign * (number(hours)? * 3_600 + number(minutes)? * 60))
}

/// The proleptic Gregorian calendar, counted in eras of 400 years that begin in March.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_of_the_runtime_interface_is_taken_apart() {
        let said = Said::of_container(b"2016-10-06T00:17:09.669794202Z stderr P half of  a line ");
        assert_eq!((said.text.as_ref(), said.output, said.goes_on), ("half of  a line ", Output::Stderr, true));
        assert_eq!(said.at, Time(1_475_713_029_669_794_202));
        assert_eq!(Said::of_container(b"2016-10-06T00:17:09Z stdout F").text, "");
        assert!(!Said::of_container(b"2016-10-06T00:17:09Z stdout F:x:y z").goes_on);
    }

    #[test]
    fn a_line_of_docker_is_taken_apart() {
        let said = Said::of_container(br#"{"log":"a \"b\"\n","stream":"stdout","time":"2016-10-06T00:17:09.1Z","attrs":{"x":"y"}}"#);
        assert_eq!((said.text.as_ref(), said.output, said.goes_on), ("a \"b\"", Output::Stdout, false));
        assert_eq!(said.at, Time(1_475_713_029_100_000_000));
        assert!(Said::of_container(br#"{"log":"half","stream":"stderr","time":"2016-10-06T00:17:09.1Z"}"#).goes_on);
    }

    #[test]
    fn a_line_of_neither_form_is_taken_as_it_stands() {
        for line in ["", "plain", "{\"msg\":1}", "2016-10-06T00:17:09Z stdout X text", "2016-13-06T00:17:09Z stdout F text", "7 stdout F x"]
        {
            assert_eq!(Said::of_container(line.as_bytes()), Said::plain(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn what_is_not_utf_8_is_repaired_and_told() {
        let said = Said::of_container(b"2016-10-06T00:17:09Z stdout F a\xffb\0");
        assert_eq!((said.text.as_ref(), said.repaired), ("a\u{fffd}b\0", true));
    }

    #[test]
    fn times_of_other_zones_and_leap_years_are_right() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2024-05-01T09:00:00+09:00", 1_714_521_600),
            ("2024-04-30T20:30:00-03:30", 1_714_521_600),
        ] {
            assert_eq!(rfc3339(text), Some(Time(seconds * 1_000_000_000)), "{text}");
        }
        for text in
            ["1969-12-31T23:59:59Z", "2024-05-01 09:00:00Z", "2024-05-01T09:00:00", "2024-05-01T09:00:00+9", "", "é024-05-01T09:00:00Z"]
        {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.Z+-]{0,24} (stdout|stderr) [PF:]{1,3} .{0,9}".prop_map(String::into_bytes),
            r#"\{"log":".{0,9}","stream":"std(out|err)","time":"[0-9TZ:.-]{0,30}"\}"#.prop_map(String::into_bytes),
        ]) {
            let _said = Said::of_container(&line);
        }
    }
}
