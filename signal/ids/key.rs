//! The keys under which applications write their ids. One set for attributes, bodies and text: compared in lower case, without `. _ - /`, nesting joined.

use super::{Form, Found, Place, shape};
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
    /// A header that holds a trace and perhaps a span.
    Header(Form, fn(&str) -> Option<shape::Ids>),
    /// 16 hex digits that go with a header.
    HeaderSpan,
}

/// What logging libraries put their context into, and servers the headers that they log.
const WRAPPERS: &[&str] = &[
    "contextmap",
    "context",
    "mdc",
    "otel",
    "labels",
    "fields",
    "attributes",
    "properties",
    "extra",
    "httprequestheader",
    "requestheaders",
    "headers",
    "http",
];

/// The key set.
const KEYS: &[(&str, Key)] = &[
    ("traceid", Key::Trace),
    ("spanid", Key::Span),
    ("transactionid", Key::Transaction),
    ("ddtraceid", Key::DatadogTrace),
    ("ddspanid", Key::DatadogSpan),
    ("operationid", Key::Operation),
    ("operationparentid", Key::Span),
    ("traceparent", Key::Header(Form::Traceparent, shape::traceparent)),
    ("b3", Key::Header(Form::B3, shape::b3)),
    ("xb3traceid", Key::Header(Form::B3, shape::b3_trace)),
    ("xb3spanid", Key::HeaderSpan),
    ("xamzntraceid", Key::Header(Form::XRay, shape::xray)),
    ("xraytraceid", Key::Header(Form::XRay, shape::xray)),
    ("awsxraytraceid", Key::Header(Form::XRay, shape::xray)),
    ("ubertraceid", Key::Header(Form::Jaeger, shape::jaeger)),
    ("xcloudtracecontext", Key::Header(Form::Google, shape::cloud_context)),
    ("trace", Key::Header(Form::Google, shape::google)),
    ("logginggoogleapiscomtrace", Key::Header(Form::Google, shape::google)),
    ("logginggoogleapiscomspanid", Key::HeaderSpan),
];

/// Whether a known key ends as this one does; most keys do not, and need no closer look.
pub(super) fn may_name_an_id(key: &str) -> bool {
    let [.., a, b] = key.as_bytes() else { return false };
    // `id`, `b3`, `trace`, `traceparent`, `context`.
    matches!([a.to_ascii_lowercase(), b.to_ascii_lowercase()], [b'i', b'd'] | [b'b', b'3'] | [b'c', b'e'] | [b'n' | b'x', b't'])
}

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

#[derive(Clone, Copy, Default)]
struct Pair {
    trace: Option<(TraceId, Form)>,
    span: Option<SpanId>,
}

impl Ids {
    /// Takes the value, if its key is known and it has the key's shape.
    pub(super) fn take(&mut self, path: &Path, value: Scalar<'_>) {
        let Some(key) = path.key() else { return };
        match (key, value) {
            (Key::Trace, Scalar::Text(text)) => keep(&mut self.own.trace, of_form(Form::Key, shape::trace(text))),
            (Key::Operation, Scalar::Text(text)) => keep(&mut self.own.trace, of_form(Form::Azure, TraceId::of_hex(text))),
            (Key::Span, Scalar::Text(text)) => keep(&mut self.own.span, SpanId::of_hex(text)),
            (Key::Transaction, Scalar::Text(text)) => keep(&mut self.transaction, SpanId::of_hex(text)),
            (Key::DatadogTrace, Scalar::Text(text)) => keep(&mut self.datadog.trace, of_form(Form::Datadog, shape::datadog_trace(text))),
            (Key::DatadogTrace, Scalar::Number(number)) => {
                keep(&mut self.datadog.trace, of_form(Form::Datadog, shape::trace_of(number.into())));
            }
            (Key::DatadogSpan, Scalar::Text(text)) => keep(&mut self.datadog.span, shape::datadog_span(text)),
            (Key::DatadogSpan, Scalar::Number(number)) => keep(&mut self.datadog.span, shape::span_of(number)),
            (Key::HeaderSpan, Scalar::Text(text)) => keep(&mut self.header.span, SpanId::of_hex(text)),
            (Key::Header(form, parse), Scalar::Text(text)) => {
                if let Some((trace, span)) = parse(text).filter(|_| self.header.trace.is_none()) {
                    self.header = Pair { trace: Some((trace, form)), span: span.or(self.header.span) };
                }
            }
            (_, Scalar::Number(_)) => {}
        }
    }

    /// Whether nothing that follows could change what is found.
    pub(super) fn are_complete(&self) -> bool {
        self.own.trace.is_some() && self.own.span.is_some()
    }

    /// The ids of the first family that has a trace.
    pub(super) fn found(&self, place: Place) -> Option<Found> {
        let own = Pair { span: self.own.span.or(self.transaction), ..self.own };
        // Google's own entries have a plain `spanId` beside the trace's resource name.
        let header = Pair { span: self.header.span.or(self.own.span), ..self.header };
        [own, self.datadog, header].into_iter().find_map(|Pair { trace, span }| {
            let (trace, form) = trace?;
            Some(Found { trace, span, form, place })
        })
    }
}

fn of_form(form: Form, trace: Option<TraceId>) -> Option<(TraceId, Form)> {
    trace.map(|trace| (trace, form))
}

fn keep<T>(slot: &mut Option<T>, found: Option<T>) {
    if slot.is_none() {
        *slot = found;
    }
}
