//! Ids in a text. Most lines have none, and are left after two quick looks for what no form can be without: `race`, which is in nearly every key of a
//! trace, and hex digits in a row, around which all other forms are read. A line of either is read by its keys first, JSON or not.

use super::{
    Form, Found, MAPS_DEEP_MAX, Place,
    key::{Ids, Path, Scalar, may_name_an_id},
    runs::Runs,
    shape,
};
use crate::{
    TraceId,
    codec::json::reader::{Bracket, Reader},
};
use memchr::{memchr, memchr2_iter, memmem, memrchr};
use std::ops::Range;

/// What is read of a text: an id further behind belongs to what the text quotes.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// The longest key with its prefixes.
const KEY_BYTES_MAX: usize = 48;
/// The longest value: X-Ray's header with lineage.
const VALUE_BYTES_MAX: usize = 256;
/// The longest `[application,trace,span]`, and the most that stands before a trace in other forms.
const AROUND_BYTES_MAX: usize = 160;
/// Digits of a span id, and of half a trace id.
const DIGITS_MIN: usize = 16;

pub(super) fn find(text: &str) -> Option<Found> {
    let text = head(text);
    let by_key = || json(text).or_else(|| keyed(text).found(Place::Text));
    let has_race = has_race(text);
    if let Some(found) = has_race.then(by_key).flatten() {
        return Some(found);
    }
    let (mut around, mut has_key) = (None, false);
    for run in Runs::of(text, DIGITS_MIN) {
        has_key |= !has_race && follows_a_key(text, run.start);
        around = around.or_else(|| around_digits(text, run));
    }
    has_key.then(by_key).flatten().or(around)
}

/// The first 32 hex digits that stand alone.
pub(super) fn candidate(text: &str) -> Option<TraceId> {
    let text = head(text);
    let is_alone = |at: Option<&u8>| !at.is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'_');
    Runs::of(text, 32).find_map(|run| {
        let (before, after) = (run.start.checked_sub(1).and_then(|at| text.as_bytes().get(at)), text.as_bytes().get(run.end));
        TraceId::of_hex(text.get(run)?).filter(|_| is_alone(before) && is_alone(after))
    })
}

fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// Whether `race` is in it, in any case.
fn has_race(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr2_iter(b'c', b'C', bytes).any(|at| {
        let word = at.checked_sub(2).and_then(|start| bytes.get(start..start + 4));
        word.is_some_and(|word| word.eq_ignore_ascii_case(b"race"))
    })
}

/// Whether a key without `race` in it stands before a value: `b3`, `operation_Id`.
fn follows_a_key(text: &str, value: usize) -> bool {
    let before = text[..value].trim_end_matches(QUOTES).trim_end_matches([' ', '>']);
    let key = before.strip_suffix(['=', ':']).map(|before| before.trim_end_matches(' ').trim_end_matches(QUOTES));
    key.is_some_and(may_name_an_id)
}

/// The forms that need no key: what stands around hex digits says what they are.
fn around_digits(text: &str, run: Range<usize>) -> Option<Found> {
    let (before, digits) = (&text[..run.start], run.len());
    let found = |form, ids: Option<shape::Ids>| ids.map(|(trace, span)| Found { trace, span, form, place: Place::Text });
    match (before.as_bytes().last()?, digits) {
        // Of version 00 alone: `cc-<32>-…` without a name could be anything.
        (b'-', 32) => found(Form::Traceparent, word(text, before, "00-").and_then(shape::traceparent)),
        (b'-', 24) => found(Form::XRay, word(text, before, "Root=1-").and_then(shape::xray)),
        (b'/', 32) => found(Form::Google, word(text, before, "projects/").and_then(shape::google)),
        (b'|', 32) => found(Form::NewRelic, word_start(before, "NR-LINKING|").and_then(|start| shape::new_relic(&text[start..]))),
        (b'[', 32) => found(Form::Brackets, bracketed(text, run.start).and_then(shape::brackets)),
        (b',' | b' ', 16 | 32) if before.trim_end_matches(' ').ends_with(',') => {
            let near = &before.as_bytes()[run.start.saturating_sub(AROUND_BYTES_MAX)..];
            let start = run.start - near.len() + memrchr(b'[', near)? + 1;
            found(Form::Spring, bracketed(text, start).and_then(shape::spring))
        }
        _ => None,
    }
}

/// Where the last word that starts with this begins, if that is near the end.
fn word_start(before: &str, start: &str) -> Option<usize> {
    let near = &before.as_bytes()[before.len().saturating_sub(AROUND_BYTES_MAX)..];
    let at = before.len() - near.len() + memmem::rfind(near, start.as_bytes())?;
    before.as_bytes()[..at].last().is_none_or(|c| !is_in_key(*c)).then_some(at)
}

/// The word that starts so and that `before` ends in, up to what cannot be in an id.
fn word<'a>(text: &'a str, before: &str, start: &str) -> Option<&'a str> {
    let at = word_start(before, start)?;
    let is_in_word = |c: u8| is_in_key(c) || matches!(c, b'=' | b';' | b'/' | b':');
    let length = text.as_bytes()[at..].iter().take(VALUE_BYTES_MAX).take_while(|c| is_in_word(**c)).count();
    text.get(at..at + length).map(|word| word.trim_end_matches(['.', ';', ':', '/', '=']))
}

/// What stands from here to the next `]`.
fn bracketed(text: &str, start: usize) -> Option<&str> {
    let near = &text.as_bytes()[start..text.len().min(start + AROUND_BYTES_MAX)];
    text.get(start..start + memchr(b']', near)?)
}

/// A JSON object's keys. What was read before the text turns out to be broken counts.
fn json(text: &str) -> Option<Found> {
    let mut reader = Reader::new(text);
    if reader.peek() != Some(b'{') {
        return None;
    }
    let mut ids = Ids::default();
    // An error ends the reading and nothing else: a long line may have been cut.
    let _: Option<()> = take_object(&mut reader, &mut ids, Path::ROOT, 0);
    ids.found(Place::Body)
}

/// None where there is nothing more to learn: the text is broken, or the ids are complete.
fn take_object(reader: &mut Reader<'_>, ids: &mut Ids, path: Path, deep: usize) -> Option<()> {
    reader.open(Bracket::Object).ok()?;
    let mut first = true;
    while reader.next(Bracket::Object, &mut first).ok()? {
        let key = reader.raw_key().ok()?;
        let path = |wanted: bool| Some(path).filter(|_| wanted).and_then(|path| path.join(key));
        match reader.peek()? {
            b'{' => match path(deep < MAPS_DEEP_MAX) {
                Some(path) => take_object(reader, ids, path, deep + 1)?,
                None => reader.skip().ok()?,
            },
            b'"' => {
                let value = reader.raw_string().ok()?;
                path(may_name_an_id(key)).into_iter().for_each(|path| ids.take(&path, Scalar::Text(value)));
            }
            b'0'..=b'9' => {
                let number = reader.number().ok()?;
                if let (Some(path), Ok(number)) = (path(may_name_an_id(key)), number.parse()) {
                    ids.take(&path, Scalar::Number(number));
                }
            }
            _ => reader.skip().ok()?,
        }
        if ids.are_complete() {
            return None;
        }
    }
    Some(())
}

/// `trace_id=… span_id=…`, `"traceId": "…"`, `Trace ID: …`, `dd.trace_id=…`, `x-b3-traceid: …`, `traceparent=…`: whatever stands on both sides of a `=` or `:`.
fn keyed(text: &str) -> Ids {
    let mut ids = Ids::default();
    for at in memchr2_iter(b'=', b':', text.as_bytes()) {
        let before = text[..at].trim_end_matches(' ').trim_end_matches(QUOTES);
        if !may_name_an_id(before) {
            continue;
        }
        let (before, key) = last_word(before);
        // `Trace ID: …` is one key in two words.
        let named = if key.eq_ignore_ascii_case("id") { last_word(before.trim_end_matches(' ')).1 } else { "" };
        let Some(path) = Path::ROOT.join(named).and_then(|path| path.join(key)) else { continue };
        let value = value(&text[at + 1..]);
        ids.take(&path, Scalar::Text(value));
        // A header's value holds semicolons; behind an id one ends it.
        if let Some((value, _)) = value.split_once(';') {
            ids.take(&path, Scalar::Text(value));
        }
        if ids.are_complete() {
            break;
        }
    }
    ids
}

/// The key that ends here, and what stands before it.
fn last_word(text: &str) -> (&str, &str) {
    let length = text.bytes().rev().take(KEY_BYTES_MAX).take_while(|c| is_in_key(*c)).count();
    text.split_at(text.len() - length)
}

const QUOTES: [char; 4] = ['"', '\'', '\\', '`'];

fn is_in_key(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-')
}

/// The value that begins here, with or without quotes.
fn value(rest: &str) -> &str {
    let rest = rest.trim_start_matches('>').trim_start_matches(' ').trim_start_matches(QUOTES);
    let is_end =
        |c: &u8| c.is_ascii_whitespace() || matches!(c, b'"' | b'\'' | b'\\' | b'`' | b',' | b')' | b']' | b'}' | b'|' | b'&' | b'<');
    let length = rest.as_bytes().iter().take(VALUE_BYTES_MAX).position(is_end).unwrap_or(rest.len().min(VALUE_BYTES_MAX));
    rest.get(..length).unwrap_or_default().trim_end_matches(['.', ';', ':'])
}
