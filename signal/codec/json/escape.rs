//! The escapes in a JSON string, both ways.

use std::fmt::Write as _;

/// A string's characters, from what stands between its quotes. An escape that JSON does not have stays as it is.
pub(super) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        let (character, length) = escaped(escape).unwrap_or(('\\', 1));
        out.push_str(plain);
        out.push(character);
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

/// The character that the escape at the start stands for, and the escape's length.
pub(super) fn escaped(escape: &str) -> Option<(char, usize)> {
    let simple = match escape.as_bytes().get(1)? {
        b'u' => return Some(unicode(escape, hex4(escape, 2)?)),
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        c @ (b'"' | b'\\' | b'/') => char::from(*c),
        _ => return None,
    };
    Some((simple, 2))
}

fn unicode(escape: &str, first: u32) -> (char, usize) {
    let second = (escape.get(6..8) == Some("\\u")).then(|| hex4(escape, 8)).flatten();
    match (first, second) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            let joined = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
        }
        _ => (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
    }
}

fn hex4(text: &str, at: usize) -> Option<u32> {
    let digits = text.get(at..at + 4)?;
    if digits.bytes().all(|c| c.is_ascii_hexdigit()) { u32::from_str_radix(digits, 16).ok() } else { None }
}

/// Appends a JSON string.
pub(super) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|c| matches!(c, b'"' | b'\\' | 0..=0x1f)) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        match special.as_bytes()[0] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            control => {
                let written = write!(out, "\\u{control:04x}");
                debug_assert!(written.is_ok(), "a String takes everything");
            }
        }
        rest = &special[1..];
    }
    out.push_str(rest);
    out.push('"');
}
