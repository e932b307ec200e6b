//! What a line says that also a span says: evidence that the line was written on behalf of the span, where neither names the other.

use memchr::memmem;
use signal::{
    text,
    view::{Any, Attributes, LogRecord, Span, Status},
};

/// Of each value that is compared.
const VALUE_BYTES_MAX: usize = 128;

/// What of a span may stand in the lines that were written in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Clues {
    thread: Box<str>,
    thread_id: Option<i64>,
    request: Box<str>,
    path: Box<str>,
    client: Box<str>,
    method: Box<str>,
    status: Option<i64>,
    failed: bool,
}

/// Which clues a line has of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Evidence(u8);

impl Evidence {
    const THREAD: Evidence = Evidence(1);
    const REQUEST: Evidence = Evidence(2);
    const PATH: Evidence = Evidence(4);
    const CLIENT: Evidence = Evidence(8);
    const FAILED: Evidence = Evidence(16);
    const METHOD: Evidence = Evidence(32);
    const STATUS: Evidence = Evidence(64);

    /// How many times as probable each makes it that the line belongs to the trace.
    const WEIGHTS: [(Evidence, f64); 7] = [
        (Evidence::THREAD, 1_000.0),
        (Evidence::REQUEST, 1_000.0),
        (Evidence::PATH, 20.0),
        (Evidence::CLIENT, 5.0),
        (Evidence::FAILED, 5.0),
        (Evidence::METHOD, 3.0),
        (Evidence::STATUS, 3.0),
    ];

    /// Both together: a trace has the clues of all its spans.
    pub(super) fn and(self, other: Evidence) -> Evidence {
        Evidence(self.0 | other.0)
    }

    /// How many times as probable all of it makes it.
    pub(super) fn weight(self) -> f64 {
        Evidence::WEIGHTS.iter().filter(|(clue, _)| self.0 & clue.0 != 0).map(|(_, weight)| weight).product()
    }
}

impl Clues {
    /// What is worth comparing of a span; `request_ids` are the attributes that hold the id of a request.
    pub(super) fn of(span: &Span<'_>, request_ids: &[String]) -> Clues {
        let mut clues = Clues { failed: span.status() == Status::Error, ..Clues::default() };
        for (key, value) in span.attributes().iter() {
            let words = || short(value);
            match key {
                "thread.name" => clues.thread = words(),
                "thread.id" => clues.thread_id = int(value),
                "url.path" | "http.target" => clues.path = words(),
                "client.address" | "http.client_ip" => clues.client = words(),
                "http.request.method" | "http.method" => clues.method = words(),
                "http.response.status_code" | "http.status_code" => clues.status = int(value),
                key if request_ids.iter().any(|known| known == key) => clues.request = words(),
                _ => {}
            }
        }
        clues
    }

    /// Allocated bytes.
    pub(super) fn bytes(&self) -> usize {
        [&self.thread, &self.request, &self.path, &self.client, &self.method].iter().map(|text| text.len()).sum()
    }

    /// Which of them the log has.
    pub(super) fn on(&self, log: &Line<'_>) -> Evidence {
        let status = self.status.map(|status| status.to_string()).unwrap_or_default();
        let thread_id = self.thread_id.is_some() && self.thread_id == log.thread_id;
        [
            (Evidence::THREAD, thread_id || log.has(&self.thread)),
            (Evidence::REQUEST, log.has(&self.request)),
            // A root path is in every line with a slash.
            (Evidence::PATH, self.path.len() > 1 && log.has(&self.path)),
            (Evidence::CLIENT, log.has(&self.client)),
            (Evidence::FAILED, self.failed && log.is_error),
            (Evidence::METHOD, log.has(&self.method)),
            (Evidence::STATUS, log.has(&status)),
        ]
        .into_iter()
        .filter(|(_, found)| *found)
        .fold(Evidence::default(), |all, (clue, _)| all.and(clue))
    }
}

fn short(value: Any<'_>) -> Box<str> {
    let first = if let Any::List(list) = value { list.iter().next() } else { Some(value) };
    text::head(first.and_then(|value| value.text()).unwrap_or_default(), VALUE_BYTES_MAX).into()
}

fn int(value: Any<'_>) -> Option<i64> {
    if let Any::Int(number) = value { Some(number) } else { None }
}

/// A log, as far as clues are looked for on it.
pub(super) struct Line<'a> {
    text: &'a str,
    attributes: Attributes<'a>,
    thread_id: Option<i64>,
    is_error: bool,
}

impl<'a> Line<'a> {
    pub(super) fn of(log: &LogRecord<'a>) -> Line<'a> {
        let attributes = log.attributes();
        let thread_id = attributes.get("thread.id").and_then(int);
        Line { text: log.message().unwrap_or_default(), attributes, thread_id, is_error: log.is_error() }
    }

    /// Whether this stands in the text as words of their own, or is the whole of an attribute.
    fn has(&self, words: &str) -> bool {
        if words.is_empty() {
            return false;
        }
        let in_word = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'/' | b'.');
        let bytes = self.text.as_bytes();
        let alone = |at: usize| {
            let before = at.checked_sub(1).and_then(|at| bytes.get(at));
            // A sentence may end behind it.
            let after = bytes.get(at + words.len()).filter(|c| **c != b'.');
            !before.is_some_and(in_word) && !after.is_some_and(in_word)
        };
        memmem::find_iter(bytes, words).any(alone) || self.attributes.iter().any(|(_, value)| value.text() == Some(words))
    }
}
