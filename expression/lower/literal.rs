//! Texts, numbers and times as they are written.

use super::{Lower, OnlyVrl};
use crate::{
    fields::Type,
    operand,
    tree::{Constant, Tree},
};
use std::ops::Range;
use vrl::parser::{Literal, template_string::StringSegment};

impl Lower<'_> {
    pub(super) fn literal(&mut self, literal: Literal, place: &Range<usize>) -> Result<(Tree, Type), OnlyVrl> {
        let (constant, holds) = match literal {
            Literal::String(template) => {
                let mut text = String::new();
                for segment in template.0 {
                    match segment {
                        StringSegment::Literal(part, _) => text.push_str(&part),
                        StringSegment::Template(..) => return Err(OnlyVrl),
                    }
                }
                (Constant::Text(text.into()), Type::Text)
            }
            Literal::RawString(text) => (Constant::Text(text.into()), Type::Text),
            Literal::Integer(number) => (Constant::Int(number), Type::Int),
            Literal::Float(number) => (Constant::Float(number.into_inner()), Type::Float),
            Literal::Boolean(is) => (Constant::Bool(is), Type::Bool),
            Literal::Null => (Constant::Null, Type::Null),
            Literal::Timestamp(text) => (self.time(&text, place), Type::Time),
            Literal::Regex(_) => {
                self.fault(place.clone(), "a regular expression stands only in `match`, as in `match(.name, r'^a')`");
                (Constant::Null, Type::Any)
            }
        };
        Ok((Tree::Constant(constant), holds))
    }

    fn time(&mut self, text: &str, place: &Range<usize>) -> Constant {
        let at = text.parse::<chrono::DateTime<chrono::Utc>>();
        if let Some(nanos) = at.ok().and_then(|t| t.timestamp_nanos_opt()).and_then(|n| u64::try_from(n).ok()) {
            return Constant::Time(nanos);
        }
        self.fault(
            place.clone(),
            format!("`{text}` is no time; write one as in {}", operand::time(1_767_225_600_000_000_000).format("t'%+'")),
        );
        Constant::Null
    }
}
