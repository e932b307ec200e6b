//! Comparisons: words and levels are checked against their lists, and what can never be true is said.

use super::{Lower, Typed};
use crate::{
    fields::{LEVELS, Type},
    tree::{Comparison, Constant, Tree},
};
use config::nearest;
use std::ops::Range;

impl Lower<'_> {
    pub(super) fn compare(&mut self, how: Comparison, left: Typed, right: Typed) -> Tree {
        self.check(how, &left, &right);
        self.check(how, &right, &left);
        let ordered = !matches!(how, Comparison::Equal | Comparison::NotEqual);
        if ordered && (left.holds == Type::Level || right.holds == Type::Level) {
            return Tree::Levels(how, Box::new([left.tree, right.tree]));
        }
        match (how, left.tree, right.tree) {
            (Comparison::Equal, Tree::Field(path), Tree::Constant(Constant::Text(text)))
            | (Comparison::Equal, Tree::Constant(Constant::Text(text)), Tree::Field(path)) => Tree::TextIs(path, text),
            (Comparison::NotEqual, Tree::Field(path), Tree::Constant(Constant::Text(text)))
            | (Comparison::NotEqual, Tree::Constant(Constant::Text(text)), Tree::Field(path)) => {
                Tree::Not(Box::new(Tree::TextIs(path, text)))
            }
            (_, Tree::Constant(left), Tree::Constant(right)) => Tree::Constant(Constant::Bool(how.of_constants(&left, &right))),
            (_, left, right) => Tree::Compare(how, Box::new([left, right])),
        }
    }

    /// Says what can never hold between a field of a declared type and a literal.
    fn check(&mut self, how: Comparison, field: &Typed, literal: &Typed) {
        let Tree::Constant(constant) = &literal.tree else { return };
        if matches!(field.tree, Tree::Constant(_)) || *constant == Constant::Null {
            return;
        }
        let ordered = !matches!(how, Comparison::Equal | Comparison::NotEqual);
        match (field.holds, constant) {
            (Type::Word(words), Constant::Text(word)) if !ordered => self.word(field, word, words, &literal.place),
            (Type::Level, Constant::Text(word)) if ordered || !word.is_empty() => self.word(field, word, LEVELS, &literal.place),
            (held, _) if !held.may_equal(literal.holds) => {
                let what =
                    format!("{} is {} and is never {} {}", self.written(&field.place), held.named(), how.words(), literal.holds.named());
                self.fault(literal.place.clone(), what);
            }
            _ => {}
        }
    }

    /// Refuses a word that the field never has.
    pub(super) fn word(&mut self, field: &Typed, word: &str, words: &'static [&'static str], place: &Range<usize>) {
        if words.contains(&word) {
            return;
        }
        let lower = word.to_lowercase();
        let same = words.iter().copied().find(|w| w.eq_ignore_ascii_case(word));
        let near = same
            .or_else(|| nearest(word, words.iter().copied()))
            .or_else(|| words.iter().copied().find(|w| lower.starts_with(&w.to_lowercase())));
        let field = self.written(&field.place);
        let what = match near {
            Some(near) => format!("{field} is never `{word}`; did you mean `{near}`?"),
            None => format!("{field} is never `{word}`; it is one of {}", words.join(", ")),
        };
        self.fault(place.clone(), what);
    }

    pub(super) fn written(&self, place: &Range<usize>) -> String {
        format!("`{}`", self.text.get(crate::parse::within(self.text, place.clone())).unwrap_or_default())
    }
}

impl Type {
    /// Whether a value of this type can ever equal or be ordered with one of the other.
    fn may_equal(self, other: Type) -> bool {
        let open = |t: Type| matches!(t, Type::Any | Type::Null);
        open(self)
            || open(other)
            || (self.is_text() && other.is_text())
            || (self.is_number() && other.is_number())
            || self == other && matches!(self, Type::Bool | Type::Time)
    }
}

impl Comparison {
    fn words(self) -> &'static str {
        match self {
            Comparison::Equal | Comparison::NotEqual => "equal to",
            _ => "above or below",
        }
    }
}
