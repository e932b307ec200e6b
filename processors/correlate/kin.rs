//! Finds, among the spans of a trace, those that a log happened under.

use signal::{Batch, Item, Record, SpanId, view::SpanKind};
use smallvec::SmallVec;
use std::collections::HashMap;

/// Spans on the way from one to the one that serves the request.
const WAY_MAX: usize = 64;

/// The spans of a trace, by id.
pub(super) struct Kin<'a> {
    spans: HashMap<SpanId, Record<'a>>,
    /// The first that serves a request, by service.
    servers: HashMap<&'a str, Record<'a>>,
    root: Option<Record<'a>>,
}

type Way<'a> = SmallVec<[Record<'a>; 4]>;

impl<'a> Kin<'a> {
    pub(super) fn of(batch: &'a Batch) -> Kin<'a> {
        let mut kin = Kin { spans: HashMap::new(), servers: HashMap::new(), root: None };
        for record in batch.records() {
            let Item::Span(span) = record.item else { continue };
            kin.spans.insert(span.span_id(), record);
            if serves(span.kind()) {
                kin.servers.entry(record.resource.service()).or_insert(record);
            }
            if span.parent_span_id().is_none() {
                kin.root = Some(record);
            }
        }
        kin
    }

    pub(super) fn span(&self, id: &SpanId) -> Option<Record<'a>> {
        self.spans.get(id).copied()
    }

    /// From a span up to the one that serves its request; for a log without a span, the one that serves a request in its service, or else the root.
    pub(super) fn way(&self, from: Option<&Record<'a>>, service: &str) -> Way<'a> {
        let mut way = Way::new();
        let Some(from) = from else {
            way.extend(self.servers.get(service).or(self.root.as_ref()).copied());
            return way;
        };
        let mut next = Some(*from);
        while let Some(record) = next.filter(|_| way.len() < WAY_MAX) {
            way.push(record);
            let Item::Span(span) = record.item else { break };
            next = if serves(span.kind()) { None } else { span.parent_span_id().and_then(|parent| self.span(&parent)) };
        }
        way
    }
}

fn serves(kind: SpanKind) -> bool {
    matches!(kind, SpanKind::Server | SpanKind::Consumer)
}
