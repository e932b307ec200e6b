//! The words of a condition.

/// A word, a sign or a literal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a dotted path.
    Word(String),
    /// A text, decoded.
    Text(String),
    Number(String),
    Compare(&'static str),
    Sign(&'static str),
}

impl Token {
    pub(super) fn shown(&self) -> String {
        match self {
            Token::Word(text) | Token::Number(text) => text.clone(),
            Token::Text(text) => format!("{text:?}"),
            Token::Compare(sign) | Token::Sign(sign) => (*sign).to_owned(),
        }
    }
}

const COMPARES: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];
const SIGNS: [&str; 6] = ["(", ")", "[", "]", ",", "-"];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let (mut tokens, mut rest): (Vec<Token>, &str) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '"' => quoted(rest)?,
            c if c.is_ascii_digit() || (c == '-' && begins_a_number(&tokens, rest)) => {
                let end = rest.char_indices().skip(1).find(|(_, c)| !c.is_ascii_digit() && *c != '.').map_or(rest.len(), |(at, _)| at);
                (Token::Number(rest.get(..end).unwrap_or_default().to_owned()), rest.get(end..).unwrap_or_default())
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
                (Token::Word(rest.get(..end).unwrap_or_default().to_owned()), rest.get(end..).unwrap_or_default())
            }
            _ => {
                let known =
                    COMPARES.iter().map(|sign| (*sign, Token::Compare(sign))).chain(SIGNS.iter().map(|sign| (*sign, Token::Sign(sign))));
                let found = known.into_iter().find_map(|(sign, token)| Some((token, rest.strip_prefix(sign)?)));
                found.ok_or_else(|| format!("`{first}` is not understood"))?
            }
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

/// Whether a minus is a sign of the number behind it rather than a difference.
fn begins_a_number(before: &[Token], rest: &str) -> bool {
    let digit = rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit());
    digit && matches!(before.last(), None | Some(Token::Compare(_) | Token::Sign("(" | ",")))
}

fn quoted(rest: &str) -> Result<(Token, &str), String> {
    let (mut text, mut escaped) = (String::new(), false);
    for (at, c) in rest.char_indices().skip(1) {
        match (c, escaped) {
            ('\\', false) => escaped = true,
            ('"', false) => return Ok((Token::Text(text), rest.get(at + 1..).unwrap_or_default())),
            (c, true) => {
                // Patterns are full of escapes that are not those of a text.
                match c {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    '"' | '\\' => text.push(c),
                    c => text.extend(['\\', c]),
                }
                escaped = false;
            }
            (c, false) => text.push(c),
        }
    }
    Err("a text has no end".to_owned())
}
