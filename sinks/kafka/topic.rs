//! The name of the topic, or of the topic for each signal.

use config::{Fault, Placed};
use signal::Signal;
use std::fmt;

/// What a name may have (Kafka's `Topic.java`).
const NAME_BYTES_MAX: usize = 249;
const PLACEHOLDER: &str = "{signal}";

/// A topic for each signal, in their order; the same for all where the name does not tell them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topics {
    written: String,
    names: [String; 3],
}

impl Topics {
    pub(super) fn of(written: &Placed<String>) -> Result<Topics, Fault> {
        let text = written.as_str();
        let mut rest = 0..text.len();
        while let Some(open) = text[rest.clone()].find(['{', '}']) {
            let start = rest.start + open;
            let end = text[start..].find('}').map_or(text.len(), |close| start + close + 1);
            if &text[start..end] != PLACEHOLDER {
                let fault = written.fault_in(start..end, format!("`{}` stands for nothing in the name of a topic", &text[start..end]));
                return Err(fault.help(format!("`{PLACEHOLDER}` stands for traces, logs or metrics")));
            }
            rest.start = end;
        }
        let names = Signal::ALL.map(|signal| text.replace(PLACEHOLDER, &signal.to_string()));
        let no_name = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if let Some((at, wrong)) = text.char_indices().find(|(_, c)| !matches!(c, '{' | '}') && no_name(*c)) {
            let fault = written.fault_in(at..at + wrong.len_utf8(), format!("a topic's name has no `{wrong}`"));
            return Err(fault.help("letters, digits, `.`, `_` and `-` are what Kafka takes"));
        }
        if names.iter().any(|name| name.len() > NAME_BYTES_MAX) {
            return Err(written.fault(format!("a topic's name has at most {NAME_BYTES_MAX} characters")));
        }
        if matches!(text, "." | "..") {
            return Err(written.fault(format!("`{text}` is no name of a topic")));
        }
        Ok(Topics { written: text.to_owned(), names })
    }

    pub(super) fn of_signal(&self, signal: Signal) -> &str {
        &self.names[signal.number()]
    }

    /// One that is written to, to ask the cluster about.
    pub(super) fn any(&self) -> &str {
        &self.names[0]
    }
}

impl fmt::Display for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic {}", self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(text: &str) -> Result<[String; 3], String> {
        Topics::of(&Placed::nowhere(text.to_owned())).map(|topics| topics.names).map_err(|fault| fault.what)
    }

    #[test]
    fn a_topic_is_for_all_or_for_each_signal() {
        assert_eq!(topics("telemetry").unwrap(), ["telemetry"; 3]);
        assert_eq!(topics("otlp.{signal}-v1").unwrap(), ["otlp.traces-v1", "otlp.logs-v1", "otlp.metrics-v1"]);
    }

    #[test]
    fn what_is_no_topic_is_said() {
        for (text, said) in [
            ("otlp_{kind}", "`{kind}` stands for nothing in the name of a topic"),
            ("otlp_{signal", "`{signal` stands for nothing in the name of a topic"),
            ("otlp_signal}", "`}` stands for nothing in the name of a topic"),
            ("tele metry", "a topic's name has no ` `"),
            ("tele/метрия", "a topic's name has no `/`"),
            ("..", "`..` is no name of a topic"),
        ] {
            assert_eq!(topics(text).unwrap_err(), said);
        }
        assert_eq!(topics(&"x".repeat(250)).unwrap_err(), "a topic's name has at most 249 characters");
    }
}
