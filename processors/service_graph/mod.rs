//! Finds who calls whom: pairs the client's span of a request with the server's, and counts each pair as an edge of the graph of services, by the names of
//! Tempo's generator.

mod edges;
mod peer;
#[cfg(test)]
mod tests;

use crate::series::{Family, Key, Measure, Recorder, Resource, Table, Temporality, labels, making};
use config::{Fault, Period, Placed};
use edges::{Edge, Edges, Paired, Side};
use peer::Virtual;
use pipeline::{BuildContext, Component, Flush, Held, Keyed, Out, Processor, Reason, Shape, State};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Ack, Batch, Flow, Item, Kinds, Record, Signal, Time, view::Span, view::SpanKind};
use std::{sync::Arc, time::Duration};

/// Makes metrics of who calls whom, by the names of Tempo's generator: requests, failed ones and both sides' durations per client and server. The spans go no further
/// from here: read them beside it. With a journal they are settled once their points are delivered, so that a crash loses no count, and at worst counts some again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(default)]
pub struct ServiceGraph {
    /// How long a span waits for the other half of its request.
    wait: Period,
    /// Requests that wait at the most, over all lanes.
    edges_max: u32,
    /// Attributes of either span, or else of its resource, that become labels too: of the client's as `client_` and the name, of the server's as `server_`.
    dimensions: Vec<Placed<String>>,
    /// How often points are sent, on the clock of what is read.
    interval: Placed<Period>,
    /// Whether points count from a start that stays, as Prometheus wants it, or since the point before.
    temporality: Temporality,
    /// Series at the most; what comes beyond is counted in one of its own, labelled `otel.metric.overflow`.
    series_max: u32,
    /// A series of which nothing came for so long ends.
    stale_after: Period,
}

impl Default for ServiceGraph {
    fn default() -> ServiceGraph {
        ServiceGraph {
            wait: Period(Duration::from_secs(10)),
            edges_max: 10_000,
            dimensions: Vec::new(),
            interval: Placed::nowhere(Period(Duration::from_secs(15))),
            temporality: Temporality::default(),
            series_max: 10_000,
            stale_after: Period(Duration::from_mins(15)),
        }
    }
}

const REQUESTS: u8 = 0;
const UNPAIRED: u8 = 1;
const DROPPED: u8 = 2;

const TOTAL: usize = 0;
const FAILED: usize = 1;
const SERVER: usize = 0;
const CLIENT: usize = 1;

const REQUEST_SUMS: &[Measure] = &[
    Measure { name: "traces_service_graph_request_total", description: "Requests from client to server." },
    Measure { name: "traces_service_graph_request_failed_total", description: "Those that failed on either side." },
];
const REQUEST_HISTOGRAMS: &[Measure] = &[
    Measure { name: "traces_service_graph_request_server_seconds", description: "Their durations as the server measured them." },
    Measure { name: "traces_service_graph_request_client_seconds", description: "Their durations as the client measured them." },
];
const UNPAIRED_SUMS: &[Measure] =
    &[Measure { name: "traces_service_graph_unpaired_spans_total", description: "Spans whose other half did not come in time." }];
const DROPPED_SUMS: &[Measure] = &[Measure {
    name: "traces_service_graph_dropped_spans_total",
    description: "Spans that were not paired: too many waited, or the same one did.",
}];

impl Component for ServiceGraph {
    type Runs = dyn Processor;
    const TYPE: &'static str = "service_graph";
    const EXAMPLE: &'static str = "wait: 10s\ninterval: 15s";

    fn shape(&self, takes: Kinds) -> Shape {
        Shape { acts_on: Kinds::SPANS.and(Kinds::TRACES), gives: Kinds::METRICS, keyed: Keyed::Trace, holds: true, ..Shape::passing(takes) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let making = making(&self.interval, self.temporality, self.stale_after, self.series_max);
        let sides = ["client", "server", "connection_type"];
        let prefixed = |side: &'static str| self.dimensions.iter().map(move |name| name.clone().map(|name| format!("{side}_{name}")));
        let dimensions: Vec<Placed<String>> = prefixed("client").chain(prefixed("server")).collect();
        let (request_labels, making) = match (labels(&sides, &dimensions), making) {
            (Ok(labels), Ok(making)) => (labels, making),
            (labels, making) => return Err([labels.err(), making.err()].into_iter().flatten().flatten().collect()),
        };
        let none = || vec!["client".to_owned(), "server".to_owned()];
        let families = vec![
            Family { labels: request_labels, sums: REQUEST_SUMS, histograms: REQUEST_HISTOGRAMS, resource: Resource::None },
            Family { labels: none(), sums: UNPAIRED_SUMS, histograms: &[], resource: Resource::None },
            Family { labels: none(), sums: DROPPED_SUMS, histograms: &[], resource: Resource::None },
        ];
        let edges_max = usize::try_from(self.edges_max).unwrap_or(usize::MAX) / context.memory.lanes.max(1);
        Ok(Box::new(Graphing {
            recorder: Recorder::new(Table::shared(context, families, making)),
            edges: Edges::new(self.wait.0, edges_max.max(1)),
            dimensions: self.dimensions.iter().map(|dimension| dimension.as_str().into()).collect(),
            key: Key::default(),
        }))
    }
}

struct Graphing {
    recorder: Recorder,
    edges: Edges,
    dimensions: Vec<Arc<str>>,
    key: Key,
}

impl Processor for Graphing {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        match flow {
            Flow::Batch(batch) if batch.signal() == Signal::Metrics => out.send(Flow::Batch(batch)),
            Flow::Batch(batch) => self.take(batch, out),
            Flow::Traces(traces) => traces.into_iter().flat_map(|trace| [trace.spans, trace.logs]).for_each(|batch| self.take(batch, out)),
        }
    }

    fn due(&self) -> Option<Time> {
        [self.edges.due(), self.recorder.due()].into_iter().flatten().min()
    }

    fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        let until = match why {
            Flush::Due => out.now(),
            Flush::Last => Time(u64::MAX),
        };
        while let Some(edge) = self.edges.expire(until) {
            self.close(edge, out);
        }
        match why {
            Flush::Due => self.recorder.flush(out),
            Flush::Last => self.recorder.end(out),
        }
    }

    fn held(&self) -> Held {
        let held = self.recorder.held();
        Held { spans: held.spans + self.edges.len(), bytes: held.bytes + self.edges.bytes(), ..held }
    }

    fn release(&mut self) -> Option<State> {
        Some(Box::new((self.recorder.release(), self.edges.release())))
    }

    fn adopt(&mut self, state: State) -> Result<(), State> {
        let (recorder, edges) = *state.downcast::<(Box<Recorder>, Edges)>()?;
        match self.recorder.adopt(recorder) {
            Ok(()) => {
                self.edges.adopt(edges);
                Ok(())
            }
            Err(recorder) => Err(Box::new((recorder, edges))),
        }
    }
}

impl Graphing {
    fn take(&mut self, mut batch: Batch, out: &mut Out<'_>) {
        if batch.signal() != Signal::Traces {
            // Of a closed trace: no metric is made of its logs.
            return out.discarded(batch.signal(), batch.len(), Reason::MEASURED);
        }
        let ack = batch.take_ack();
        let mut counted = 0;
        for record in batch.records() {
            let Item::Span(span) = record.item else { continue };
            counted += self.measure(&record, &span, &ack, out);
        }
        // Also where all of them wait: intervals begin with the first span.
        self.recorder.take(counted, if counted > 0 { ack } else { Ack::none() }, out);
    }

    /// Returns how many spans need not be held for their other half any more.
    fn measure(&mut self, record: &Record<'_>, span: &Span<'_>, ack: &Ack, out: &mut Out<'_>) -> usize {
        let (side, messaging) = match span.kind() {
            SpanKind::Client => (Side::Client, false),
            SpanKind::Producer => (Side::Client, true),
            SpanKind::Server => (Side::Server, false),
            SpanKind::Consumer => (Side::Server, true),
            // Within a service: not part of an edge.
            SpanKind::Internal | SpanKind::Unspecified => return 1,
        };
        let mut edge = Edge::of(record, span, side, messaging, &self.dimensions);
        edge.add(Virtual::of(record, span, side, messaging));
        if edge.is_complete() {
            self.tell(&edge);
            return 1;
        }
        match self.edges.pair(edge, ack, out.now()) {
            Paired::Waits => 0,
            Paired::With(edge) => {
                // The span that waited is counted now, and this one.
                self.tell(&edge);
                self.recorder.take(1, edge.ack, out);
                1
            }
            Paired::Full(edge) => {
                self.count_one_side(DROPPED, &edge);
                1
            }
        }
    }

    /// An edge of which only one side came.
    fn close(&mut self, mut edge: Edge, out: &mut Out<'_>) {
        edge.settle_for_a_virtual_node();
        if edge.is_complete() {
            self.tell(&edge);
        } else {
            self.count_one_side(UNPAIRED, &edge);
        }
        self.recorder.take(1, edge.ack, out);
    }

    fn tell(&mut self, edge: &Edge) {
        self.key.begin(REQUESTS);
        [edge.client.name(), edge.server.name(), edge.connection.word()].into_iter().for_each(|value| self.key.push(value));
        edge.client.values(self.dimensions.len()).chain(edge.server.values(self.dimensions.len())).for_each(|value| self.key.push(value));
        self.recorder.count(&self.key, |cells| {
            cells.add(TOTAL, edge.weight);
            if edge.failed {
                cells.add(FAILED, edge.weight);
            }
            for (histogram, measured) in [(SERVER, edge.server.measured), (CLIENT, edge.client.measured)] {
                if let Some(measured) = measured {
                    cells.record(histogram, edge.weight, measured);
                }
            }
        });
    }

    fn count_one_side(&mut self, family: u8, edge: &Edge) {
        self.key.begin(family);
        [edge.client.name(), edge.server.name()].into_iter().for_each(|value| self.key.push(value));
        self.recorder.count(&self.key, |cells| cells.add(0, edge.weight));
    }
}
