//! `&&`, `||` and `!`, with what is known beforehand folded away.

use super::{Lower, OnlyVrl, Wanted};
use crate::{
    fields::Type,
    survey::chain,
    tree::{Constant, Tree},
};
use vrl::parser::ast::{Expr, Node, Op, Opcode};

impl Lower<'_> {
    /// A chain of `&&` and `||`, read from left to right.
    pub(super) fn logical(&mut self, op: Op, wanted: Wanted) -> Result<(Tree, Type), OnlyVrl> {
        let (first, rest) = chain(op);
        let start = first.start();
        if wanted == Wanted::Value && rest.iter().all(|(code, _)| *code == Opcode::Or) {
            return self.first_of(first, rest);
        }
        let mut tree = self.truth(first)?;
        let mut after_or = false;
        for (code, operand) in rest {
            let end = operand.end();
            let operand = self.truth(operand)?;
            if code == Opcode::Or {
                tree = any(tree, operand);
            } else {
                if after_or {
                    let what = "`||` before `&&` reads from left to right in VRL, as `(a || b) && c`; put the parentheses you mean";
                    self.fault(start..end, what);
                }
                tree = all(tree, operand);
            }
            after_or = code == Opcode::Or;
        }
        Ok((tree, Type::Bool))
    }

    fn first_of(&mut self, first: Node<Expr>, rest: Vec<(Opcode, Node<Expr>)>) -> Result<(Tree, Type), OnlyVrl> {
        let first = self.expr(first, Wanted::Value)?;
        let (mut holds, mut trees) = (first.holds, vec![first.tree]);
        for (_, operand) in rest {
            let operand = self.expr(operand, Wanted::Value)?;
            if operand.holds != holds {
                holds = Type::Any;
            }
            trees.push(operand.tree);
        }
        Ok((Tree::Or(trees), holds))
    }
}

const TRUE: Tree = Tree::Constant(Constant::Bool(true));
pub(super) const FALSE: Tree = Tree::Constant(Constant::Bool(false));

/// `!`.
pub(super) fn negated(tree: Tree) -> Tree {
    match tree {
        Tree::Constant(constant) => Tree::Constant(Constant::Bool(constant != Constant::Bool(true))),
        tree => Tree::Not(Box::new(tree)),
    }
}

fn all(left: Tree, right: Tree) -> Tree {
    match (left, right) {
        (Tree::Constant(known), other) | (other, Tree::Constant(known)) => {
            if known == Constant::Bool(true) {
                other
            } else {
                FALSE
            }
        }
        (Tree::All(mut trees), other) => {
            trees.push(other);
            Tree::All(trees)
        }
        (left, right) => Tree::All(vec![left, right]),
    }
}

fn any(left: Tree, right: Tree) -> Tree {
    match (left, right) {
        (Tree::Constant(known), other) | (other, Tree::Constant(known)) => {
            if known == Constant::Bool(true) {
                TRUE
            } else {
                other
            }
        }
        (Tree::Any(mut trees), other) => {
            trees.push(other);
            Tree::Any(trees)
        }
        (left, right) => Tree::Any(vec![left, right]),
    }
}
