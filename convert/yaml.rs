//! Writing YAML: short maps and lists in a line, longer ones over several, quotes where a reader could mistake a text.

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    /// A scalar as it stands.
    Plain(String),
    /// A text, quoted where needed.
    Text(String),
    /// A text of several lines.
    Block(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

/// Columns up to which a value stands in one line.
const WIDTH: usize = 150;

impl Yaml {
    /// A map with these entries, those without a value left out.
    pub(crate) fn map<const N: usize>(entries: [(&str, Option<Yaml>); N]) -> Yaml {
        Yaml::Map(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
    }

    pub(crate) fn text(text: impl Into<String>) -> Yaml {
        Yaml::Text(text.into())
    }

    pub(crate) fn plain(text: impl ToString) -> Yaml {
        Yaml::Plain(text.to_string())
    }

    pub(crate) fn texts(texts: impl IntoIterator<Item = String>) -> Yaml {
        Yaml::List(texts.into_iter().map(Yaml::Text).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Yaml::Map(entries) if entries.is_empty())
    }

    /// In one line; none for what needs several.
    fn flow(&self) -> Option<String> {
        match self {
            Yaml::Plain(text) => Some(text.clone()),
            Yaml::Text(text) => Some(quoted(text)),
            Yaml::Block(_) => None,
            Yaml::List(items) => Some(format!("[{}]", items.iter().map(Yaml::flow).collect::<Option<Vec<_>>>()?.join(", "))),
            Yaml::Map(entries) if entries.is_empty() => Some("{}".to_owned()),
            Yaml::Map(entries) => {
                let one = |(key, value): &(String, Yaml)| Some(format!("{}: {}", quoted(key), value.flow()?));
                Some(format!("{{ {} }}", entries.iter().map(one).collect::<Option<Vec<_>>>()?.join(", ")))
            }
        }
    }

    /// The lines of an entry with this key, at this depth.
    pub(crate) fn entry(&self, key: &str, indent: usize, out: &mut String) {
        let pad = " ".repeat(indent);
        let key = quoted(key);
        match self.flow().filter(|flow| flow.len() + key.len() + indent < WIDTH) {
            Some(flow) => out.push_str(&format!("{pad}{key}: {flow}\n")),
            None => match self {
                Yaml::Block(text) => {
                    out.push_str(&format!("{pad}{key}: |\n"));
                    text.lines().for_each(|line| out.push_str(&format!("{pad}  {line}\n")));
                }
                Yaml::List(items) => {
                    out.push_str(&format!("{pad}{key}:\n"));
                    items.iter().for_each(|item| out.push_str(&format!("{pad}  - {}\n", item.flow().unwrap_or_default())));
                }
                Yaml::Map(entries) => {
                    out.push_str(&format!("{pad}{key}:\n"));
                    entries.iter().for_each(|(key, value)| value.entry(key, indent + 2, out));
                }
                Yaml::Plain(text) => out.push_str(&format!("{pad}{key}: {text}\n")),
                Yaml::Text(text) => out.push_str(&format!("{pad}{key}: {}\n", quoted(text))),
            },
        }
    }
}

/// Plain where that is safe in every context, else in quotes.
fn quoted(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '.') && text.chars().all(safe);
    let address = text
        .split_once("://")
        .is_some_and(|(scheme, rest)| scheme.chars().all(|c| c.is_ascii_alphabetic()) && rest.chars().all(|c| safe(c) || c == ':'));
    let meant = ["true", "false", "null", "yes", "no", "on", "off", "."].iter().any(|word| text.eq_ignore_ascii_case(word));
    if (word || address) && !meant && !text.ends_with(':') {
        return text.to_owned();
    }
    if text.chars().any(char::is_control) {
        let escaped: String = text.chars().map(|c| if c.is_control() { format!("\\u{:04x}", c as u32) } else { escaped(c) }).collect();
        return format!("\"{escaped}\"");
    }
    format!("'{}'", text.replace('\'', "''"))
}

fn escaped(c: char) -> String {
    if "\"\\".contains(c) { format!("\\{c}") } else { c.to_string() }
}
