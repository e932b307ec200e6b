//! Which logs count as the same: those with equal values in some fields.

use crate::seed::Seed;
use config::Fault;
use expression::{Field, Getter};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Record};
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// When two values are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Likeness {
    /// When they are the same text.
    #[default]
    Exact,
    /// When they are the same but for words that have a digit in them: `order 17 failed` is `order 18 failed`.
    Template,
}

/// A way to tell logs apart.
pub(crate) struct Alike {
    fields: Vec<Getter>,
    likeness: Likeness,
    /// Used again from record to record.
    values: Vec<u8>,
}

impl Alike {
    pub(crate) fn new(by: &[Field], likeness: Likeness) -> Result<Alike, Vec<Fault>> {
        let (mut fields, mut faults) = (Vec::new(), Vec::new());
        for field in by {
            match field.compile(Kinds::LOGS) {
                Ok(getter) => fields.push(getter),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(Alike { fields, likeness, values: Vec::new() }) } else { Err(faults) }
    }

    /// A number that logs have in common if and, but for one chance in 2^128, only if they are alike.
    pub(crate) fn key(&mut self, record: &Record<'_>, seed: Seed) -> u128 {
        self.values.clear();
        for field in &self.fields {
            let value = field.get(record);
            match (&value, self.likeness) {
                (None, _) => {}
                (Some(text), Likeness::Exact) => self.values.extend_from_slice(text.as_bytes()),
                (Some(text), Likeness::Template) => put_template(&mut self.values, text),
            }
            // No text has this byte, so that `a` and `bc` are not `ab` and `c`, nor is nothing an empty text.
            self.values.extend_from_slice(if value.is_none() { &[0xfe, 0xff] } else { &[0xff] });
        }
        xxh3_128_with_seed(&self.values, seed.number())
    }
}

/// Each word with a digit in it as `0`.
fn put_template(out: &mut Vec<u8>, text: &str) {
    let in_word = |c: u8| c.is_ascii_alphanumeric() || c >= 0x80 || matches!(c, b'_' | b'-' | b'.');
    let mut word = out.len();
    for c in text.bytes() {
        if in_word(c) {
            out.push(c);
            continue;
        }
        end_word(out, word);
        out.push(c);
        word = out.len();
    }
    end_word(out, word);
}

fn end_word(out: &mut Vec<u8>, start: usize) {
    if out[start..].iter().any(u8::is_ascii_digit) {
        out.truncate(start);
        out.push(b'0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> String {
        let mut out = b"before 1 ".to_vec();
        put_template(&mut out, text);
        String::from_utf8(out).unwrap().trim_start_matches("before 1 ").to_owned()
    }

    #[test]
    fn a_template_has_no_digits_but_the_words_around_them() {
        assert_eq!(template("order 17 failed after 2.5s"), "order 0 failed after 0");
        assert_eq!(template("[nio-8080-exec-3] 10.0.0.7:5432 refused"), "[0] 0:0 refused");
        assert_eq!(template("user 0b8f4c2e-6d1a-4f7b-9c3e-5a7d8f6b4c2e, größe9 x"), "user 0, 0 x");
        assert_eq!(template(""), "");
    }
}
