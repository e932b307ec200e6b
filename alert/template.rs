//! The part of Go's templates that rule files use in labels and annotations: `{{ $labels.name }}` and `{{ $value }}`.
//! Everything else is refused when the file is read, so that no alert goes out half filled.

use config::{Fault, Placed};
use std::collections::BTreeMap;

/// A text with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Label(String),
    Value,
}

impl Template {
    /// A text without holes.
    #[must_use]
    pub fn literal(text: &str) -> Template {
        Template(vec![Piece::Text(text.to_owned())])
    }

    /// Reads a text; the fault stands at the hole that is not understood.
    pub fn parse(text: &Placed<String>) -> Result<Template, Fault> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("{{") {
            let at = text.len() - after.len() - 2;
            let Some((hole, behind)) = after.split_once("}}") else {
                return Err(text.fault_in(at..text.len(), "`{{` is never closed").help("close it with `}}`"));
            };
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(piece(hole).ok_or_else(|| {
                let what = format!("`{{{{{hole}}}}}` is not understood in a template");
                text.fault_in(at..at + hole.len() + 4, what).help("there is {{ $labels.name }} and {{ $value }}")
            })?);
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        Ok(Template(pieces))
    }

    /// The text with its holes filled; a label that is missing or empty (of a trace whose root was not seen) reads `unknown`.
    #[must_use]
    pub fn fill(&self, labels: &BTreeMap<String, String>, value: f64) -> String {
        let fill = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Label(name) => labels.get(name).filter(|value| !value.is_empty()).cloned().unwrap_or_else(|| "unknown".to_owned()),
            Piece::Value => value.to_string(),
        };
        self.0.iter().map(fill).collect()
    }
}

fn piece(hole: &str) -> Option<Piece> {
    let hole = hole.trim_matches(|c: char| c.is_whitespace() || c == '-').trim();
    if hole == "$value" || hole == ".Value" {
        return Some(Piece::Value);
    }
    let name = hole.strip_prefix("$labels.").or_else(|| hole.strip_prefix(".Labels."))?;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
    plain.then(|| Piece::Label(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, Fault> {
        let labels = BTreeMap::from([("http.route".to_owned(), "/pay".to_owned()), ("service".to_owned(), "shop".to_owned())]);
        Template::parse(&Placed::nowhere(text.to_owned())).map(|t| t.fill(&labels, 3.0))
    }

    #[test]
    fn labels_and_the_value_are_filled_in() {
        assert_eq!(filled("{{ $value }} errors at {{$labels.http.route}} of {{ .Labels.service }}").unwrap(), "3 errors at /pay of shop");
        assert_eq!(filled("no hole").unwrap(), "no hole");
        assert_eq!(filled("{{ $labels.absent }}!").unwrap(), "unknown!");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert_eq!(filled("{{ humanize $value }}").unwrap_err().what, "`{{ humanize $value }}` is not understood in a template");
        assert_eq!(filled("{{ $value").unwrap_err().what, "`{{` is never closed");
    }
}
