//! Runs of hex digits in a text: nearly every form of an id has one of 16 or more, nearly no other text has.

use crate::id::is_hex;
use std::ops::Range;

/// Runs of at least `length` hex digits, each as long as it is.
pub(super) struct Runs<'a> {
    bytes: &'a [u8],
    length: usize,
    /// What lies before is looked at.
    from: usize,
}

impl<'a> Runs<'a> {
    /// The runs of a text; `length` is at least one.
    pub(super) fn of(text: &'a str, length: usize) -> Runs<'a> {
        Runs { bytes: text.as_bytes(), length, from: 0 }
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<usize>;

    /// A run of `length` covers one of any `length` neighbouring bytes, so that one byte of so many is looked at.
    fn next(&mut self) -> Option<Range<usize>> {
        let digits = |c: &&u8| is_hex(**c);
        loop {
            let at = self.from + self.length - 1;
            if !is_hex(*self.bytes.get(at)?) {
                self.from = at + 1;
                continue;
            }
            let start = at - self.bytes[self.from..at].iter().rev().take_while(digits).count();
            let end = at + self.bytes[at..].iter().take_while(digits).count();
            self.from = end;
            if end - start >= self.length {
                return Some(start..end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plainly(text: &str, length: usize) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let mut start = 0;
        for (at, c) in text.bytes().chain([b' ']).enumerate() {
            if !c.is_ascii_hexdigit() {
                if at - start >= length {
                    runs.push(start..at);
                }
                start = at + 1;
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn no_run_is_missed_and_none_made_up(text in "([0-9a-fA-F]{0,70}|[ -~]{0,9}|ü|g){0,12}", length in 1_usize..40) {
            prop_assert_eq!(Runs::of(&text, length).collect::<Vec<_>>(), plainly(&text, length));
        }
    }
}
