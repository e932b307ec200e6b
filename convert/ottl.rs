//! Conditions and values of the Collector's transformation language as ours: comparisons, `and`, `or`, `not`, and the few functions that ask.

mod lexer;
mod paths;
#[cfg(test)]
mod tests;

use lexer::{Token, tokens};
use paths::Path;
pub(crate) use paths::{About, attribute, literal};

/// A condition of ours, or what in it has no counterpart.
pub(crate) fn condition(text: &str, about: About) -> Result<String, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, about, depth: 0 };
    let condition = parser.or()?;
    match parser.peek() {
        None => Ok(condition.text),
        Some(token) => Err(format!("`{}` is not understood", token.shown())),
    }
}

/// A statement that sets or deletes an attribute, with its `where`, as a program of ours.
pub(crate) fn statement(text: &str, about: About) -> Result<String, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, about, depth: 0 };
    let name = match parser.next() {
        Some(Token::Word(name)) => name,
        _ => return Err("a statement begins with the name of a function".to_owned()),
    };
    let does = match name.as_str() {
        "set" => {
            let [target, value] = parser.arguments()?.try_into().map_err(|_| "`set` takes a target and a value".to_owned())?;
            format!("{} = {}", target.writable()?, value.text()?)
        }
        "delete_key" => {
            let [target, key] = parser.arguments()?.try_into().map_err(|_| "`delete_key` takes a map and a key".to_owned())?;
            let Operand::Text(key) = key else { return Err("`delete_key` takes its key in quotes".to_owned()) };
            format!("del({}.{})", target.writable()?, literal(&key))
        }
        name => return Err(format!("there is no counterpart of `{name}`")),
    };
    match parser.next() {
        None => Ok(does),
        Some(Token::Word(word)) if word == "where" => {
            let condition = parser.or()?;
            match parser.peek() {
                None => Ok(format!("if {} {{ {does} }}", condition.text)),
                Some(token) => Err(format!("`{}` is not understood", token.shown())),
            }
        }
        Some(token) => Err(format!("`{}` is not understood", token.shown())),
    }
}

/// Brackets in one another at the most.
const DEPTH_MAX: usize = 32;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    about: About,
    depth: usize,
}

/// A part of a condition; `loose` where it needs brackets beside `&&` and `||`, which we read from left to right.
struct Clause {
    text: String,
    loose: bool,
}

impl Clause {
    fn tight(text: String) -> Clause {
        Clause { text, loose: false }
    }

    fn bracketed(self) -> String {
        if self.loose { format!("({})", self.text) } else { self.text }
    }
}

/// What stands on one side of a comparison.
#[derive(Clone, Debug)]
enum Operand {
    Path(Path),
    Text(String),
    Number(f64, String),
    Bool(bool),
    Nil,
    /// A name in capitals, such as `SPAN_KIND_SERVER`.
    Name(String),
}

impl Operand {
    fn text(self) -> Result<String, String> {
        match self {
            Operand::Path(path) => Ok(path.text),
            Operand::Text(text) => Ok(literal(&text)),
            Operand::Number(_, text) => Ok(text),
            Operand::Bool(yes) => Ok(yes.to_string()),
            Operand::Nil => Ok("null".to_owned()),
            Operand::Name(name) => paths::named(&name).ok_or_else(|| format!("`{name}` is not known here")),
        }
    }

    fn writable(self) -> Result<String, String> {
        match self {
            Operand::Path(path) if path.written => Ok(path.text),
            Operand::Path(path) => Err(format!("`{}` cannot be written here", path.text)),
            _ => Err("only a field can be set".to_owned()),
        }
    }
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(is);
        is
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(is);
        is
    }

    fn or(&mut self) -> Result<Clause, String> {
        let mut clauses = vec![self.and()?];
        while self.takes_word("or") {
            clauses.push(self.and()?);
        }
        Ok(joined(clauses, " || "))
    }

    fn and(&mut self) -> Result<Clause, String> {
        let mut clauses = vec![self.not()?];
        while self.takes_word("and") {
            clauses.push(self.not()?);
        }
        Ok(joined(clauses, " && "))
    }

    fn not(&mut self) -> Result<Clause, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("it is nested too deeply".to_owned());
        }
        if self.takes_word("not") {
            let clause = self.not()?;
            self.depth -= 1;
            return Ok(Clause::tight(format!("!({})", clause.text)));
        }
        let before = self.at;
        let clause = if self.takes("(") { self.bracketed() } else { self.comparison() };
        // A bracket may also begin an operand, as in `(end_time_unix_nano - start_time_unix_nano) > 5`.
        let clause = clause.or_else(|why| {
            let failed_at = std::mem::replace(&mut self.at, before);
            self.comparison().inspect_err(|_| self.at = failed_at).map_err(|_| why)
        });
        self.depth -= 1;
        clause
    }

    /// What stands in a bracket that was opened.
    fn bracketed(&mut self) -> Result<Clause, String> {
        let inner = self.or()?;
        match self.takes(")") && !matches!(self.peek(), Some(Token::Compare(_))) {
            true => Ok(Clause::tight(format!("({})", inner.text))),
            false => Err("a bracket stays open".to_owned()),
        }
    }

    fn comparison(&mut self) -> Result<Clause, String> {
        if let Some(asked) = self.question()? {
            let yes = match (self.tokens.get(self.at), self.tokens.get(self.at + 1)) {
                (Some(Token::Compare(sign @ ("==" | "!="))), Some(Token::Word(word))) if word == "true" || word == "false" => {
                    self.at += 2;
                    (*sign == "==") == (word == "true")
                }
                _ => true,
            };
            return Ok(Clause::tight(if yes { asked } else { format!("!{asked}") }));
        }
        let left = self.operand()?;
        let Some(Token::Compare(sign)) = self.peek().cloned() else {
            return match left {
                Operand::Bool(yes) => Ok(Clause::tight(yes.to_string())),
                Operand::Path(path) if path.is_bool => Ok(Clause::tight(path.text)),
                _ => Err("a comparison is expected".to_owned()),
            };
        };
        self.at += 1;
        let right = self.operand()?;
        compare(left, sign, right).map(Clause::tight)
    }

    /// A function that is a condition by itself.
    fn question(&mut self) -> Result<Option<String>, String> {
        let Some(Token::Word(name)) = self.peek().cloned() else { return Ok(None) };
        if !matches!(self.tokens.get(self.at + 1), Some(Token::Sign("("))) {
            return Ok(None);
        }
        self.at += 1;
        let mut arguments = self.arguments()?.into_iter();
        let (first, second) = (arguments.next(), arguments.next());
        let path = |operand: Option<Operand>| match operand {
            Some(Operand::Path(path)) => Ok(path.text),
            _ => Err(format!("`{name}` is asked of a field here")),
        };
        let text = |operand: Option<Operand>| match operand {
            Some(Operand::Text(text)) => Ok(text),
            _ => Err(format!("`{name}` takes a text in quotes here")),
        };
        match name.as_str() {
            "IsMatch" => Ok(Some(format!("match({}, {})", path(first)?, pattern(&text(second)?)?))),
            "HasPrefix" => Ok(Some(format!("starts_with({}, {})", path(first)?, literal(&text(second)?)))),
            "HasSuffix" => Ok(Some(format!("ends_with({}, {})", path(first)?, literal(&text(second)?)))),
            "IsRootSpan" => Ok(Some(".is_root".to_owned())),
            "HasAttrKeyOnDatapoint" if self.about == About::Point => Ok(Some(format!("exists({})", attribute(&text(first)?)))),
            "HasAttrOnDatapoint" if self.about == About::Point => {
                Ok(Some(format!("{} == {}", attribute(&text(first)?), literal(&text(second)?))))
            }
            _ => Err(format!("there is no counterpart of `{name}`")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Operand>, String> {
        let mut arguments = Vec::new();
        if !self.takes("(") {
            return Err("arguments in brackets are expected".to_owned());
        }
        while !self.takes(")") {
            arguments.push(self.operand()?);
            if !self.takes(",") && !matches!(self.peek(), Some(Token::Sign(")"))) {
                return Err("a bracket stays open".to_owned());
            }
        }
        Ok(arguments)
    }

    fn operand(&mut self) -> Result<Operand, String> {
        let bracket = self.takes("(");
        let first = self.simple()?;
        let operand = if self.takes("-") { difference(&first, &self.simple()?)? } else { first };
        if bracket && !self.takes(")") {
            return Err("a bracket stays open".to_owned());
        }
        Ok(operand)
    }

    fn simple(&mut self) -> Result<Operand, String> {
        match self.next() {
            Some(Token::Text(text)) => Ok(Operand::Text(text)),
            Some(Token::Number(text)) => {
                text.parse().map(|number| Operand::Number(number, text.clone())).map_err(|_| format!("`{text}` is no number"))
            }
            Some(Token::Word(word)) => match word.as_str() {
                "true" | "false" => Ok(Operand::Bool(word == "true")),
                "nil" => Ok(Operand::Nil),
                name if name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') => Ok(Operand::Name(word)),
                _ if matches!(self.peek(), Some(Token::Sign("("))) => Err(format!("there is no counterpart of `{word}`")),
                _ => {
                    let mut keys = Vec::new();
                    while self.takes("[") {
                        match self.next() {
                            Some(Token::Text(key)) if self.takes("]") => keys.push(key),
                            _ => return Err("a key in quotes is expected between `[` and `]`".to_owned()),
                        }
                    }
                    paths::path(&word, &keys, self.about).map(Operand::Path)
                }
            },
            Some(token) => Err(format!("`{}` is not understood", token.shown())),
            None => Err("it ends too early".to_owned()),
        }
    }
}

fn joined(mut clauses: Vec<Clause>, by: &str) -> Clause {
    match clauses.len() {
        0 | 1 => clauses.pop().unwrap_or(Clause { text: String::new(), loose: false }),
        _ => Clause { text: clauses.into_iter().map(Clause::bracketed).collect::<Vec<_>>().join(by), loose: true },
    }
}

/// The one difference that has a name here.
fn difference(from: &Operand, what: &Operand) -> Result<Operand, String> {
    match (from, what) {
        (Operand::Path(end), Operand::Path(start)) if end.text == ".end_time" && start.text == ".start_time" => {
            Ok(Operand::Path(Path::duration()))
        }
        _ => Err("there is no counterpart of this difference".to_owned()),
    }
}

fn compare(left: Operand, sign: &str, right: Operand) -> Result<String, String> {
    let (path, sign, other) = match (left, right) {
        (Operand::Path(path), other) => (path, sign, other),
        (other, Operand::Path(path)) => (path, turned(sign), other),
        _ => return Err("neither side of the comparison is a field".to_owned()),
    };
    let name = &path.text;
    match (other, sign) {
        (Operand::Nil, "==") => Ok(format!("!exists({name})")),
        (Operand::Nil, "!=") => Ok(format!("exists({name})")),
        (Operand::Bool(true), "==") | (Operand::Bool(false), "!=") if path.is_bool => Ok(name.clone()),
        (Operand::Bool(false), "==") | (Operand::Bool(true), "!=") if path.is_bool => Ok(format!("!{name}")),
        (Operand::Number(number, _), sign) if path.scale != 1.0 => Ok(format!("{name} {sign} {}", number * path.scale)),
        (Operand::Name(word), sign) => {
            let value = paths::named_for(name, &word).ok_or_else(|| format!("`{word}` is not known of `{name}`"))?;
            Ok(format!("{name} {sign} {value}"))
        }
        (Operand::Text(text), "==" | "!=") if name == ".parent_span_id" && text.is_empty() => {
            Ok(if sign == "==" { ".is_root".to_owned() } else { "!.is_root".to_owned() })
        }
        (Operand::Text(text), sign) if name == ".kind" => Ok(format!("{name} {sign} {}", literal(&text.to_lowercase()))),
        (other, sign) => Ok(format!("{name} {sign} {}", other.text()?)),
    }
}

fn turned(sign: &str) -> &str {
    match sign {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    }
}

/// A regular expression as a literal of ours.
pub(crate) fn pattern(text: &str) -> Result<String, String> {
    if text.contains('\'') {
        Err("a regular expression with `'` in it cannot be written here".to_owned())
    } else {
        Ok(format!("r'{text}'"))
    }
}
