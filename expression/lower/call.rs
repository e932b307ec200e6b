//! Function calls: those the matcher has itself, and the rest left to VRL where they stand.

use super::{Lower, OnlyVrl, Typed, Wanted};
use crate::{
    fields::{LEVELS, Type},
    search::{Case, Pattern, Search, SearchPlace},
    tree::{Constant, Conversion, Tree},
};
use std::ops::Range;
use vrl::parser::{
    Literal,
    ast::{Expr, FunctionCall, Node},
};

/// Where `!` belongs so that a call that may fail gives nothing instead. The `parse_…` functions are such: a condition needs no error handling for them.
pub(super) fn may_fail(call: &FunctionCall) -> Option<usize> {
    (call.ident.inner().starts_with("parse_") && !call.abort_on_error).then(|| call.ident.end())
}

impl Lower<'_> {
    pub(super) fn call(&mut self, call: FunctionCall, place: &Range<usize>) -> Result<(Tree, Type), OnlyVrl> {
        let name = call.ident.inner().to_string();
        let bang = may_fail(&call);
        let known = match name.as_str() {
            "contains" => self.search(SearchPlace::Anywhere, call)?,
            "starts_with" => self.search(SearchPlace::Start, call)?,
            "ends_with" => self.search(SearchPlace::End, call)?,
            "match" => self.pattern(call)?,
            "includes" => self.includes(call)?,
            "exists" => self.exists(call)?,
            "now" if call.arguments.is_empty() => Some((Tree::Now, Type::Time)),
            "length" => self.convert(Conversion::Length, Type::Int, call)?,
            "downcase" => self.convert(Conversion::Downcase, Type::Text, call)?,
            "upcase" => self.convert(Conversion::Upcase, Type::Text, call)?,
            "to_int" => self.convert(Conversion::Int, Type::Int, call)?,
            "to_float" => self.convert(Conversion::Float, Type::Float, call)?,
            "to_string" => self.convert(Conversion::Text, Type::Text, call)?,
            _ => None,
        };
        // Calls with arguments we do not know are VRL's, which also says what is wrong with them.
        Ok(known.unwrap_or_else(|| self.vrl(place.clone(), bang).parts()))
    }

    fn search(&mut self, place: SearchPlace, call: FunctionCall) -> Result<Option<(Tree, Type)>, OnlyVrl> {
        let name = call.ident.inner().to_string();
        let Some([value, what, case]) = arguments(call, ["value", "substring", "case_sensitive"]) else { return Ok(None) };
        let (Some(value), Some(what)) = (value, what) else { return Ok(None) };
        let case = match case.as_ref().map(Node::inner) {
            None => Case::Sensitive,
            Some(Expr::Literal(literal)) => match literal.inner() {
                Literal::Boolean(true) => Case::Sensitive,
                Literal::Boolean(false) => Case::Ignored,
                _ => return Ok(None),
            },
            Some(_) => return Ok(None),
        };
        let (value, what) = (self.expr(value, Wanted::Value)?, self.expr(what, Wanted::Value)?);
        self.asks_text(&name, &value);
        self.asks_text(&name, &what);
        Ok(Some((Tree::Search(Search { place, case }, Box::new([value.tree, what.tree])), Type::Bool)))
    }

    fn pattern(&mut self, call: FunctionCall) -> Result<Option<(Tree, Type)>, OnlyVrl> {
        let Some([Some(value), Some(pattern)]) = arguments(call, ["value", "pattern"]) else { return Ok(None) };
        let Expr::Literal(literal) = pattern.inner() else { return Ok(None) };
        let Literal::Regex(regex) = literal.inner() else { return Ok(None) };
        let value = self.expr(value, Wanted::Value)?;
        self.asks_text("match", &value);
        Ok(Some(match Pattern::new(regex) {
            Ok(pattern) => (Tree::Match(pattern, Box::new(value.tree)), Type::Bool),
            Err(what) => {
                self.fault(pattern.span().range(), what);
                (super::FALSE, Type::Bool)
            }
        }))
    }

    fn includes(&mut self, call: FunctionCall) -> Result<Option<(Tree, Type)>, OnlyVrl> {
        let Some([Some(list), Some(item)]) = arguments(call, ["value", "item"]) else { return Ok(None) };
        let (list, item) = (self.expr(list, Wanted::Value)?, self.expr(item, Wanted::Value)?);
        if !matches!(list.holds, Type::List | Type::Any) {
            let what = format!(
                "{} is {}; `includes` asks a list, as in `includes([\"a\", \"b\"], .name)`",
                self.written(&list.place),
                list.holds.named()
            );
            self.fault(list.place.clone(), what);
        }
        if let Tree::Constant(Constant::List(words)) = &list.tree {
            for word in words {
                match (word, item.holds) {
                    (Constant::Text(word), Type::Word(words)) => self.word(&item, word, words, &list.place),
                    (Constant::Text(word), Type::Level) if !word.is_empty() => self.word(&item, word, LEVELS, &list.place),
                    _ => {}
                }
            }
        }
        Ok(Some((Tree::Includes(Box::new([list.tree, item.tree])), Type::Bool)))
    }

    fn exists(&mut self, call: FunctionCall) -> Result<Option<(Tree, Type)>, OnlyVrl> {
        let Some([Some(field)]) = arguments(call, ["field"]) else { return Ok(None) };
        let Typed { tree: Tree::Field(path), .. } = self.expr(field, Wanted::Value)? else { return Ok(None) };
        Ok(Some((Tree::Exists(path), Type::Bool)))
    }

    fn convert(&mut self, how: Conversion, gives: Type, call: FunctionCall) -> Result<Option<(Tree, Type)>, OnlyVrl> {
        let name = call.ident.inner().to_string();
        let Some([Some(value)]) = arguments(call, ["value"]) else { return Ok(None) };
        let value = self.expr(value, Wanted::Value)?;
        if matches!(how, Conversion::Downcase | Conversion::Upcase) {
            self.asks_text(&name, &value);
        }
        if how == Conversion::Length && (value.holds.is_number() || matches!(value.holds, Type::Bool | Type::Time)) {
            let what = format!("{} is {} and has no length", self.written(&value.place), value.holds.named());
            self.fault(value.place.clone(), what);
        }
        Ok(Some((Tree::Convert(how, Box::new(value.tree)), gives)))
    }

    fn asks_text(&mut self, name: &str, value: &Typed) {
        if !value.holds.is_text() && !matches!(value.holds, Type::Any | Type::Null) {
            let what = format!("{} is {}; `{name}` asks text", self.written(&value.place), value.holds.named());
            self.fault(value.place.clone(), what);
        }
    }
}

/// The arguments in the order of their names, given by name or by place; none where the call does not fit.
fn arguments<const N: usize>(call: FunctionCall, names: [&str; N]) -> Option<[Option<Node<Expr>>; N]> {
    let mut found = [const { None }; N];
    if call.closure.is_some() {
        return None;
    }
    for argument in call.arguments {
        let argument = argument.into_inner();
        let slot = match &argument.ident {
            Some(ident) => names.iter().position(|n| *n == &**ident.inner())?,
            None => found.iter().position(Option::is_none)?,
        };
        let slot = found.get_mut(slot)?;
        if slot.replace(argument.expr).is_some() {
            return None;
        }
    }
    Some(found)
}
