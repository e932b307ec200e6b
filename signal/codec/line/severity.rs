//! How bad a line is: by its level key if it is JSON, else by the words it starts with. Numbers are those of OpenTelemetry's log data model.

use crate::Value;
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

/// Keys that hold the level, in lower case.
const KEYS: &[&str] = &["level", "severity", "lvl", "levelname", "loglevel", "log.level", "log_level", "severity_text"];
/// How far into a line its level is looked for: behind a date, a process, a thread and a logger.
const HEAD_BYTES_MAX: usize = 160;
const WORDS_MAX: usize = 10;

/// A level, and the word that said it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Severity {
    pub(super) number: SeverityNumber,
    pub(super) text: String,
}

pub(super) fn of(line: &str, body: &Value) -> Severity {
    let said = match body {
        Value::Map(map) => {
            map.iter().filter(|(key, _)| KEYS.contains(&key.to_ascii_lowercase().as_str())).find_map(|(_, value)| of_level(value))
        }
        _ => of_head(&line[..line.floor_char_boundary(HEAD_BYTES_MAX)]),
    };
    said.unwrap_or(Severity { number: SeverityNumber::Unspecified, text: String::new() })
}

/// A level key's value: a word, or a number of bunyan's and pino's.
fn of_level(value: &Value) -> Option<Severity> {
    match value {
        Value::Text(word) => of_word(word).map(|number| Severity { number, text: word.clone() }),
        Value::Int(level) => {
            let number = match level {
                10..20 => SeverityNumber::Trace,
                20..30 => SeverityNumber::Debug,
                30..40 => SeverityNumber::Info,
                40..50 => SeverityNumber::Warn,
                50..60 => SeverityNumber::Error,
                60..70 => SeverityNumber::Fatal,
                _ => return None,
            };
            Some(Severity { number, text: level.to_string() })
        }
        _ => None,
    }
}

fn of_word(word: &str) -> Option<SeverityNumber> {
    Some(match word.to_ascii_lowercase().as_str() {
        "trace" | "trc" | "verbose" | "finest" => SeverityNumber::Trace,
        "debug" | "dbg" | "fine" => SeverityNumber::Debug,
        "info" | "inf" | "information" | "informational" => SeverityNumber::Info,
        "notice" => SeverityNumber::Info2,
        "warn" | "wrn" | "warning" => SeverityNumber::Warn,
        "error" | "err" | "severe" => SeverityNumber::Error,
        "fatal" | "ftl" | "critical" | "crit" | "alert" | "emerg" | "emergency" | "panic" => SeverityNumber::Fatal,
        _ => return None,
    })
}

fn of_head(head: &str) -> Option<Severity> {
    of_klog(head).or_else(|| of_leading_words(head)).or_else(|| of_failure(head))
}

/// Kubernetes' own format: `E0501 12:00:00.000000`.
fn of_klog(head: &str) -> Option<Severity> {
    let (level, rest) = head.split_at_checked(1)?;
    let number = match level {
        "I" => SeverityNumber::Info,
        "W" => SeverityNumber::Warn,
        "E" => SeverityNumber::Error,
        "F" => SeverityNumber::Fatal,
        _ => return None,
    };
    let is_date = rest.len() > 4 && rest.bytes().take(4).all(|c| c.is_ascii_digit()) && rest.as_bytes()[4] == b' ';
    is_date.then(|| Severity { number, text: level.to_owned() })
}

/// The first level among the leading words: in capitals, or marked as one (`[error]`, `error:`, `level=error`).
fn of_leading_words(head: &str) -> Option<Severity> {
    let mut words = 0;
    let mut rest = head;
    while words < WORDS_MAX {
        let start = rest.find(|c: char| c.is_alphanumeric())?;
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c: char| !c.is_alphanumeric()).unwrap_or(from.len()));
        let is_marked =
            after.starts_with([':', ']', '>', '|']) || (before.ends_with('=') && ends_in_level_key(head, after.len() + word.len() + 1));
        let is_level = is_marked || word.bytes().all(|c| c.is_ascii_uppercase());
        if let Some(number) = of_word(word).filter(|_| is_level) {
            return Some(Severity { number, text: word.to_owned() });
        }
        words += usize::from(word.bytes().any(|c| c.is_ascii_alphabetic()));
        rest = after;
    }
    None
}

/// Whether what stands before the last `from_end` bytes of the head is a level key.
fn ends_in_level_key(head: &str, from_end: usize) -> bool {
    let before = head.get(..head.len().saturating_sub(from_end)).unwrap_or_default().to_ascii_lowercase();
    KEYS.iter().any(|key| before.ends_with(key))
}

/// An error that nobody caught: no level, but an exception's name or a runtime's last words.
fn of_failure(head: &str) -> Option<Severity> {
    let is_last_words = ["Traceback (most recent call last)", "Exception in thread", "Unhandled exception", "Uncaught "]
        .iter()
        .any(|start| head.starts_with(start));
    let name = head.split([':', ' ', '\n']).next().unwrap_or_default();
    let is_failure = is_last_words || ((name.ends_with("Error") || name.ends_with("Exception")) && !name.starts_with(['[', '(']));
    is_failure.then(|| Severity { number: SeverityNumber::Error, text: String::new() })
}
