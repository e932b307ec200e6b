//! OTLP messages for tests: fixed ones, random ones (`messages`), their unusual encodings (`unusual`), edits (`change`), and a flat form to compare with (`flat`).
//! All randomness comes from a `Draw` over bytes that proptest makes, so that its shrinking gives smaller messages.

pub(crate) mod change;
pub(crate) mod flat;
pub(crate) mod messages;
pub(crate) mod unusual;

use crate::{Ack, Batch, Checked, Chunk, Limits, Ordinals, Signal, Time, check};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use proptest::prelude::*;
use prost::Message;

/// Choices out of a supply of bytes; when it is used up, always the first choice.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    bytes: Vec<u8>,
    at: usize,
}

impl Draw {
    /// A supply of at most so many bytes.
    pub(crate) fn of(bytes_max: usize) -> impl Strategy<Value = Draw> {
        prop::collection::vec(any::<u8>(), 0..bytes_max).prop_map(|bytes| Draw { bytes, at: 0 })
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    /// A number below `bound`, which is at most 256.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// True in so many of a hundred cases, never when the supply is used up.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        99 - self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Small numbers as well as large ones.
    pub(crate) fn number(&mut self) -> u64 {
        let bytes = self.below(9);
        (0..bytes).fold(0, |all, _| all << 8 | u64::from(self.byte()))
    }

    pub(crate) fn double(&mut self) -> f64 {
        let value = f64::from_bits(self.number().reverse_bits());
        if value.is_nan() { f64::INFINITY } else { value }
    }

    pub(crate) fn text(&mut self) -> String {
        let length = self.pick(&[0, 1, 3, 8, 20, 130]);
        (0..length).map(|_| self.pick(&['a', 'b', ' ', '"', '\n', '0', 'ü', '観', '🔭'])).collect()
    }

    pub(crate) fn many<T>(&mut self, max: usize, mut make: impl FnMut(&mut Draw) -> T) -> Vec<T> {
        (0..self.below(max + 1)).map(|_| make(self)).collect()
    }
}

/// An attribute whose value is text.
pub(crate) fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }), ..Default::default() }
}

/// So many spans, `span 0` and on, in two resources of one scope each.
pub(crate) fn spans(count: usize) -> ExportTraceServiceRequest {
    let span = |n: usize| Span {
        trace_id: vec![1; 16],
        span_id: (n as u64 + 1).to_be_bytes().to_vec(),
        name: format!("span {n}"),
        attributes: vec![pair("http.route", "/a")],
        ..Default::default()
    };
    let group = |service: &str, numbers: std::ops::Range<usize>| ResourceSpans {
        resource: Some(Resource { attributes: vec![pair("service.name", service)], ..Default::default() }),
        scope_spans: vec![ScopeSpans {
            scope: Some(InstrumentationScope { name: "scope".into(), ..Default::default() }),
            spans: numbers.map(span).collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let half = count / 2;
    ExportTraceServiceRequest { resource_spans: vec![group("shop", 0..half), group("cart", half..count)] }
}

/// A request of spans that passes `check` as a whole.
pub(crate) fn checked(request: &ExportTraceServiceRequest) -> Checked {
    check(Signal::Traces, request.encode_to_vec().into(), &Limits::default()).unwrap().0
}

/// A batch of one chunk with ordinals from zero, of bytes that pass `check` as a whole.
pub(crate) fn batch(signal: Signal, raw: Vec<u8>) -> Batch {
    let (checked, counts) = check(signal, raw.into(), &Limits::default()).unwrap();
    assert_eq!((counts.rejected, counts.why), (0, None));
    Batch::new(signal, Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(1)), Ack::none())
}
