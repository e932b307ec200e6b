//! One walk over a syntax tree before anything is compiled: every field is one of the table's, every function is offered, nothing read-only is written.

use crate::{
    fields,
    functions::{self, Refused},
    parse,
    path::Path,
    script,
};
use config::{Fault, Placed, nearest};
use signal::Kinds;
use std::ops::Range;
use vrl::{
    diagnostic::Span,
    parser::ast::{Assignment, AssignmentTarget, Container, Expr, FunctionCall, Node, Op, Opcode, Predicate, Query, QueryTarget, Unary},
    path::{OwnedSegment, PathPrefix},
};

/// What a program does with the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// It asks only.
    Condition,
    /// It also writes.
    Script,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The kinds that have one of its fields; none if it has no field.
    pub(crate) fields_of: Option<Kinds>,
    /// Whether it asks for the time.
    pub(crate) asks_clock: bool,
    /// How deep its tree is as VRL sees it, where each `&&` and `||` is a level.
    pub(crate) levels: usize,
}

/// How deep an expression may be nested; a chain of `&&` and `||` is one level to the matcher. VRL's compiler takes about 20 KiB of stack a level when built for debugging.
pub(crate) const LEVELS_MAX: usize = 64;

/// Walks the statements and notes every fault.
pub(crate) fn survey(text: &Placed<String>, program: &[Node<Expr>], takes: Kinds, intent: Intent) -> Result<Survey, Vec<Fault>> {
    let mut walk = Walk { text, takes, intent, level: 0, variables: Vec::new(), found: Survey::default(), faults: Vec::new() };
    for statement in program {
        walk.expr(statement.clone());
    }
    walk.faults.dedup();
    if walk.faults.is_empty() { Ok(walk.found) } else { Err(walk.faults) }
}

/// The operands of a chain of `&&` and `||`, or the two of any other operator. VRL nests such a chain to the left; here it is taken apart without recursion.
pub(crate) fn chain(op: Op) -> (Node<Expr>, Vec<(Opcode, Node<Expr>)>) {
    let mut rest = Vec::new();
    let mut op = op;
    loop {
        let Op(left, code, right) = op;
        let logical = |code: &Node<Opcode>| matches!(code.inner(), Opcode::And | Opcode::Or);
        let chained = logical(&code) && matches!(left.inner(), Expr::Op(inner) if logical(&inner.inner().1));
        rest.push((*code.inner(), *right));
        match (*left).into_spanned() {
            (_, Expr::Op(inner), _) if chained => op = inner.into_inner(),
            (start, left, end) => {
                rest.reverse();
                return (Node::new(Span::new(start, end), left), rest);
            }
        }
    }
}

struct Walk<'t> {
    text: &'t Placed<String>,
    takes: Kinds,
    intent: Intent,
    level: usize,
    /// Names assigned or bound so far.
    variables: Vec<String>,
    found: Survey,
    faults: Vec<Fault>,
}

impl Walk<'_> {
    fn expr(&mut self, node: Node<Expr>) {
        if self.level == LEVELS_MAX {
            self.fault(node.span().range(), format!("this is nested deeper than {LEVELS_MAX} levels"));
            return;
        }
        self.level += 1;
        self.found.levels = self.found.levels.max(self.level);
        self.within(node);
        self.level -= 1;
    }

    fn within(&mut self, node: Node<Expr>) {
        match node.into_inner() {
            Expr::Literal(_) | Expr::Break(_) => {}
            Expr::Variable(name) => self.variable(name.inner(), name.span()),
            Expr::Container(container) => self.container(container.into_inner()),
            Expr::IfStatement(node) => {
                let node = node.into_inner();
                match node.predicate.into_inner() {
                    Predicate::One(one) => self.expr(*one),
                    Predicate::Many(many) => self.all(many),
                }
                self.all(node.if_node.into_inner().into_inner());
                self.all(node.else_node.into_iter().flat_map(|b| b.into_inner().into_inner()));
            }
            Expr::Op(op) => {
                let (first, rest) = chain(op.into_inner());
                self.dashed(&first, &rest);
                self.found.levels = self.found.levels.max(self.level + rest.len());
                self.expr(first);
                self.all(rest.into_iter().map(|(_, operand)| operand));
            }
            Expr::Assignment(assignment) => self.assignment(assignment.into_inner()),
            Expr::Query(query) => {
                let span = query.span();
                self.query(query.into_inner(), span);
            }
            Expr::FunctionCall(call) => self.call(call.into_inner()),
            Expr::Unary(unary) => {
                let Unary::Not(not) = unary.into_inner();
                self.expr(*not.into_inner().take().1);
            }
            Expr::Abort(abort) => self.all(abort.into_inner().message.map(|m| *m)),
            Expr::Return(value) => self.expr(*value.into_inner().expr),
        }
    }

    fn all(&mut self, nodes: impl IntoIterator<Item = Node<Expr>>) {
        for node in nodes {
            self.expr(node);
        }
    }

    fn container(&mut self, container: Container) {
        match container {
            Container::Group(group) => self.expr(group.into_inner().into_inner()),
            Container::Block(block) => self.all(block.into_inner().into_inner()),
            Container::Array(array) => self.all(array.into_inner()),
            Container::Object(object) => self.all(object.into_inner().into_iter().map(|(_, value)| value)),
        }
    }

    fn call(&mut self, call: FunctionCall) {
        let place = call.ident.span().range();
        let name: &str = call.ident.inner();
        match functions::offered(name) {
            Ok(()) => {}
            Err(Refused::Outside) => {
                self.fault(place, format!("`{name}` is not offered: an expression may not reach outside or be random"))
            }
            Err(Refused::Unknown) => {
                let near = nearest(name, functions::names()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                self.fault(place, format!("`{name}` is no function{near}"));
            }
        }
        self.found.asks_clock |= name == "now";
        let deletes = name == "del";
        for argument in call.arguments {
            let argument = argument.into_inner();
            if argument.ident.as_ref().is_some_and(|i| &***i == "alias_sources") {
                let place = argument.expr.span().range();
                self.fault(place, "`alias_sources` reads files, which an expression may not; put the patterns into `aliases`".to_owned());
            }
            if deletes && let Expr::Query(query) = argument.expr.inner() {
                self.write(query.inner(), query.span());
            }
            self.expr(argument.expr);
        }
        if let Some(closure) = call.closure {
            let closure = closure.into_inner();
            self.variables.extend(closure.variables.iter().map(|name| name.inner().to_string()));
            self.all(closure.block.into_inner().into_inner());
        }
    }

    fn assignment(&mut self, assignment: Assignment) {
        // VRL itself finds a variable that is read before it is written.
        let (targets, value) = match assignment {
            Assignment::Single { target, expr, .. } => (vec![target], expr),
            Assignment::Infallible { ok, err, expr, .. } => (vec![ok, err], expr),
        };
        for target in targets {
            let span = target.span();
            if let AssignmentTarget::Internal(name, _) = target.inner() {
                self.variables.push(name.to_string());
            }
            if let AssignmentTarget::Query(query) = target.into_inner() {
                self.write(&query, span);
                let literal = (self.intent == Intent::Script).then(|| script::never_taken(&query, value.inner())).flatten();
                if let Some(what) = literal {
                    self.fault(value.span().range(), what);
                }
                self.query(query, span);
            }
        }
        self.expr(*value);
    }

    fn query(&mut self, query: Query, span: Span) {
        match query.target.into_inner() {
            QueryTarget::Internal(name) => self.variable(&name, span),
            QueryTarget::FunctionCall(call) => self.call(call),
            QueryTarget::Container(container) => self.container(container),
            QueryTarget::External(PathPrefix::Metadata) => {
                self.fault(span.range(), "there is no metadata here; fields begin with `.`".to_owned());
            }
            QueryTarget::External(PathPrefix::Event) => self.field(&query.path.into_inner().segments, span),
        }
    }

    fn field(&mut self, segments: &[OwnedSegment], span: Span) {
        if segments.is_empty() {
            if self.intent == Intent::Condition {
                self.fault(span.range(), "a condition asks for a field, such as `.name`, not for the whole record".to_owned());
            }
            return;
        }
        match Path::find(segments, self.takes) {
            Ok(split) => {
                let of = split.path.entry.of.common(self.takes);
                self.found.fields_of = Some(self.found.fields_of.unwrap_or_default().and(of));
            }
            Err(no) => {
                let place = self.part(span, &no.part);
                self.fault(place, no.what);
            }
        }
    }

    fn variable(&mut self, name: &str, span: Span) {
        if self.variables.iter().any(|known| known == name) {
            return;
        }
        let what = match fields::entry(name) {
            Some(_) => format!("`{name}` is no variable; did you mean the field `.{name}`?"),
            None if name.starts_with(|c: char| c.is_ascii_digit()) => format!("`{name}` is no number; write it without a unit"),
            None => format!("`{name}` is no variable; fields begin with a dot, text stands in double quotes"),
        };
        self.fault(span.range(), what);
    }

    /// A key with a dash reads as a subtraction.
    fn dashed(&mut self, first: &Node<Expr>, rest: &[(Opcode, Node<Expr>)]) {
        let [(Opcode::Sub, second)] = rest else { return };
        let (Expr::Query(left), Expr::Variable(right)) = (first.inner(), second.inner()) else { return };
        let key = left.inner().path.inner().segments.last().map(ToString::to_string).unwrap_or_default();
        if first.end() + 1 == second.start() && !self.variables.iter().any(|known| *known == **right.inner()) {
            let what = format!("a key with a dash stands in quotes, as in `.attributes.\"{key}-{}\"`", right.inner());
            self.fault(first.start()..second.end(), what);
            self.variables.push(right.inner().to_string());
        }
    }

    fn write(&mut self, query: &Query, span: Span) {
        if self.intent == Intent::Condition || !matches!(query.target.inner(), QueryTarget::External(PathPrefix::Event)) {
            if self.intent == Intent::Condition && matches!(query.target.inner(), QueryTarget::External(_)) {
                self.fault(span.range(), "a condition changes nothing; `==` compares, and a `transform` writes".to_owned());
            }
            return;
        }
        let segments = &query.path.inner().segments;
        let writable = |takes: Kinds| {
            let names: Vec<String> =
                fields::FIELDS.iter().filter(|e| !e.writable.common(takes).is_none()).map(|e| format!("`.{}`", e.name)).collect();
            names.join(", ")
        };
        let takes = self.takes;
        match Path::find(segments, takes) {
            Err(_) if segments.is_empty() => {
                let what = format!("the record as a whole cannot be written; written can be {}", writable(takes));
                self.fault(span.range(), what);
            }
            Ok(split) if split.path.entry.writable.common(takes).is_none() => {
                let what = format!("`.{}` cannot be written; written can be {}", split.path.entry.name, writable(takes));
                self.fault(span.range(), what);
            }
            _ => {}
        }
    }

    /// The range of a path's part within the path.
    fn part(&self, span: Span, part: &str) -> Range<usize> {
        let whole = parse::within(self.text, span.range());
        let Some(at) = self.text.get(whole.clone()).and_then(|t| t.find(part)).filter(|_| !part.is_empty()) else { return whole };
        whole.start + at..whole.start + at + part.len()
    }

    fn fault(&mut self, place: Range<usize>, what: String) {
        self.faults.push(self.text.fault_in(parse::within(self.text, place), what));
    }
}
