//! The keys under which applications write their ids. One set for attributes, bodies and text: compared in lower case, without `. _ - /`, nesting joined.

use super::{Form, Found, shape};
use crate::{SpanId, TraceId};

/// What a key holds.
#[derive(Clone, Copy)]
enum Key {
    /// 32 or 16 hex digits, X-Ray's form, or a 64-bit decimal.
    Trace,
    /// 32 hex digits: Azure's name for it, which others use for anything.
    Operation,
    /// 16 hex digits.
    Span,
    /// 16 hex digits: Elastic's entry span, for a log outside any other.
    Transaction,
    /// Decimal of 64 or 128 bits, or 32 hex digits.
    DatadogTrace,
    /// Decimal, or 16 hex digits.
    DatadogSpan,
    /// A header that holds trace and span.
    Header(fn(&str) -> Option<shape::Ids>),
    /// 16 hex digits that go with a header.
    HeaderSpan,
}

/// What logging libraries put their context into.
const WRAPPERS: &[&str] =
    &["contextmap", "context", "mdc", "otel", "labels", "fields", "attributes", "properties", "extra", "httprequestheader"];

/// The key set.
const KEYS: &[(&str, Key)] = &[
    ("traceid", Key::Trace),
    ("spanid", Key::Span),
    ("transactionid", Key::Transaction),
    ("ddtraceid", Key::DatadogTrace),
    ("ddspanid", Key::DatadogSpan),
    ("operationid", Key::Operation),
    ("operationparentid", Key::Span),
    ("traceparent", Key::Header(shape::traceparent)),
    ("b3", Key::Header(shape::b3)),
    ("xb3traceid", Key::Header(shape::b3_trace)),
    ("xb3spanid", Key::HeaderSpan),
    ("xamzntraceid", Key::Header(shape::xray)),
    ("xraytraceid", Key::Header(shape::xray)),
    ("ubertraceid", Key::Header(shape::jaeger)),
    ("xcloudtracecontext", Key::Header(shape::cloud_context)),
    ("trace", Key::Header(shape::google)),
    ("logginggoogleapiscomtrace", Key::Header(shape::google)),
    ("logginggoogleapiscomspanid", Key::HeaderSpan),
];

/// The keys that lead to a value, in the form in which they are compared.
#[derive(Clone, Copy)]
pub(super) struct Path {
    /// As long as the longest key in the longest wrapper, and some.
    bytes: [u8; 64],
    length: usize,
}

impl Path {
    /// No key yet.
    pub(super) const ROOT: Path = Path { bytes: [0; 64], length: 0 };

    /// The path one key further down; none where it is longer than any known one.
    pub(super) fn join(mut self, key: &str) -> Option<Path> {
        for byte in key.bytes().filter(|c| !matches!(c, b'.' | b'_' | b'-' | b'/')) {
            *self.bytes.get_mut(self.length)? = byte.to_ascii_lowercase();
            self.length += 1;
        }
        Some(self)
    }

    fn key(&self) -> Option<Key> {
        let mut rest = self.bytes.get(..self.length)?;
        // How every known key ends; most attributes leave here.
        if !matches!(rest, [.., b'i', b'd'] | [.., b'b', b'3'] | [.., b'n' | b'x', b't'] | [.., b't', b'r', b'a', b'c', b'e']) {
            return None;
        }
        loop {
            if let Some((_, key)) = KEYS.iter().find(|(name, _)| name.as_bytes() == rest) {
                return Some(*key);
            }
            rest = WRAPPERS.iter().find_map(|wrapper| rest.strip_prefix(wrapper.as_bytes()))?;
        }
    }
}

/// A value that may be an id.
#[derive(Clone, Copy)]
pub(super) enum Scalar<'a> {
    Text(&'a str),
    Number(u64),
}

/// The ids found so far. Those of one family stay together: a Datadog span says nothing about an OpenTelemetry trace beside it. The first of each wins.
#[derive(Default)]
pub(super) struct Ids {
    own: Pair,
    transaction: Option<SpanId>,
    datadog: Pair,
    header: Pair,
}

#[derive(Default)]
struct Pair {
    trace: Option<TraceId>,
    span: Option<SpanId>,
}

impl Pair {
    fn found(&self, form: Form) -> Option<Found> {
        Some(Found { trace: self.trace?, span: self.span, form })
    }
}

impl Ids {
    /// Takes the value, if its key is known and it has the key's shape.
    pub(super) fn take(&mut self, path: &Path, value: Scalar<'_>) {
        let Some(key) = path.key() else { return };
        match (key, value) {
            (Key::Trace, Scalar::Text(text)) => keep(&mut self.own.trace, shape::trace(text)),
            (Key::Operation, Scalar::Text(text)) => keep(&mut self.own.trace, TraceId::of_hex(text)),
            (Key::Span, Scalar::Text(text)) => keep(&mut self.own.span, SpanId::of_hex(text)),
            (Key::Transaction, Scalar::Text(text)) => keep(&mut self.transaction, SpanId::of_hex(text)),
            (Key::DatadogTrace, Scalar::Text(text)) => keep(&mut self.datadog.trace, shape::datadog_trace(text)),
            (Key::DatadogTrace, Scalar::Number(number)) => keep(&mut self.datadog.trace, shape::trace_of(number.into())),
            (Key::DatadogSpan, Scalar::Text(text)) => keep(&mut self.datadog.span, shape::datadog_span(text)),
            (Key::DatadogSpan, Scalar::Number(number)) => keep(&mut self.datadog.span, shape::span_of(number)),
            (Key::HeaderSpan, Scalar::Text(text)) => keep(&mut self.header.span, SpanId::of_hex(text)),
            (Key::Header(parse), Scalar::Text(text)) => {
                if let Some((trace, span)) = parse(text).filter(|_| self.header.trace.is_none()) {
                    self.header = Pair { trace: Some(trace), span: span.or(self.header.span) };
                }
            }
            (_, Scalar::Number(_)) => {}
        }
    }

    /// The ids of the first family that has a trace.
    pub(super) fn found(&self) -> Option<Found> {
        let own = self.own.found(Form::Key).map(|found| Found { span: found.span.or(self.transaction), ..found });
        own.or_else(|| self.datadog.found(Form::Key)).or_else(|| self.header.found(Form::Header))
    }
}

fn keep<T>(slot: &mut Option<T>, found: Option<T>) {
    if slot.is_none() {
        *slot = found;
    }
}
