//! The JSON of attributes, events and links: written from views without a tree in between, and taken apart again as raw slices.
//! Doubles always carry a point or an exponent, so every value comes back as the type it was. What JSON has no word for is an object with one
//! `$` key: `{"$bytes": "base64"}`, `{"$double": "NaN"}`; a map of the user's that looks like one is wrapped as `{"$map": {...}}`.

use signal::view::{Any, Attributes};
use std::fmt::Write as _;

/// Appends a JSON string.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => push(out, format_args!("\\u{other:04x}")),
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// Appends anything that can be displayed; a `String` takes everything.
pub(crate) fn push(out: &mut String, what: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(what);
    debug_assert!(written.is_ok());
}

/// Appends a double, always recognisable as one.
pub(crate) fn write_double(out: &mut String, value: f64) {
    if value.is_finite() {
        push(out, format_args!("{value:?}"));
    } else {
        let word = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        push(out, format_args!("{{\"$double\":\"{word}\"}}"));
    }
}

/// Appends a value. As deep as `check` let it be.
pub(crate) fn write_any(out: &mut String, value: Any<'_>) {
    match value {
        Any::Empty => out.push_str("null"),
        Any::Text(text) => write_text(out, text),
        Any::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
        Any::Int(number) => push(out, format_args!("{number}")),
        Any::Double(number) => write_double(out, number),
        Any::Bytes(bytes) => {
            out.push_str("{\"$bytes\":\"");
            write_base64(out, bytes);
            out.push_str("\"}");
        }
        Any::List(list) => {
            out.push('[');
            for (n, element) in list.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_any(out, element);
            }
            out.push(']');
        }
        Any::Map(map) => {
            let reserved = map.iter().next().is_some_and(|(key, _)| key.starts_with('$'));
            if reserved {
                out.push_str("{\"$map\":");
            }
            write_attributes(out, map);
            if reserved {
                out.push('}');
            }
        }
    }
}

/// Appends attributes as an object, in written order.
pub(crate) fn write_attributes(out: &mut String, attributes: Attributes<'_>) {
    write_pairs(out, attributes.iter());
}

/// Appends attributes as an object with its keys sorted, so that equal sets are equal text: what tells one metric series from another.
pub(crate) fn write_sorted(out: &mut String, attributes: Attributes<'_>) {
    let mut pairs: Vec<_> = attributes.iter().collect();
    pairs.sort_by_key(|(key, _)| *key);
    write_pairs(out, pairs.into_iter());
}

fn write_pairs<'a>(out: &mut String, pairs: impl Iterator<Item = (&'a str, Any<'a>)>) {
    out.push('{');
    for (n, (key, value)) in pairs.enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_text(out, key);
        out.push(':');
        write_any(out, value);
    }
    out.push('}');
}

fn write_base64(out: &mut String, bytes: &[u8]) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for n in 0..4 {
            let letter = if n <= three.len() { LETTERS[(word >> (18 - 6 * n) & 63) as usize] } else { b'=' };
            out.push(char::from(letter));
        }
    }
}

/// The pairs of an object as this file writes them: each key as it stands between its quotes, each value as raw JSON. Ends at the first thing that is not so.
pub(crate) fn pairs(object: &str) -> Pairs<'_> {
    Pairs { rest: object.strip_prefix('{').unwrap_or_default() }
}

/// Iterator of `pairs`.
pub(crate) struct Pairs<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
        let end = string_end(rest)?;
        let (key, rest) = (rest.get(1..end - 1)?, rest.get(end..)?.strip_prefix(':')?);
        let end = value_end(rest)?;
        self.rest = rest.get(end..)?;
        Some((key, rest.get(..end)?))
    }
}

/// The elements of a list as raw JSON. Ends at the first thing that is none.
pub(crate) fn elements(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list.strip_prefix('[').unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.strip_prefix(',').unwrap_or(rest);
        let end = value_end(rest).filter(|end| *end > 0)?;
        let element = rest.get(..end)?;
        rest = rest.get(end..)?;
        Some(element)
    })
}

/// Where the string that starts here ends, after its quote.
fn string_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Where the value that starts here ends.
fn value_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => at += string_end(&text[at..])?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            b',' if depth == 0 => return Some(at),
            _ => at += 1,
        }
    }
}

/// The raw value of a key. `quoted` is the key as `quote` gives it.
pub(crate) fn find<'a>(object: &'a str, quoted: &str) -> Option<&'a str> {
    if !object.contains(quoted) {
        return None;
    }
    let bare = quoted.get(1..quoted.len() - 1)?;
    pairs(object).find(|(key, _)| *key == bare).map(|(_, value)| value)
}

/// A key as it is written in an object, quotes included.
pub(crate) fn quote(key: &str) -> String {
    let mut quoted = String::with_capacity(key.len() + 2);
    write_text(&mut quoted, key);
    quoted
}

/// The text in a raw string; none for any other value.
pub(crate) fn text_of(raw: &str) -> Option<std::borrow::Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(raw).ok().map(std::borrow::Cow::Owned) } else { Some(std::borrow::Cow::Borrowed(inner)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_comes_apart_into_raw_pairs() {
        let object = r#"{"a":1,"b.c":"x,}\"y","d":{"e":[1,"}"]},"f":null,"g":2.5}"#;
        let found: Vec<_> = pairs(object).collect();
        assert_eq!(found, [("a", "1"), ("b.c", r#""x,}\"y""#), ("d", r#"{"e":[1,"}"]}"#), ("f", "null"), ("g", "2.5")]);
        assert_eq!(find(object, &quote("b.c")).and_then(text_of).as_deref(), Some("x,}\"y"));
        assert_eq!(find(object, &quote("e")), None);
    }

    #[test]
    fn what_is_no_object_has_no_pairs() {
        for broken in ["", "{", "{}", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":1", "[1]", "{\"\\"] {
            assert_eq!(pairs(broken).count(), 0, "{broken}");
        }
    }

    #[test]
    fn text_is_escaped_as_json_wants_it() {
        let mut out = String::new();
        write_text(&mut out, "a\"b\\c\n\u{1}é");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), "a\"b\\c\n\u{1}é");
    }

    #[test]
    fn bytes_are_standard_base64() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foob", "Zm9vYg==")] {
            let mut out = String::new();
            write_base64(&mut out, bytes);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn doubles_stay_doubles() {
        for (value, text) in [(1.0, "1.0"), (1e300, "1e300"), (-0.0, "-0.0"), (f64::NAN, r#"{"$double":"NaN"}"#)] {
            let mut out = String::new();
            write_double(&mut out, value);
            assert_eq!(out, text);
        }
    }
}
