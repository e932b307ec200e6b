//! A compiled condition: a small tree that is evaluated on the views directly. It never fails; what cannot be compared is false.

use crate::{
    fields::LEVELS,
    operand::Operand,
    path::Path,
    program::Program,
    search::{Pattern, Search},
    subject::Subject,
};
use signal::Time;
use std::{borrow::Cow, cmp::Ordering, sync::Arc};

/// A part of a condition.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    /// Known beforehand.
    Constant(Constant),
    /// A field.
    Field(Path),
    /// All of them are true.
    All(Vec<Tree>),
    /// One of them is true.
    Any(Vec<Tree>),
    /// It is not true.
    Not(Box<Tree>),
    /// The second if the first is true, else the third.
    If(Box<[Tree; 3]>),
    /// The first that is neither null nor false, else the last.
    Or(Vec<Tree>),
    /// The first unless it is missing or null, else the second.
    Else(Box<[Tree; 2]>),
    /// A comparison.
    Compare(Comparison, Box<[Tree; 2]>),
    /// A field is this very text: the most frequent condition, without the detour over operands.
    TextIs(Path, Box<str>),
    /// Levels compared by rank.
    Levels(Comparison, Box<[Tree; 2]>),
    /// Arithmetic.
    Calculate(Arithmetic, Box<[Tree; 2]>),
    /// Text within text.
    Search(Search, Box<[Tree; 2]>),
    /// A regular expression.
    Match(Pattern, Box<Tree>),
    /// The first is a list that has the second.
    Includes(Box<[Tree; 2]>),
    /// It is not missing.
    Exists(Path),
    /// One value from another.
    Convert(Conversion, Box<Tree>),
    /// The pipeline's time.
    Now,
    /// What only VRL can do.
    Vrl(Arc<Program>),
}

/// A value in the condition's text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// `5`.
    Int(i64),
    /// `0.5`.
    Float(f64),
    /// `"x"`.
    Text(Box<str>),
    /// `t'2026-01-01T00:00:00Z'`, in nanoseconds.
    Time(u64),
    /// `["a", "b"]`.
    List(Vec<Constant>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// How two numbers become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`, always with a fraction.
    Divide,
}

/// How one value becomes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// `length`
    Length,
    /// `downcase`
    Downcase,
    /// `upcase`
    Upcase,
    /// `to_int`
    Int,
    /// `to_float`
    Float,
    /// `to_string`
    Text,
}

impl Comparison {
    /// Whether this order satisfies it; an order that does not exist satisfies none but `!=`.
    pub(crate) fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::NotEqual => order != Some(Ordering::Equal),
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Greater => order == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }

    /// Of two literals.
    pub(crate) fn of_constants(self, left: &Constant, right: &Constant) -> bool {
        self.of(&left.operand(), &right.operand())
    }

    fn of(self, left: &Operand<'_>, right: &Operand<'_>) -> bool {
        match self {
            Comparison::Equal => left.equals(right),
            Comparison::NotEqual => !left.equals(right),
            _ => self.holds(left.order(right)),
        }
    }
}

impl Constant {
    fn operand(&self) -> Operand<'_> {
        match self {
            Constant::Null | Constant::List(_) => Operand::Null,
            Constant::Bool(is) => Operand::Bool(*is),
            Constant::Int(number) => Operand::Int(*number),
            Constant::Float(number) => Operand::Float(*number),
            Constant::Text(text) => Operand::text(text),
            Constant::Time(nanos) => Operand::Time(*nanos),
        }
    }
}

impl Tree {
    /// Whether the subject meets it.
    pub(crate) fn meets(&self, subject: &Subject<'_, '_>, now: Time) -> bool {
        match self {
            Tree::Constant(constant) => *constant == Constant::Bool(true),
            Tree::All(trees) => trees.iter().all(|t| t.meets(subject, now)),
            Tree::Any(trees) => trees.iter().any(|t| t.meets(subject, now)),
            Tree::Not(tree) => !tree.meets(subject, now),
            Tree::TextIs(path, text) => match path.read(subject) {
                Operand::Text(Cow::Borrowed(found)) => found.len() == text.len() && found == &**text,
                other => other.equals(&Operand::text(text)),
            },
            Tree::Compare(how, pair) => how.of(&pair[0].value(subject, now), &pair[1].value(subject, now)),
            Tree::Levels(how, pair) => {
                let rank = |tree: &Tree| tree.value(subject, now).as_text().and_then(rank);
                let order = rank(&pair[0]).zip(rank(&pair[1])).map(|(a, b)| a.cmp(&b));
                how.holds(order)
            }
            Tree::Search(how, pair) => how.of(&pair[0].value(subject, now), &pair[1].value(subject, now)),
            Tree::Match(pattern, tree) => tree.value(subject, now).as_text().is_some_and(|text| pattern.is_in(text)),
            Tree::Includes(pair) => {
                let item = pair[1].value(subject, now);
                match &pair[0] {
                    Tree::Constant(Constant::List(list)) => list.iter().any(|e| e.operand().equals(&item)),
                    list => list.value(subject, now).includes(&item),
                }
            }
            Tree::Exists(path) => !matches!(path.read(subject), Operand::Missing),
            Tree::Field(_)
            | Tree::If(_)
            | Tree::Or(_)
            | Tree::Else(_)
            | Tree::Calculate(..)
            | Tree::Convert(..)
            | Tree::Now
            | Tree::Vrl(_) => self.value(subject, now).is_true(),
        }
    }

    /// Its value for the subject.
    fn value<'a>(&'a self, subject: &Subject<'_, 'a>, now: Time) -> Operand<'a> {
        match self {
            Tree::Constant(constant) => constant.operand(),
            Tree::Field(path) => path.read(subject),
            Tree::If(three) => three[if three[0].meets(subject, now) { 1 } else { 2 }].value(subject, now),
            Tree::Or(trees) => {
                let mut value = Operand::Missing;
                for tree in trees {
                    value = tree.value(subject, now);
                    if !value.is_null() && !matches!(value, Operand::Bool(false)) {
                        break;
                    }
                }
                value
            }
            Tree::Else(pair) => match pair[0].value(subject, now) {
                Operand::Missing | Operand::Null => pair[1].value(subject, now),
                value => value,
            },
            Tree::Calculate(how, pair) => how.of(&pair[0].value(subject, now), &pair[1].value(subject, now)),
            Tree::Convert(how, tree) => how.of(tree.value(subject, now)),
            Tree::Now => Operand::Time(now.0),
            Tree::Vrl(program) => program.run(subject, now).map_or(Operand::Missing, Operand::of_vrl),
            _ => Operand::Bool(self.meets(subject, now)),
        }
    }
}

fn rank(word: &str) -> Option<usize> {
    LEVELS.iter().position(|level| *level == word)
}

impl Arithmetic {
    /// As VRL counts: whole numbers wrap, division gives a fraction. What is no number, and a division by zero, gives nothing.
    fn of(self, left: &Operand<'_>, right: &Operand<'_>) -> Operand<'static> {
        if let (Operand::Int(a), Operand::Int(b)) = (left, right) {
            match self {
                Arithmetic::Add => return Operand::Int(a.wrapping_add(*b)),
                Arithmetic::Subtract => return Operand::Int(a.wrapping_sub(*b)),
                Arithmetic::Multiply => return Operand::Int(a.wrapping_mul(*b)),
                Arithmetic::Divide => {}
            }
        }
        let (Some(a), Some(b)) = (left.as_float(), right.as_float()) else { return Operand::Missing };
        let result = match self {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide if b == 0.0 => f64::NAN,
            Arithmetic::Divide => a / b,
        };
        if result.is_nan() { Operand::Missing } else { Operand::Float(result) }
    }
}

impl Conversion {
    fn of(self, value: Operand<'_>) -> Operand<'_> {
        match self {
            Conversion::Length => Operand::or_missing(value.length().map(|n| Operand::Int(i64::try_from(n).unwrap_or(i64::MAX)))),
            Conversion::Downcase => Operand::or_missing(value.as_text().map(|t| Operand::Text(Cow::Owned(t.to_lowercase())))),
            Conversion::Upcase => Operand::or_missing(value.as_text().map(|t| Operand::Text(Cow::Owned(t.to_uppercase())))),
            Conversion::Int => Operand::or_missing(int(&value).map(Operand::Int)),
            Conversion::Float => Operand::or_missing(float(&value).map(Operand::Float)),
            Conversion::Text => Operand::or_missing(value.into_text().map(Operand::Text)),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as VRL's does")]
fn int(value: &Operand<'_>) -> Option<i64> {
    match value {
        Operand::Int(number) => Some(*number),
        Operand::Float(number) => Some(*number as i64),
        Operand::Bool(is) => Some(i64::from(*is)),
        Operand::Time(nanos) => i64::try_from(nanos / 1_000_000_000).ok(),
        _ => value.as_text()?.parse().ok(),
    }
}

fn float(value: &Operand<'_>) -> Option<f64> {
    match value {
        Operand::Bool(is) => Some(f64::from(u8::from(*is))),
        #[expect(clippy::cast_precision_loss, reason = "a time in seconds is for people")]
        Operand::Time(nanos) => Some(*nanos as f64 / 1e9),
        _ => value.as_float().or_else(|| value.as_text()?.parse().ok()).filter(|n: &f64| !n.is_nan()),
    }
}
