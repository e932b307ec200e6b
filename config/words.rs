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

/// Words that need more than another word: the word, a key that must be known here for it to apply (or none), and the advice.
const TOLD: &[(&str, &str, &str)] = &[
    ("protocols", "grpc", "`grpc` and `http` stand here without `protocols`"),
    ("endpoint", "grpc", "write `grpc: { listen: … }` or `http: { listen: … }`"),
    ("address", "grpc", "write `grpc: { listen: … }` or `http: { listen: … }`"),
    ("listen", "grpc", "write `grpc: { listen: … }` or `http: { listen: … }`"),
    ("port", "grpc", "write `grpc: { listen: … }` or `http: { listen: … }`"),
    ("service", "sources", "a node names its `inputs`; nothing else connects them"),
    ("pipelines", "sources", "a node names its `inputs`; nothing else connects them"),
    ("pipeline", "sources", "a node names its `inputs`; nothing else connects them"),
    ("connectors", "sources", "a node names its `inputs`; nothing else connects them"),
    ("outputs", "", "a node names whom it reads in `inputs`, never whom it feeds"),
    ("output", "", "a node names whom it reads in `inputs`, never whom it feeds"),
];

/// What this place calls a word of another tool.
fn ours<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let (_, ours) = FOREIGN.iter().find(|(foreign, _)| *foreign == word)?;
    ours.iter().find_map(|o| known.iter().copied().find(|k| k == o))
}

/// The advice for a word that is none of `known`: our word for it, the nearest, or all of them. None if nothing is known.
#[must_use]
pub fn advice(word: &str, known: &[&str]) -> Option<String> {
    let folded = word.to_ascii_lowercase().replace(['.', '-'], "_");
    if let Some(ours) = ours(&folded, known) {
        return Some(format!("it is called `{ours}` here"));
    }
    if let Some((.., told)) = TOLD.iter().find(|(foreign, at, _)| *foreign == folded && (at.is_empty() || known.contains(at))) {
        return Some((*told).to_owned());
    }
    if let Some(near) = nearest(word, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    // A slip in a word of another tool.
    let slip = FOREIGN.iter().find(|(foreign, _)| foreign.len() > 5 && folded.len() < 32 && strsim::osa_distance(foreign, &folded) <= 2);
    if let Some(ours) = slip.and_then(|(foreign, _)| ours(foreign, known)) {
        return Some(format!("it is called `{ours}` here"));
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
        assert_eq!(advice("endpoint", &["grpc", "http"]).as_deref(), Some("write `grpc: { listen: … }` or `http: { listen: … }`"));
        assert_eq!(advice("protocols", &["grpc", "http"]).as_deref(), Some("`grpc` and `http` stand here without `protocols`"));
        assert_eq!(advice("outputs", &["path"]).as_deref(), Some("a node names whom it reads in `inputs`, never whom it feeds"));
        assert_eq!(advice("condition", &["path", "limit"]).as_deref(), Some("one of: path, limit"));
    }

    #[test]
    fn an_unknown_word_gets_the_nearest_or_all() {
        assert_eq!(advice("idl", &["idle", "after_root"]).as_deref(), Some("did you mean `idle`?"));
        assert_eq!(advice("zzz", &["idle"]).as_deref(), Some("the only word here is `idle`"));
        assert_eq!(advice("zzz", &[]), None);
    }
}
