//! Requests of which one side has come, until the other comes or they have waited long enough.

use super::peer::Virtual;
use crate::{
    by_trace::ByTrace,
    series::{Exemplar, weight},
    span_metrics::{attribute, exemplar},
};
use signal::{Ack, Record, SpanId, Time, TraceId, view::Span, view::Status};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Allocated for an edge that waits: itself, its places in the map and the line, its promise.
const EDGE_BYTES: usize = size_of::<Edge>() + 256;
/// Bytes of a name or value that are kept.
const TEXT_BYTES_MAX: usize = 512;

/// Which side of a request a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// What is between client and server, as Tempo calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Connection {
    #[default]
    Direct,
    Messaging,
    Database,
    /// One of them sends no spans.
    Virtual,
}

impl Connection {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Connection::Direct => "",
            Connection::Messaging => "messaging_system",
            Connection::Database => "database",
            Connection::Virtual => "virtual_node",
        }
    }
}

/// One end of an edge.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    name: Option<Box<str>>,
    values: Box<[Box<str>]>,
    pub(super) measured: Option<Exemplar>,
}

impl End {
    /// Empty while it is not known.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The values of so many dimensions.
    pub(super) fn values(&self, dimensions: usize) -> impl Iterator<Item = &str> {
        (0..dimensions).map(|at| self.values.get(at).map_or("", |value| value))
    }

    fn bytes(&self) -> usize {
        self.name().len() + self.values.iter().map(|value| value.len() + size_of::<Box<str>>()).sum::<usize>()
    }
}

/// A request between two services.
#[derive(Debug)]
pub(super) struct Edge {
    trace: TraceId,
    /// The client's span.
    span: Option<SpanId>,
    pub(super) client: End,
    pub(super) server: End,
    pub(super) connection: Connection,
    pub(super) failed: bool,
    /// For how many requests it stands.
    pub(super) weight: f64,
    /// Who the other side is, if it does not come.
    otherwise: Option<(Box<str>, Connection)>,
    pub(super) ack: Ack,
    by: Time,
}

impl Edge {
    /// One side of it.
    pub(super) fn of(record: &Record<'_>, span: &Span<'_>, side: Side, messaging: bool, dimensions: &[Arc<str>]) -> Edge {
        let values = dimensions.iter().map(|name| attribute(record, name).map_or_else(Box::default, |value| cut(&value))).collect();
        let end = End { name: Some(cut(record.resource.service())), values, measured: Some(exemplar(span)) };
        let (client, server, of) = match side {
            Side::Client => (end, End::default(), Some(span.span_id())),
            Side::Server => (End::default(), end, span.parent_span_id()),
        };
        Edge {
            trace: span.trace_id(),
            span: of,
            client,
            server,
            connection: if messaging { Connection::Messaging } else { Connection::Direct },
            failed: span.status() == Status::Error,
            weight: weight::of(span),
            otherwise: None,
            ack: Ack::none(),
            by: Time(0),
        }
    }

    /// What is known of the other side from this one.
    pub(super) fn add(&mut self, known: Option<Virtual>) {
        match known {
            Some(Virtual::Surely(name, connection)) => self.fill_in(cut(&name), connection),
            Some(Virtual::Otherwise(name, connection)) => self.otherwise = Some((cut(&name), connection)),
            None => {}
        }
    }

    /// The other side did not come: it is whoever this one said.
    pub(super) fn settle_for_a_virtual_node(&mut self) {
        if let Some((name, connection)) = self.otherwise.take() {
            self.fill_in(name, connection);
        }
    }

    fn fill_in(&mut self, name: Box<str>, connection: Connection) {
        let (known, missing) = if self.client.name.is_some() { (&self.client, &mut self.server) } else { (&self.server, &mut self.client) };
        missing.name = Some(name);
        if connection == Connection::Database {
            // Nobody else measures it.
            missing.measured = known.measured;
        }
        self.connection = connection;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.client.name.is_some() && self.server.name.is_some()
    }

    fn key(&self) -> u64 {
        let SpanId(span) = self.span.unwrap_or_default();
        self.trace.low() ^ u64::from_be_bytes(span).rotate_left(32)
    }

    fn bytes(&self) -> usize {
        let otherwise = self.otherwise.as_ref().map_or(0, |(name, _)| name.len());
        EDGE_BYTES + self.client.bytes() + self.server.bytes() + otherwise
    }

    /// The other half of this one.
    fn join(&mut self, other: Edge) {
        if self.client.name.is_none() {
            self.client = other.client;
        } else {
            self.server = other.server;
        }
        if self.connection == Connection::Direct {
            self.connection = other.connection;
        }
        self.failed |= other.failed;
        // Both sides of a trace were sampled alike, or one was not sampled: the greater count is that of the trace.
        self.weight = self.weight.max(other.weight);
    }

    fn is_half_of(&self, other: &Edge) -> bool {
        self.trace == other.trace && self.span == other.span && self.client.name.is_some() != other.client.name.is_some()
    }
}

/// What became of a side.
pub(super) enum Paired {
    /// The other side was there.
    With(Edge),
    /// It waits.
    Waits,
    /// Too many wait, or the same side does already.
    Full(Edge),
}

/// The edges that wait, in the order in which they came.
pub(super) struct Edges {
    wait: Duration,
    edges_max: usize,
    waiting: ByTrace<Edge>,
    line: VecDeque<(Time, u64)>,
    bytes: usize,
}

impl Edges {
    pub(super) fn new(wait: Duration, edges_max: usize) -> Edges {
        Edges { wait, edges_max, waiting: ByTrace::default(), line: VecDeque::new(), bytes: 0 }
    }

    /// Puts a side to its other side, or lets it wait with what was promised for it.
    pub(super) fn pair(&mut self, mut edge: Edge, ack: &Ack, now: Time) -> Paired {
        let key = edge.key();
        match self.waiting.get(&key) {
            Some(other) if other.is_half_of(&edge) => {}
            Some(_) => return Paired::Full(edge),
            None if self.waiting.len() >= self.edges_max => return Paired::Full(edge),
            None => {
                (edge.by, edge.ack) = (now.plus(self.wait), ack.clone());
                self.line.push_back((edge.by, key));
                self.bytes += edge.bytes();
                self.waiting.insert(key, edge);
                return Paired::Waits;
            }
        }
        match self.remove(key) {
            Some(mut whole) => {
                whole.join(edge);
                Paired::With(whole)
            }
            None => Paired::Full(edge),
        }
    }

    /// The next that has waited until then.
    pub(super) fn expire(&mut self, until: Time) -> Option<Edge> {
        while let Some((by, key)) = self.line.front().copied().filter(|(by, _)| *by <= until) {
            self.line.pop_front();
            if self.waiting.get(&key).is_some_and(|edge| edge.by == by) {
                return self.remove(key);
            }
        }
        None
    }

    pub(super) fn due(&self) -> Option<Time> {
        self.line.front().map(|(by, _)| *by)
    }

    /// Spans that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.line.len() * size_of::<(Time, u64)>()
    }

    /// All that wait.
    pub(super) fn release(&mut self) -> Edges {
        std::mem::replace(self, Edges::new(self.wait, self.edges_max))
    }

    /// Lets those that waited elsewhere wait here, as long as they would have there.
    pub(super) fn adopt(&mut self, other: Edges) {
        let Edges { wait: _, edges_max: _, waiting, line, bytes } = other;
        (self.waiting, self.line, self.bytes) = (waiting, line, bytes);
    }

    fn remove(&mut self, key: u64) -> Option<Edge> {
        let edge = self.waiting.remove(&key)?;
        self.bytes -= edge.bytes();
        if self.line.len() > 2 * self.waiting.len() + LINE_MIN {
            self.line.retain(|(by, key)| self.waiting.get(key).is_some_and(|edge| edge.by == *by));
        }
        Some(edge)
    }
}

/// Places in line of edges that are gone stay until they are most of it.
const LINE_MIN: usize = 1_024;

fn cut(text: &str) -> Box<str> {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default().into()
}
