//! Fields and names of the Collector's language as ours.

/// What a condition is asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    Span,
    Log,
    Metric,
    Point,
}

/// A field of ours.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) text: String,
    /// What a number of theirs is multiplied with.
    pub(super) scale: f64,
    pub(super) is_bool: bool,
    /// Whether a program may write it.
    pub(super) written: bool,
}

impl Path {
    fn read(text: &str) -> Path {
        Path { text: text.to_owned(), scale: 1.0, is_bool: false, written: false }
    }

    fn written(text: &str) -> Path {
        Path { written: true, ..Path::read(text) }
    }

    /// End minus start, which they count in nanoseconds.
    pub(super) fn duration() -> Path {
        Path { scale: 1e-6, ..Path::read(".duration_ms") }
    }
}

/// A text as a literal.
pub(crate) fn literal(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t"))
}

/// An attribute of the record itself.
pub(crate) fn attribute(key: &str) -> String {
    format!(".attributes.{}", literal(key))
}

pub(super) fn path(word: &str, keys: &[String], about: About) -> Result<Path, String> {
    let unknown = || format!("there is no field like `{word}` here");
    let below = |map: &str| {
        let keys: String = keys.iter().map(|key| format!(".{}", literal(key))).collect();
        Ok(Path::written(&format!("{map}{keys}")))
    };
    let (context, rest) = word.split_once('.').unwrap_or(("", word));
    let (of, field) = match (context, about) {
        ("resource", _) if rest == "attributes" => return below(".resource"),
        ("scope" | "instrumentation_scope", _) => {
            return match rest {
                "name" => Ok(Path::read(".scope.name")),
                "version" => Ok(Path::read(".scope.version")),
                _ => Err(unknown()),
            };
        }
        ("span", About::Span) | ("log", About::Log) | ("metric", About::Metric) | ("datapoint", About::Point) => (about, rest),
        ("metric", About::Point) => (About::Metric, rest),
        _ => (about, word),
    };
    if field == "attributes" && of != About::Metric {
        return below(".attributes");
    }
    if !keys.is_empty() {
        return Err(unknown());
    }
    let yes = |text: &str| Path { is_bool: true, ..Path::read(text) };
    match (of, field) {
        (About::Span | About::Metric, "name") => Ok(Path::written(".name")),
        (About::Span, "kind" | "kind.string" | "kind.deprecated_string") => Ok(Path::read(".kind")),
        (About::Span, "status.code") => Ok(Path::written(".status")),
        (About::Span, "status.message") => Ok(Path::written(".status_message")),
        (About::Span, "trace_state") => Ok(Path::read(".trace_state")),
        (About::Span, "start_time_unix_nano") => Ok(Path::read(".start_time")),
        (About::Span, "end_time_unix_nano") => Ok(Path::read(".end_time")),
        (About::Span, "parent_span_id.string") => Ok(Path::read(".parent_span_id")),
        (About::Span | About::Log, "trace_id.string") => Ok(Path::read(".trace_id")),
        (About::Span | About::Log, "span_id.string") => Ok(Path::read(".span_id")),
        (About::Log, "body" | "body.string") => Ok(Path::read(".message")),
        (About::Log, "severity_number") => Ok(Path::written(".severity_number")),
        (About::Log, "severity_text") => Ok(Path::written(".severity_text")),
        (About::Log, "event_name") => Ok(Path::read(".event_name")),
        (About::Metric, "unit") => Ok(Path::read(".unit")),
        (About::Metric, "type") => Ok(Path::read(".type")),
        (About::Metric, "aggregation_temporality") => Ok(Path::read(".temporality")),
        (About::Metric, "is_monotonic") => Ok(yes(".monotonic")),
        (About::Point, "value_int" | "value_double") => Ok(Path::read(".value")),
        (About::Point, "count") => Ok(Path::read(".count")),
        (About::Point, "sum") => Ok(Path::read(".sum")),
        (About::Point, "min") => Ok(Path::read(".min")),
        (About::Point, "max") => Ok(Path::read(".max")),
        _ => Err(unknown()),
    }
}

/// A name of theirs where its field is known.
pub(super) fn named_for(field: &str, name: &str) -> Option<String> {
    let fits = match field {
        ".kind" => name.starts_with("SPAN_KIND_"),
        ".status" => name.starts_with("STATUS_CODE_"),
        ".severity_number" => name.starts_with("SEVERITY_NUMBER_"),
        ".type" => name.starts_with("METRIC_DATA_TYPE_"),
        ".temporality" => name.starts_with("AGGREGATION_TEMPORALITY_"),
        _ => false,
    };
    if fits { named(name) } else { None }
}

/// A name of theirs as a literal of ours.
pub(super) fn named(name: &str) -> Option<String> {
    if let Some(level) = name.strip_prefix("SEVERITY_NUMBER_") {
        let (word, step) = match level.strip_suffix(|c: char| c.is_ascii_digit()) {
            Some(word) => (word, level.chars().last()?.to_digit(10)?),
            None => (level, 1),
        };
        let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
        if word == "UNSPECIFIED" {
            return Some("0".to_owned());
        }
        let level = u32::try_from(levels.iter().position(|known| *known == word)?).ok()?;
        return Some((level * 4 + step).to_string());
    }
    let word = ["SPAN_KIND_", "STATUS_CODE_", "METRIC_DATA_TYPE_", "AGGREGATION_TEMPORALITY_"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))?;
    Some(literal(&word.to_lowercase()))
}
