//! A pull reader of one JSON text (RFC 8259). Not serde_json, because here a fault needs its byte offset, a 64-bit number its digits, a lone surrogate
//! a replacement, and values may nest deeper than serde_json's 128 brackets. Recursion is the caller's; `skip` has none.

use super::escape::{escaped, unescape};
use smallvec::SmallVec;
use std::borrow::Cow;

/// Reads a JSON text from left to right. After an error it stays where it is and must not be used on.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// What is wrong with the text and where.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) offset: usize,
    pub(crate) what: Cow<'static, str>,
}

type Read<T> = Result<T, Wrong>;

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    /// The first byte of the next token, whitespace skipped.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let rest = self.rest();
        let blank = rest.iter().take_while(|c| matches!(c, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at += blank;
        rest.get(blank).copied()
    }

    /// Where the next token starts.
    pub(crate) fn offset(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// That something else was expected than the next token.
    pub(crate) fn expected(&mut self, what: &str) -> Wrong {
        let found = match self.peek() {
            None => "the end of the text",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            Some(b'-' | b'0'..=b'9') => "a number",
            Some(_) => {
                let other = self.text.get(self.at..).and_then(|rest| rest.chars().next()).unwrap_or_default();
                return self.wrong(format!("expected {what}, found {other:?}"));
            }
        };
        self.wrong(format!("expected {what}, found {found}"))
    }

    /// Takes a `null`, if that is what is next.
    pub(crate) fn null(&mut self) -> Read<bool> {
        if self.peek() == Some(b'n') { self.word("null").map(|()| true) } else { Ok(false) }
    }

    /// Takes `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Read<bool> {
        match self.peek() {
            Some(b't') => self.word("true").map(|()| true),
            Some(b'f') => self.word("false").map(|()| false),
            _ => Err(self.expected("true or false")),
        }
    }

    /// Takes a number and gives its digits as they stand.
    pub(crate) fn number(&mut self) -> Read<&'a str> {
        if !matches!(self.peek(), Some(b'-' | b'0'..=b'9')) {
            return Err(self.expected("a value"));
        }
        let length = number_length(self.rest());
        let follows = self.rest().get(length).copied();
        if length == 0 || follows.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'+' | b'-')) {
            return Err(self.wrong("this is no JSON number"));
        }
        let digits = &self.text[self.at..self.at + length];
        self.at += length;
        Ok(digits)
    }

    /// Takes a string. A surrogate without its other half becomes U+FFFD.
    pub(crate) fn string(&mut self) -> Read<Cow<'a, str>> {
        let raw = self.raw_string()?;
        Ok(if raw.contains('\\') { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }

    /// Takes a string and gives what stands between its quotes, escapes and all.
    pub(crate) fn raw_string(&mut self) -> Read<&'a str> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a string"));
        }
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        loop {
            at += bytes[at..].iter().position(|c| matches!(c, b'"' | b'\\' | 0..=0x1f)).unwrap_or(bytes.len() - at);
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => match self.text.get(at..).and_then(escaped) {
                    Some((_, length)) => at += length,
                    None => return Err(Wrong { offset: at, what: "JSON has no such escape".into() }),
                },
                None => return Err(self.wrong("this string does not end")),
                Some(_) => return Err(Wrong { offset: at, what: "a control character in a string has to be escaped".into() }),
            }
        }
        self.at = at + 1;
        Ok(&self.text[start..at])
    }

    /// Takes an opening bracket.
    pub(crate) fn open(&mut self, bracket: Bracket) -> Read<()> {
        if self.peek() != Some(bracket.opening()) {
            return Err(self.expected(bracket.word()));
        }
        self.at += 1;
        Ok(())
    }

    /// Goes to the next member or element and says whether there is one; otherwise the closing bracket was taken. `first` tells the comma's place.
    pub(crate) fn next(&mut self, bracket: Bracket, first: &mut bool) -> Read<bool> {
        let follows = self.peek();
        if follows == Some(bracket.closing()) {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            if follows != Some(b',') {
                return Err(self.expected(bracket.separator()));
            }
            self.at += 1;
        }
        Ok(true)
    }

    /// Takes a member's key and its colon.
    pub(crate) fn key(&mut self) -> Read<Cow<'a, str>> {
        let key = self.string()?;
        self.colon()?;
        Ok(key)
    }

    /// Takes a member's key as it is written, escapes and all, and its colon.
    pub(crate) fn raw_key(&mut self) -> Read<&'a str> {
        let key = self.raw_string()?;
        self.colon()?;
        Ok(key)
    }

    /// Takes a value of any kind and depth.
    pub(crate) fn skip(&mut self) -> Read<()> {
        let mut open: SmallVec<[Bracket; 32]> = SmallVec::new();
        loop {
            match self.peek() {
                Some(opening @ (b'{' | b'[')) => {
                    let bracket = if opening == b'{' { Bracket::Object } else { Bracket::Array };
                    self.at += 1;
                    if self.peek() != Some(bracket.closing()) {
                        open.push(bracket);
                        self.skip_key(bracket)?;
                        continue;
                    }
                    self.at += 1;
                }
                Some(b'"') => drop(self.raw_string()?),
                Some(b't' | b'f') => drop(self.boolean()?),
                Some(b'n') => self.word("null")?,
                _ => drop(self.number()?),
            }
            if !self.leave(&mut open)? {
                return Ok(());
            }
        }
    }

    /// After a value: closes what ends here and says whether another value follows.
    fn leave(&mut self, open: &mut SmallVec<[Bracket; 32]>) -> Read<bool> {
        while let Some(&bracket) = open.last() {
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.skip_key(bracket)?;
                    return Ok(true);
                }
                Some(c) if c == bracket.closing() => {
                    self.at += 1;
                    open.pop();
                }
                _ => return Err(self.expected(bracket.separator())),
            }
        }
        Ok(false)
    }

    /// Makes sure that nothing follows.
    pub(crate) fn finish(&mut self) -> Read<()> {
        if self.peek().is_some() { Err(self.expected("the end of the text")) } else { Ok(()) }
    }

    fn skip_key(&mut self, bracket: Bracket) -> Read<()> {
        if bracket == Bracket::Object {
            self.raw_key()?;
        }
        Ok(())
    }

    fn colon(&mut self) -> Read<()> {
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &'static str) -> Read<()> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.wrong(format!("expected `{word}`")));
        }
        self.at += word.len();
        Ok(())
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn wrong(&self, what: impl Into<Cow<'static, str>>) -> Wrong {
        Wrong { offset: self.at, what: what.into() }
    }
}

/// What holds values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bracket {
    Object,
    Array,
}

impl Bracket {
    const fn opening(self) -> u8 {
        match self {
            Bracket::Object => b'{',
            Bracket::Array => b'[',
        }
    }

    const fn closing(self) -> u8 {
        match self {
            Bracket::Object => b'}',
            Bracket::Array => b']',
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Bracket::Object => "an object",
            Bracket::Array => "an array",
        }
    }

    const fn separator(self) -> &'static str {
        match self {
            Bracket::Object => "`,` or `}`",
            Bracket::Array => "`,` or `]`",
        }
    }
}

/// The length of the JSON number at the start; zero where there is none.
fn number_length(text: &[u8]) -> usize {
    let digits = |at: usize| text.get(at..).unwrap_or_default().iter().take_while(|c| c.is_ascii_digit()).count();
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && text.get(at) == Some(&b'0')) {
        return 0;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return 0,
            fraction => at += 1 + fraction,
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        match digits(at + 1 + sign) {
            0 => return 0,
            exponent => at += 1 + sign + exponent,
        }
    }
    at
}
