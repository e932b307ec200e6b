//! The requests of a load: encoded once, and patched on the way out, so that making them costs one copy and no two are the same
//! (a server that knows a repeated request when it sees one would otherwise have little to do).

mod attributes;
mod chance;
mod logs;
mod metrics;
mod template;
mod traces;

pub(crate) use template::Template;

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

impl Signal {
    /// The path of its Export call.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }
}

/// Requests that lie between two parts of one trace, when traces are spread over several.
const PARTS_APART: u64 = 16;
/// Items that the templates of a load hold together: enough that shares of a few percent come out right.
const VARIETY: usize = 12_000;

/// The requests of a load, by their number.
pub(crate) struct Templates {
    /// Per variant its parts: one, unless traces are spread over several requests.
    variants: Vec<Vec<Template>>,
    parts: u64,
}

impl Templates {
    /// `items` a request; with `parts` above one (traces only) every trace comes in that many requests.
    pub(crate) fn new(signal: Signal, items: usize, parts: usize) -> Templates {
        let count = (VARIETY / (items * parts).max(1)).clamp(4, 256);
        let variant = |n: u64| {
            let mut chance = chance::Chance::new(n << 32);
            match signal {
                Signal::Traces => traces::parts(items * parts, parts, &mut chance),
                Signal::Logs => vec![logs::request(items, &mut chance)],
                Signal::Metrics => vec![metrics::request(items, &mut chance)],
            }
        };
        Templates { variants: (0..count as u64).map(variant).collect(), parts: parts as u64 }
    }

    /// The template of the request with that number, and the turn to write it with.
    pub(crate) fn get(&self, number: u64) -> (&Template, u64) {
        let block = PARTS_APART * self.parts;
        let (part, at) = (number % block / PARTS_APART, number % PARTS_APART);
        let turn = number / block * PARTS_APART + at;
        let variant = &self.variants[(turn % self.variants.len() as u64) as usize];
        (&variant[part as usize], turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
    use std::collections::{HashMap, HashSet};

    fn written(templates: &Templates, number: u64) -> (u64, Vec<u8>) {
        let (template, turn) = templates.get(number);
        let mut body = Vec::new();
        template.write(turn, &mut body);
        (template.items, body)
    }

    #[test]
    fn requests_hold_the_items_they_claim_and_are_all_different() {
        for signal in [Signal::Traces, Signal::Logs, Signal::Metrics] {
            for items in [1, 10, 1000] {
                let templates = Templates::new(signal, items, 1);
                let mut seen = HashSet::new();
                for number in 0..(3000 / items as u64).clamp(8, 300) {
                    let (claimed, body) = written(&templates, number);
                    assert_eq!(scan::count(signal, &body), Some(claimed), "{signal:?} {items}");
                    assert!(seen.insert(body), "{signal:?}, {items} a request: {number} repeats another");
                }
            }
        }
    }

    #[test]
    fn a_spread_trace_has_its_spans_in_several_requests_and_every_span_once() {
        let templates = Templates::new(Signal::Traces, 100, 4);
        let mut requests_of = HashMap::<Vec<u8>, HashSet<u64>>::new();
        let mut spans = HashSet::new();
        for number in 0..4 * PARTS_APART {
            let request = ExportTraceServiceRequest::decode(&*written(&templates, number).1).unwrap();
            for span in request.resource_spans.into_iter().flat_map(|r| r.scope_spans).flat_map(|s| s.spans) {
                requests_of.entry(span.trace_id.clone()).or_default().insert(number);
                assert!(spans.insert((span.trace_id, span.span_id)), "a span twice");
            }
        }
        assert!(requests_of.values().filter(|requests| requests.len() >= 3).count() * 2 > requests_of.len());
    }
}
