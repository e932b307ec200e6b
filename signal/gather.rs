//! Collects records from anywhere into a new request: how one trace's spans are copied out of the requests they came in.

use crate::{
    Checked, Item, Record, Signal,
    view::{Metric, MetricType, Resource, Scope, Temporality},
    wire::{Fields, Slot, close, open, put_bytes, put_uint},
};
use std::ops::Range;

/// A request in the making. Neighbours of the same resource and scope (and metric) share one group; order is kept.
#[derive(Debug)]
pub struct Gather {
    signal: Signal,
    out: Vec<u8>,
    records: usize,
    group: Option<Group>,
    scope: Option<Group>,
    metric: Option<OpenMetric>,
    /// What the metric at hand is known by; kept to be used again.
    header: Vec<u8>,
}

/// An open group; what its records share lies in `out`.
#[derive(Debug)]
struct Group {
    slot: Slot,
    head: Range<usize>,
    schema_url: Range<usize>,
}

#[derive(Debug)]
struct OpenMetric {
    slot: Slot,
    header: Range<usize>,
    data: Slot,
    kind: (MetricType, Option<Temporality>, Option<bool>),
}

/// A guess at the size of a group, so that `close` seldom has to move its bytes.
const GROUP_BYTES: usize = 1_000;

impl Gather {
    /// Starts an empty request of this signal.
    #[must_use]
    pub fn new(signal: Signal) -> Gather {
        Gather { signal, out: Vec::new(), records: 0, group: None, scope: None, metric: None, header: Vec::new() }
    }

    /// Copies a record and, where they differ from its neighbour's, its resource and scope. A record of another signal is ignored.
    pub fn push(&mut self, record: Record<'_>) {
        self.push_named(record, None);
    }

    /// As `push`, with another name for the metric where one is given.
    pub(crate) fn push_named(&mut self, record: Record<'_>, name: Option<&[u8]>) {
        if record.signal() != self.signal {
            return;
        }
        self.enter_resource(record.resource);
        self.enter_scope(record.scope);
        match record.item {
            Item::Span(span) => put_bytes(&mut self.out, 2, span.bytes()),
            Item::Log(log) => put_bytes(&mut self.out, 2, log.bytes()),
            Item::Point(metric, point) => {
                self.enter_metric(&metric, name);
                put_bytes(&mut self.out, 1, point.bytes());
            }
        }
        self.records += 1;
    }

    fn enter_resource(&mut self, resource: Resource<'_>) {
        if !is_same(&self.out, self.group.as_ref(), resource.bytes(), resource.schema_url()) {
            self.leave_resource();
            self.group = Some(enter(&mut self.out, 1, resource.bytes(), resource.schema_url()));
        }
    }

    fn enter_scope(&mut self, scope: Scope<'_>) {
        if !is_same(&self.out, self.scope.as_ref(), scope.bytes(), scope.schema_url()) {
            self.leave_scope();
            self.scope = Some(enter(&mut self.out, 2, scope.bytes(), scope.schema_url()));
        }
    }

    fn enter_metric(&mut self, metric: &Metric<'_>, name: Option<&[u8]>) {
        put_header(&mut self.header, metric, name);
        let kind = (metric.kind(), metric.temporality(), metric.monotonic());
        if let Some(open) = &self.metric
            && open.kind == kind
            && self.out.get(open.header.clone()) == Some(&self.header)
        {
            return;
        }
        self.leave_metric();
        let slot = open(&mut self.out, 2, GROUP_BYTES);
        let start = self.out.len();
        self.out.extend_from_slice(&self.header);
        let header = start..self.out.len();
        let data = open(&mut self.out, metric.kind().field(), GROUP_BYTES);
        if let Some(temporality) = metric.temporality() {
            put_uint(&mut self.out, 2, temporality.number());
        }
        if metric.monotonic() == Some(true) {
            put_uint(&mut self.out, 3, 1);
        }
        self.metric = Some(OpenMetric { slot, header, data, kind });
    }

    fn leave_metric(&mut self) {
        if let Some(metric) = self.metric.take() {
            close(&mut self.out, metric.data);
            close(&mut self.out, metric.slot);
        }
    }

    fn leave_scope(&mut self) {
        self.leave_metric();
        if let Some(scope) = self.scope.take() {
            close(&mut self.out, scope.slot);
        }
    }

    fn leave_resource(&mut self) {
        self.leave_scope();
        if let Some(group) = self.group.take() {
            close(&mut self.out, group.slot);
        }
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// Records so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether nothing was pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The request. Lengths are minimal; what stood in the groups besides resource, scope, schema URLs and metrics is not carried over.
    #[must_use]
    pub fn finish(mut self) -> Checked {
        self.leave_resource();
        Checked(self.out.into())
    }
}

fn is_same(out: &[u8], group: Option<&Group>, head: &[u8], schema_url: &str) -> bool {
    group.is_some_and(|g| out.get(g.head.clone()) == Some(head) && out.get(g.schema_url.clone()) == Some(schema_url.as_bytes()))
}

fn enter(out: &mut Vec<u8>, number: u32, head: &[u8], schema_url: &str) -> Group {
    let slot = open(out, number, GROUP_BYTES);
    let head = put_range(out, 1, head);
    let schema_url = put_range(out, 3, schema_url.as_bytes());
    Group { slot, head, schema_url }
}

/// Writes a field, unless it is empty, and tells where its content lies.
fn put_range(out: &mut Vec<u8>, number: u32, content: &[u8]) -> Range<usize> {
    if !content.is_empty() {
        put_bytes(out, number, content);
    }
    out.len() - content.len()..out.len()
}

/// All of a metric but its data. Not what stands in the data besides the points: looking for it anew for each point would be quadratic.
fn put_header(header: &mut Vec<u8>, metric: &Metric<'_>, name: Option<&[u8]>) {
    header.clear();
    if let Some(name) = name {
        put_bytes(header, 1, name);
    }
    for field in Fields::of(metric.bytes()) {
        let replaced = field.number == 1 && name.is_some();
        if !replaced && MetricType::of_field(field.number).is_none() {
            header.extend_from_slice(metric.bytes().get(field.start..field.end).unwrap_or_default());
        }
    }
}
