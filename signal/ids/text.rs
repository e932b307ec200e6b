//! Ids in a text. Each form is found by a string that cannot be missing from it (memchr's substring search), then read at that place by its shape.

use super::{
    MAPS_DEEP_MAX,
    key::{Ids, Path, Scalar},
    shape,
};
use crate::codec::json::reader::{Bracket, Reader};
use memchr::{memchr, memchr_iter, memmem};

/// What is read of a text: an id further behind belongs to what the text quotes.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// The longest key with its prefixes.
const KEY_BYTES_MAX: usize = 48;
/// The longest value: X-Ray's header with lineage.
const VALUE_BYTES_MAX: usize = 256;
/// The longest `[application,trace,span]`.
const BRACKET_BYTES_MAX: usize = 160;

/// The forms, in the order in which they are believed.
const FORMS: &[fn(&str) -> Option<shape::Ids>] = &[json, keyed, traceparent, xray, bracketed, google];

pub(super) fn find(text: &str) -> Option<shape::Ids> {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    FORMS.iter().find_map(|form| form(text))
}

/// A JSON object's keys. What was read before the text turns out to be broken counts.
fn json(text: &str) -> Option<shape::Ids> {
    let mut reader = Reader::new(text);
    if reader.peek() != Some(b'{') {
        return None;
    }
    let mut ids = Ids::default();
    // An error ends the reading and nothing else: a long line may have been cut.
    let _: Option<()> = take_object(&mut reader, &mut ids, Path::ROOT, 0);
    ids.found().map(|found| (found.trace, found.span))
}

fn take_object(reader: &mut Reader<'_>, ids: &mut Ids, path: Path, deep: usize) -> Option<()> {
    reader.open(Bracket::Object).ok()?;
    let mut first = true;
    while reader.next(Bracket::Object, &mut first).ok()? {
        let path = path.join(reader.raw_key().ok()?);
        match (path, reader.peek()?) {
            (Some(path), b'{') if deep < MAPS_DEEP_MAX => take_object(reader, ids, path, deep + 1)?,
            (Some(path), b'"') => ids.take(&path, Scalar::Text(reader.raw_string().ok()?)),
            (Some(path), b'0'..=b'9') => {
                if let Ok(number) = reader.number().ok()?.parse() {
                    ids.take(&path, Scalar::Number(number));
                }
            }
            _ => reader.skip().ok()?,
        }
    }
    Some(())
}

/// `trace_id=… span_id=…`, `"traceId": "…"`, `Trace ID: …`, `dd.trace_id=…`, `x-b3-traceid: …`, `traceparent=…`.
fn keyed(text: &str) -> Option<shape::Ids> {
    let mut ids = Ids::default();
    for anchor in ["race", "RACE"] {
        take_pairs(text, anchor, &mut ids);
    }
    ids.found()?;
    for anchor in ["pan", "PAN"] {
        take_pairs(text, anchor, &mut ids);
    }
    ids.found().map(|found| (found.trace, found.span))
}

/// Takes every `key=value` whose key holds the anchor.
fn take_pairs(text: &str, anchor: &str, ids: &mut Ids) {
    for at in memmem::find_iter(text.as_bytes(), anchor) {
        let (before, after) = text.split_at(at);
        let start = at - before.bytes().rev().take(KEY_BYTES_MAX).take_while(|c| is_in_key(*c)).count();
        let end = at + after.bytes().take(KEY_BYTES_MAX).take_while(|c| is_in_key(*c)).count();
        let Some(path) = Path::ROOT.join(&text[start..end]) else { continue };
        let rest = &text[end..];
        // `trace id: …` is one key in two words.
        let spaced = rest.get(..3).filter(|id| id.eq_ignore_ascii_case(" id"));
        let (path, rest) = match spaced {
            Some(id) => (path.join("id"), &rest[id.len()..]),
            None => (Some(path), rest),
        };
        if let (Some(path), Some(value)) = (path, value(rest)) {
            ids.take(&path, Scalar::Text(value));
            // A header's value holds semicolons; behind an id one ends it.
            ids.take(&path, Scalar::Text(value.split(';').next().unwrap_or_default()));
        }
    }
}

fn is_in_key(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-')
}

/// The value behind a key: after `=` or `:`, with or without quotes.
fn value(rest: &str) -> Option<&str> {
    let quotes = ['"', '\'', '\\', '`'];
    let rest = rest.trim_start_matches(quotes).trim_start_matches(' ');
    let rest = rest.strip_prefix(['=', ':'])?.trim_start_matches('>');
    let rest = rest.trim_start_matches(' ').trim_start_matches(quotes);
    let is_end =
        |c: &u8| c.is_ascii_whitespace() || matches!(c, b'"' | b'\'' | b'\\' | b'`' | b',' | b')' | b']' | b'}' | b'|' | b'&' | b'<');
    let length = rest.as_bytes().iter().take(VALUE_BYTES_MAX).position(is_end).unwrap_or(rest.len().min(VALUE_BYTES_MAX));
    rest.get(..length).map(|value| value.trim_end_matches(['.', ';', ':']))
}

/// A traceparent anywhere. Of version 00 alone: `cc-<32>-…` without a name could be anything.
fn traceparent(text: &str) -> Option<shape::Ids> {
    words_from(text, "00-").find_map(shape::traceparent)
}

/// `Root=1-…` with what stands around it.
fn xray(text: &str) -> Option<shape::Ids> {
    words_from(text, "Root=1-").find_map(shape::xray)
}

/// `projects/<project>/traces/<32>`.
fn google(text: &str) -> Option<shape::Ids> {
    words_from(text, "projects/").find_map(shape::google)
}

/// Each word that starts with this, up to what cannot be in an id.
fn words_from<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    memmem::find_iter(text.as_bytes(), start.as_bytes()).filter_map(move |at| {
        let before = text.as_bytes()[..at].last().is_none_or(|c| !is_in_key(*c));
        let is_in_word = |c: u8| is_in_key(c) || matches!(c, b'=' | b';' | b'/' | b':');
        let length = text.as_bytes()[at..].iter().take(VALUE_BYTES_MAX).take_while(|c| is_in_word(**c)).count();
        text.get(at..at + length).filter(|_| before).map(|word| word.trim_end_matches(['.', ';', ':', '/', '=']))
    })
}

/// Spring's `[application,<trace>,<span>]` and `[<32>-<16>]`.
fn bracketed(text: &str) -> Option<shape::Ids> {
    let bytes = text.as_bytes();
    memchr_iter(b'[', bytes).find_map(|open| {
        let start = open + 1;
        let near = &bytes[start..bytes.len().min(start + BRACKET_BYTES_MAX)];
        shape::bracketed(text.get(start..start + memchr(b']', near)?)?)
    })
}
