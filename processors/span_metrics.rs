//! Counts spans and measures their durations per service, operation, kind and status: the metrics that Tempo's generator makes, by the same names.

use crate::series::{Exemplar, Family, Key, Measure, Recorder, Resource, Table, Temporality, labels, making, weight};
use config::{Fault, Period, Placed};
use pipeline::{BuildContext, Component, Flush, Held, Keyed, Out, Processor, Reason, Shape, State};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Batch, Flow, Item, Kinds, Record, Signal, Time, view::Span, view::SpanKind, view::Status};
use std::{borrow::Cow, sync::Arc, time::Duration};

/// Makes metrics of spans, by the names of Tempo's generator: calls, errors, durations and sizes per service, operation, kind and status. The spans go no further from
/// here: read them beside it. With a journal they are settled once their points are delivered, so that a crash loses no count, and at worst counts some again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(default)]
pub struct SpanMetrics {
    /// Attributes of a span, or else of its resource, that become labels too, such as `http.route`; in the label other characters than letters and digits become
    /// `_`, as in Tempo: `http_route`.
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

impl Default for SpanMetrics {
    fn default() -> SpanMetrics {
        SpanMetrics {
            dimensions: Vec::new(),
            interval: Placed::nowhere(Period(Duration::from_secs(15))),
            temporality: Temporality::default(),
            series_max: 10_000,
            stale_after: Period(Duration::from_mins(15)),
        }
    }
}

const LABELS: [&str; 4] = ["service", "span_name", "span_kind", "status_code"];
const CALLS: usize = 0;
const SIZE: usize = 1;
const SUMS: &[Measure] = &[
    Measure { name: "traces_spanmetrics_calls_total", description: "Spans." },
    Measure { name: "traces_spanmetrics_size_total", description: "Their encoded bytes." },
];
const HISTOGRAMS: &[Measure] = &[Measure { name: "traces_spanmetrics_latency", description: "Their durations in seconds." }];

impl Component for SpanMetrics {
    type Runs = dyn Processor;
    const TYPE: &'static str = "span_metrics";
    const EXAMPLE: &'static str = "dimensions: [http.route]\ninterval: 15s";

    fn shape(&self, takes: Kinds) -> Shape {
        Shape {
            acts_on: Kinds::SPANS.and(Kinds::TRACES),
            gives: Kinds::METRICS,
            keyed: Keyed::Shared,
            holds: true,
            ..Shape::passing(takes)
        }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        let making = making(&self.interval, self.temporality, self.stale_after, self.series_max);
        let (labels, making) = match (labels(&LABELS, &self.dimensions), making) {
            (Ok(labels), Ok(making)) => (labels, making),
            (labels, making) => return Err([labels.err(), making.err()].into_iter().flatten().flatten().collect()),
        };
        let family = Family { labels, sums: SUMS, histograms: HISTOGRAMS, resource: Resource::FirstLabel };
        let recorder = Recorder::new(Table::shared(context, vec![family], making));
        let dimensions = self.dimensions.iter().map(|dimension| dimension.as_str().into()).collect();
        Ok(Box::new(Measuring { recorder, dimensions, key: Key::default() }))
    }
}

struct Measuring {
    recorder: Recorder,
    dimensions: Vec<Arc<str>>,
    key: Key,
}

impl Processor for Measuring {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        match flow {
            Flow::Batch(batch) if batch.signal() == Signal::Metrics => out.send(Flow::Batch(batch)),
            Flow::Batch(batch) => self.take(batch, out),
            Flow::Traces(traces) => traces.into_iter().flat_map(|trace| [trace.spans, trace.logs]).for_each(|batch| self.take(batch, out)),
        }
    }

    fn due(&self) -> Option<Time> {
        self.recorder.due()
    }

    fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        match why {
            Flush::Due => self.recorder.flush(out),
            Flush::Last => self.recorder.end(out),
        }
    }

    fn held(&self) -> Held {
        self.recorder.held()
    }

    fn release(&mut self) -> Option<State> {
        Some(self.recorder.release())
    }

    fn adopt(&mut self, state: State) -> Result<(), State> {
        self.recorder.adopt(state.downcast()?).map_err(|released| released as State)
    }
}

impl Measuring {
    fn take(&mut self, mut batch: Batch, out: &mut Out<'_>) {
        if batch.signal() != Signal::Traces {
            // Of a closed trace: no metric is made of its logs.
            return out.discarded(batch.signal(), batch.len(), Reason::MEASURED);
        }
        for record in batch.records() {
            if let Item::Span(span) = record.item {
                self.measure(&record, &span);
            }
        }
        if !batch.is_empty() {
            self.recorder.take(batch.len(), batch.take_ack(), out);
        }
    }

    fn measure(&mut self, record: &Record<'_>, span: &Span<'_>) {
        let key = &mut self.key;
        key.begin(0);
        [record.resource.service(), span.name(), kind(span.kind()), status(span.status())].into_iter().for_each(|value| key.push(value));
        self.dimensions.iter().for_each(|dimension| key.push(&attribute(record, dimension).unwrap_or_default()));
        let weight = weight::of(span);
        let exemplar = exemplar(span);
        self.recorder.count(key, |cells| {
            cells.add(CALLS, weight);
            cells.add(SIZE, weight * span.bytes().len() as f64);
            cells.record(0, weight, exemplar);
        });
    }
}

/// An attribute of the record, or else of its resource, as text.
pub(crate) fn attribute<'a>(record: &Record<'a>, name: &str) -> Option<Cow<'a, str>> {
    let value = record.attributes().get(name).or_else(|| record.resource.attributes().get(name))?;
    Some(value.text().map_or_else(|| Cow::Owned(value.display()), Cow::Borrowed))
}

/// A span that was measured.
pub(crate) fn exemplar(span: &Span<'_>) -> Exemplar {
    Exemplar { trace: span.trace_id(), span: span.span_id(), time: Time(span.end()), seconds: span.duration_ms() / 1_000.0 }
}

/// As Tempo writes it: the name in OTLP's protobuf.
const fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Unspecified => "SPAN_KIND_UNSPECIFIED",
        SpanKind::Internal => "SPAN_KIND_INTERNAL",
        SpanKind::Server => "SPAN_KIND_SERVER",
        SpanKind::Client => "SPAN_KIND_CLIENT",
        SpanKind::Producer => "SPAN_KIND_PRODUCER",
        SpanKind::Consumer => "SPAN_KIND_CONSUMER",
    }
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Unset => "STATUS_CODE_UNSET",
        Status::Ok => "STATUS_CODE_OK",
        Status::Error => "STATUS_CODE_ERROR",
    }
}
