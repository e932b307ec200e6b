//! A message of syslog: RFC 5424, or what RFC 3164 found in use.

use super::{any_value, attribute, rfc3339, word};
use crate::{Time, Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};

/// The words of RFC 5424 for its levels, and OpenTelemetry's numbers for them.
const LEVELS: [(&str, SeverityNumber); 8] = [
    ("emerg", SeverityNumber::Fatal),
    ("alert", SeverityNumber::Error3),
    ("crit", SeverityNumber::Error2),
    ("err", SeverityNumber::Error),
    ("warning", SeverityNumber::Warn),
    ("notice", SeverityNumber::Info2),
    ("info", SeverityNumber::Info),
    ("debug", SeverityNumber::Debug),
];
const PRIORITY_MAX: u8 = 191;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// A date without a year, as in `Oct  1 22:14:15`.
const DATE_BYTES: usize = 15;

/// What a message says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said<'a> {
    pub(super) priority: u8,
    /// Zero where it says none that can be known: a date without a year and a zone is nobody's.
    pub(super) at: Time,
    pub(super) host: Option<&'a str>,
    pub(super) program: Option<&'a str>,
    pub(super) process: Option<&'a str>,
    pub(super) kind: Option<&'a str>,
    /// `ID.key` and the value.
    pub(super) data: Vec<(String, String)>,
    pub(super) text: &'a str,
}

/// None where it is no syslog.
pub(super) fn of(message: &str) -> Option<Said<'_>> {
    let (priority, rest) = message.strip_prefix('<')?.split_once('>')?;
    let priority = priority.parse::<u8>().ok().filter(|number| *number <= PRIORITY_MAX && !priority.starts_with('+'))?;
    let said = rest.strip_prefix("1 ").and_then(new).unwrap_or_else(|| old(rest));
    Some(Said { priority, ..said })
}

/// RFC 5424 behind the version.
fn new(rest: &str) -> Option<Said<'_>> {
    let mut words = rest.splitn(6, ' ');
    let mut next = || words.next();
    let (time, host, program, process, kind, rest) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let at = if time == "-" { Time(0) } else { rfc3339(time)? };
    let (data, text) = structured(rest)?;
    let some = |text| word(text).and(Some(text));
    let text = text.trim_start_matches(' ').trim_start_matches('\u{feff}');
    Some(Said { priority: 0, at, host: some(host), program: some(program), process: some(process), kind: some(kind), data, text })
}

/// Structured data, and what comes behind it.
fn structured(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut data = Vec::new();
    if let Some(rest) = text.strip_prefix('-') {
        return Some((data, rest));
    }
    let mut rest = text;
    while let Some(element) = rest.strip_prefix('[') {
        let end = element.find([' ', ']'])?;
        let (id, mut params) = element.split_at(end);
        loop {
            params = params.trim_start_matches(' ');
            if let Some(after) = params.strip_prefix(']') {
                rest = after;
                break;
            }
            let (name, quoted) = params.split_once("=\"")?;
            let (value, after) = unquoted(quoted)?;
            data.push((format!("{id}.{name}"), value));
            params = after;
        }
    }
    (!data.is_empty() || rest.len() < text.len()).then_some((data, rest))
}

/// Up to the quote that ends it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                if !matches!(c, '"' | '\\' | ']') {
                    value.push('\\');
                }
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Some((value, text.get(at + 1..)?)),
            c => value.push(c),
        }
    }
    None
}

/// RFC 3164: whatever of date, host and tag is there.
fn old(rest: &str) -> Said<'_> {
    let mut said = Said { text: rest, ..Said::default() };
    let is_date = |date: &str| date.get(..3).is_some_and(|month| MONTHS.contains(&month)) && date.as_bytes().get(6) == Some(&b' ');
    let after_date = match rest.split_at_checked(DATE_BYTES) {
        Some((date, after)) if is_date(date) => after.strip_prefix(' '),
        _ => rest.split_once(' ').and_then(|(first, after)| {
            said.at = rfc3339(first)?;
            Some(after)
        }),
    };
    let Some(after) = after_date else { return said };
    let Some((host, message)) = after.split_once(' ') else { return said };
    (said.host, said.text) = (word(host).and(Some(host)), message);
    let tag_end = message.find(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.' | '/'));
    let Some((program, rest)) = tag_end.filter(|end| *end > 0).and_then(|end| message.split_at_checked(end)) else { return said };
    let (process, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((process, rest)) => (Some(process), rest),
        None => (None, rest),
    };
    if let Some(text) = rest.strip_prefix(':') {
        (said.program, said.process, said.text) = (Some(program), process, text.trim_start_matches(' '));
    }
    said
}

impl Said<'_> {
    /// The attributes of its resource, and the record.
    pub(super) fn into_record(self, read: Time) -> (Vec<(String, Value)>, LogRecord) {
        let resource = [("host.name", self.host), ("service.name", self.program)];
        let resource = resource.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?)))).collect();
        let (facility, level) = (self.priority / 8, usize::from(self.priority % 8));
        let (severity_text, severity_number) = LEVELS[level];
        let mut attributes = vec![attribute("syslog.facility.code", Value::Int(i64::from(facility)))];
        if let Some(process) = self.process {
            let number = process.parse::<i64>();
            attributes.push(attribute("process.pid", number.map_or_else(|_| Value::from(process), Value::Int)));
        }
        attributes.extend(self.kind.map(|kind| attribute("syslog.msg.id", kind)));
        attributes.extend(self.data.into_iter().map(|(key, value)| attribute(format!("syslog.structured_data.{key}"), Value::Text(value))));
        let record = LogRecord {
            time_unix_nano: self.at.0,
            observed_time_unix_nano: read.0,
            severity_number: severity_number as i32,
            severity_text: severity_text.to_owned(),
            body: Some(any_value(self.text.into())),
            attributes,
            ..LogRecord::default()
        };
        (resource, record)
    }
}
