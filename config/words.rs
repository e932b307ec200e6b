//! The words of other tools, and what ours are for them; and the advice for a word that is not known.

use crate::nearest;

/// What somebody coming from another tool writes, and what it is called here, the likeliest first.
const FOREIGN: &[(&str, &[&str])] = &[
    ("addr", &["listen", "endpoint"]),
    ("address", &["listen", "endpoint"]),
    ("bind", &["listen"]),
    ("bootstrap_servers", &["brokers"]),
    ("condition", &["when", "keep", "drop"]),
    ("endpoint", &["listen", "url"]),
    ("exclude", &["drop"]),
    ("exporters", &["sinks"]),
    ("extensions", &["admin"]),
    ("filters", &["processors"]),
    ("group_id", &["group"]),
    ("host", &["listen", "endpoint"]),
    ("include", &["keep"]),
    ("inputs", &["sources"]),
    ("listen", &["endpoint"]),
    ("outputs", &["sinks"]),
    ("partition_key", &["key"]),
    ("policies", &["rules"]),
    ("port", &["listen"]),
    ("probability", &["keep"]),
    ("rate", &["keep"]),
    ("receivers", &["sources"]),
    ("retention", &["retain"]),
    ("sampling_percentage", &["keep"]),
    ("script", &["vrl"]),
    ("source", &["vrl"]),
    ("statements", &["vrl"]),
    ("target", &["endpoint"]),
    ("telemetry", &["admin"]),
    ("threshold", &["when"]),
    ("topics", &["topic"]),
    ("transforms", &["processors"]),
    ("ttl", &["retain"]),
    ("url", &["endpoint"]),
];

/// What this place calls a word of another tool.
#[must_use]
pub(crate) fn ours<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace(['.', '-'], "_");
    let (_, ours) = FOREIGN.iter().find(|(foreign, _)| *foreign == word)?;
    ours.iter().find_map(|o| known.iter().copied().find(|k| k == o))
}

/// The advice for a word that is none of `known`: our word for it, the nearest, or all of them.
#[must_use]
pub(crate) fn advice(word: &str, known: &[&str]) -> Option<String> {
    if let Some(ours) = ours(word, known) {
        return Some(format!("it is called `{ours}` here"));
    }
    if let Some(near) = nearest(word, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    match known {
        [] => None,
        [one] => Some(format!("the only word here is `{one}`")),
        _ => Some(format!("one of: {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn a_foreign_word_gets_ours_only_where_ours_exists() {
        assert_eq!(advice("condition", &["name", "when"]).as_deref(), Some("it is called `when` here"));
        assert_eq!(advice("condition", &["keep", "drop"]).as_deref(), Some("it is called `keep` here"));
        assert_eq!(advice("endpoint", &["listen", "tls"]).as_deref(), Some("it is called `listen` here"));
        assert_eq!(advice("listen", &["endpoint", "tls"]).as_deref(), Some("it is called `endpoint` here"));
        assert_eq!(advice("bootstrap.servers", &["brokers", "topic"]).as_deref(), Some("it is called `brokers` here"));
        assert_eq!(advice("condition", &["path", "limit"]).as_deref(), Some("one of: path, limit"));
    }

    #[test]
    fn an_unknown_word_gets_the_nearest_or_all() {
        assert_eq!(advice("idl", &["idle", "after_root"]).as_deref(), Some("did you mean `idle`?"));
        assert_eq!(advice("zzz", &["idle"]).as_deref(), Some("the only word here is `idle`"));
        assert_eq!(advice("zzz", &[]), None);
    }
}
