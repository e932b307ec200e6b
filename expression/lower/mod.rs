//! From VRL's syntax tree to our own. What the tree does not have is left to VRL: a part of the condition where that part stands alone, the whole where it has statements or variables.

mod call;
mod compare;
mod literal;
mod logic;

use crate::{
    fields::Type,
    path::Path,
    program::{Piece, Program},
    survey::LEVELS_MAX,
    tree::{Arithmetic, Comparison, Constant, Tree},
};
use config::{Fault, Placed};
use logic::{FALSE, negated};
use signal::Kinds;
use std::{ops::Range, sync::Arc};
use vrl::parser::ast::{Block, Container, Expr, IfStatement, Node, Op, Opcode, Predicate, Query, QueryTarget, Unary};

/// The statement needs variables, assignments or the like; only VRL can run it.
struct OnlyVrl;

/// A tree with what it gives, and where it stands in the text.
struct Typed {
    tree: Tree,
    holds: Type,
    place: Range<usize>,
}

/// What is made of an expression's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Whether it is true.
    Truth,
    /// The value itself.
    Value,
}

/// Compiles the statements of a condition.
pub(crate) fn condition(text: &Placed<String>, statements: Vec<Node<Expr>>, levels: usize) -> Result<Tree, Vec<Fault>> {
    let mut lower = Lower { text, levels, faults: Vec::new() };
    let lowered = match <[Node<Expr>; 1]>::try_from(statements) {
        Ok([one]) => lower.truth(one),
        Err(_) => Err(OnlyVrl),
    };
    match lowered {
        Ok(tree) if lower.faults.is_empty() => Ok(tree),
        Ok(_) => Err(lower.faults),
        Err(OnlyVrl) => {
            lower.faults.clear();
            let whole = lower.vrl(0..text.len(), None);
            let tree = lower.boolean(whole);
            if lower.faults.is_empty() { Ok(tree) } else { Err(lower.faults) }
        }
    }
}

struct Lower<'t> {
    text: &'t Placed<String>,
    /// How deep the tree is as VRL sees it.
    levels: usize,
    faults: Vec<Fault>,
}

impl Lower<'_> {
    fn fault(&mut self, place: Range<usize>, what: impl Into<String>) {
        let fault = self.text.fault_in(crate::parse::within(self.text, place), what);
        self.faults.push(fault);
    }

    fn truth(&mut self, node: Node<Expr>) -> Result<Tree, OnlyVrl> {
        let typed = self.expr(node, Wanted::Truth)?;
        Ok(self.boolean(typed))
    }

    fn boolean(&mut self, typed: Typed) -> Tree {
        if !matches!(typed.holds, Type::Bool | Type::Any) {
            let written = self.text.get(crate::parse::within(self.text, typed.place.clone())).unwrap_or_default();
            let what = format!("`{written}` is {}; a condition is true or false", typed.holds.named());
            let help = match typed.tree {
                Tree::Field(_) => format!("compare it, as in `{written} == …`, or ask `exists({written})`"),
                _ => "compare it with something".to_owned(),
            };
            let fault = self.text.fault_in(crate::parse::within(self.text, typed.place), what).help(help);
            self.faults.push(fault);
        }
        typed.tree
    }

    fn expr(&mut self, node: Node<Expr>, wanted: Wanted) -> Result<Typed, OnlyVrl> {
        let place = node.span().range();
        let (tree, holds) = match node.into_inner() {
            Expr::Literal(literal) => self.literal(literal.into_inner(), &place)?,
            Expr::Container(container) => return self.container(container.into_inner(), place, wanted),
            Expr::IfStatement(node) => self.branch(node.into_inner(), wanted)?,
            Expr::Op(op) => self.op(op.into_inner(), &place, wanted)?,
            Expr::Query(query) => self.query(query.into_inner(), &place)?,
            Expr::FunctionCall(call) => self.call(call.into_inner(), &place)?,
            Expr::Unary(unary) => {
                let Unary::Not(not) = unary.into_inner();
                let (_, inner) = not.into_inner().take();
                (negated(self.truth(*inner)?), Type::Bool)
            }
            Expr::Assignment(_) | Expr::Variable(_) | Expr::Abort(_) | Expr::Return(_) | Expr::Break(_) => return Err(OnlyVrl),
        };
        Ok(Typed { tree, holds, place })
    }

    fn container(&mut self, container: Container, place: Range<usize>, wanted: Wanted) -> Result<Typed, OnlyVrl> {
        match container {
            Container::Group(group) => self.expr(group.into_inner().into_inner(), wanted),
            Container::Block(block) => self.block(block.into_inner(), wanted),
            Container::Array(array) => {
                let mut list = Vec::new();
                for element in array.into_inner() {
                    match self.expr(element, Wanted::Value)?.tree {
                        Tree::Constant(constant) => list.push(constant),
                        _ => return Ok(self.vrl(place, None)),
                    }
                }
                Ok(Typed { tree: Tree::Constant(Constant::List(list)), holds: Type::List, place })
            }
            Container::Object(_) => Ok(self.vrl(place, None)),
        }
    }

    fn block(&mut self, block: Block, wanted: Wanted) -> Result<Typed, OnlyVrl> {
        let [one] = <[Node<Expr>; 1]>::try_from(block.into_inner()).map_err(|_| OnlyVrl)?;
        self.expr(one, wanted)
    }

    fn branch(&mut self, node: IfStatement, wanted: Wanted) -> Result<(Tree, Type), OnlyVrl> {
        let Predicate::One(test) = node.predicate.into_inner() else { return Err(OnlyVrl) };
        let test = self.truth(*test)?;
        let yes = self.block(node.if_node.into_inner(), wanted)?;
        let no = match node.else_node {
            Some(block) => self.block(block.into_inner(), wanted)?,
            None => Typed { tree: Tree::Constant(Constant::Null), holds: Type::Any, place: 0..0 },
        };
        let holds = if yes.holds == no.holds { yes.holds } else { Type::Any };
        let (yes, no) = if wanted == Wanted::Truth { (self.boolean(yes), self.boolean(no)) } else { (yes.tree, no.tree) };
        match test {
            Tree::Constant(constant) => Ok((if constant == Constant::Bool(true) { yes } else { no }, holds)),
            test => Ok((Tree::If(Box::new([test, yes, no])), holds)),
        }
    }

    fn op(&mut self, op: Op, place: &Range<usize>, wanted: Wanted) -> Result<(Tree, Type), OnlyVrl> {
        if matches!(op.1.inner(), Opcode::And | Opcode::Or) {
            return self.logical(op, wanted);
        }
        let Op(left, code, right) = op;
        let comparison = match code.inner() {
            Opcode::Eq => Comparison::Equal,
            Opcode::Ne => Comparison::NotEqual,
            Opcode::Lt => Comparison::Less,
            Opcode::Le => Comparison::LessOrEqual,
            Opcode::Gt => Comparison::Greater,
            Opcode::Ge => Comparison::GreaterOrEqual,
            Opcode::Add => return self.calculate(Arithmetic::Add, *left, *right, place),
            Opcode::Sub => return self.calculate(Arithmetic::Subtract, *left, *right, place),
            Opcode::Mul => return self.calculate(Arithmetic::Multiply, *left, *right, place),
            Opcode::Div => return self.calculate(Arithmetic::Divide, *left, *right, place),
            Opcode::Err => return self.otherwise(*left, *right, place),
            Opcode::Merge | Opcode::And | Opcode::Or => return Ok(self.vrl(place.clone(), None).parts()),
        };
        let left = self.expr(*left, Wanted::Value)?;
        let right = self.expr(*right, Wanted::Value)?;
        Ok((self.compare(comparison, left, right), Type::Bool))
    }

    /// `??`: only what can fail has an otherwise; VRL says so of the rest.
    fn otherwise(&mut self, left: Node<Expr>, right: Node<Expr>, place: &Range<usize>) -> Result<(Tree, Type), OnlyVrl> {
        let Expr::FunctionCall(_) = left.inner() else { return Ok(self.vrl(place.clone(), None).parts()) };
        let left = self.expr(left, Wanted::Value)?;
        let right = self.expr(right, Wanted::Value)?;
        let holds = if left.holds == right.holds { left.holds } else { Type::Any };
        Ok((Tree::Else(Box::new([left.tree, right.tree])), holds))
    }

    fn calculate(&mut self, how: Arithmetic, left: Node<Expr>, right: Node<Expr>, place: &Range<usize>) -> Result<(Tree, Type), OnlyVrl> {
        let (left, right) = (self.expr(left, Wanted::Value)?, self.expr(right, Wanted::Value)?);
        let number = |t: Type| t.is_number() || t == Type::Any;
        if !number(left.holds) || !number(right.holds) {
            return Ok(self.vrl(place.clone(), None).parts());
        }
        let pair = Box::new([left.tree, right.tree]);
        Ok((Tree::Calculate(how, pair), Type::Number))
    }

    fn query(&mut self, query: Query, place: &Range<usize>) -> Result<(Tree, Type), OnlyVrl> {
        match query.target.inner() {
            QueryTarget::External(_) => {}
            QueryTarget::Internal(_) => return Err(OnlyVrl),
            QueryTarget::FunctionCall(call) => {
                let bang = call::may_fail(call);
                return Ok(self.vrl(place.clone(), bang).parts());
            }
            QueryTarget::Container(_) => return Ok(self.vrl(place.clone(), None).parts()),
        }
        match Path::find(&query.path.inner().segments, Kinds::ALL) {
            Ok(split) if split.rest.is_empty() => {
                let holds = split.path.holds();
                Ok((Tree::Field(split.path), holds))
            }
            _ => Ok(self.vrl(place.clone(), None).parts()),
        }
    }

    /// Leaves this piece to VRL.
    fn vrl(&mut self, range: Range<usize>, bang: Option<usize>) -> Typed {
        if self.levels > LEVELS_MAX {
            let what = format!("only VRL can do this, and the condition is {} levels deep; {LEVELS_MAX} are allowed then", self.levels);
            self.fault(range.clone(), what);
            return Typed { tree: FALSE, holds: Type::Any, place: range };
        }
        match Program::compile(self.text, &Piece { range: range.clone(), bang }) {
            Ok(program) => Typed { holds: program.gives(), tree: Tree::Vrl(Arc::new(program)), place: range },
            Err(faults) => {
                self.faults.extend(faults);
                Typed { tree: Tree::Constant(Constant::Null), holds: Type::Any, place: range }
            }
        }
    }
}

impl Typed {
    fn parts(self) -> (Tree, Type) {
        (self.tree, self.holds)
    }
}
