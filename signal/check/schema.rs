//! OTLP's messages as tables: what `check` knows about each field. Field numbers and names from opentelemetry-proto 1.x.

use super::glance::{Glances, glances};
use crate::Signal;

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Varint,
    Fixed64,
    Fixed32,
    Text,
    /// The key of an attribute: text with a limit.
    Key,
    Bytes,
    TraceId,
    SpanId,
    /// Repeated, packed or not.
    Fixed64s,
    /// Repeated, packed or not.
    Varints,
    Inner(&'static Message),
}

/// How often a field may stand in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// A scalar: the last one counts.
    Last,
    /// A message or a case of a oneof, which given again has to be merged, or what views expect once. The number tells apart the ones of one message.
    Once(u8),
    /// The same, of an `AnyValue`.
    Value(u8),
    /// Repeated.
    Many,
    /// Repeated, and counted as attributes.
    Attributes,
}

/// A field that OTLP has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    number: u32,
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) times: Times,
}

impl Known {
    pub(super) const fn number(&self) -> u32 {
        self.number
    }
}

/// What `check` does about a message besides its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    /// Holds records and is cut as a whole when what they share is over a limit.
    Group,
    /// A resource or a scope.
    Head,
    Record,
    /// A record that has to have ids.
    Span,
    /// An array or a map.
    Nest,
}

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) role: Role,
    fields: &'static [Known],
    /// By field number, the place in `fields` plus one.
    places: [u8; NUMBERS],
    pub(super) glances: Glances,
}

/// One above the highest field number.
const NUMBERS: usize = 17;

impl Message {
    const fn new(role: Role, fields: &'static [Known]) -> Message {
        let mut places = [0; NUMBERS];
        let mut i = 0;
        while i < fields.len() {
            places[fields[i].number as usize] = i as u8 + 1;
            i += 1;
        }
        Message { role, fields, places, glances: glances(fields) }
    }

    /// The field of this number, if OTLP has it.
    #[inline]
    pub(crate) fn known(&self, number: u32) -> Option<&'static Known> {
        let place = *self.places.get(number as usize)?;
        self.fields.get(usize::from(place).checked_sub(1)?)
    }
}

/// The export request of a signal.
pub(crate) const fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    }
}

const fn last(number: u32, name: &'static str, shape: Shape) -> Known {
    Known { number, name, shape, times: Times::Last }
}

const fn many(number: u32, name: &'static str, shape: Shape) -> Known {
    Known { number, name, shape, times: Times::Many }
}

const fn once(bit: u8, number: u32, name: &'static str, shape: Shape) -> Known {
    Known { number, name, shape, times: Times::Once(bit) }
}

const fn attributes(number: u32, name: &'static str) -> Known {
    Known { number, name, shape: Inner(&PAIR), times: Times::Attributes }
}

use Shape::{Bytes, Fixed32, Fixed64, Fixed64s, Inner, Key, SpanId, Text, TraceId, Varint, Varints};

static TRACES: Message = Message::new(Role::Plain, &[many(1, "resource_spans", Inner(&RESOURCE_SPANS))]);
static LOGS: Message = Message::new(Role::Plain, &[many(1, "resource_logs", Inner(&RESOURCE_LOGS))]);
static METRICS: Message = Message::new(Role::Plain, &[many(1, "resource_metrics", Inner(&RESOURCE_METRICS))]);

const RESOURCE_FIELD: Known = once(0, 1, "resource", Inner(&RESOURCE));
const SCOPE_FIELD: Known = once(0, 1, "scope", Inner(&SCOPE));
const SCHEMA_URL: Known = last(3, "schema_url", Text);

static RESOURCE_SPANS: Message = Message::new(Role::Group, &[RESOURCE_FIELD, many(2, "scope_spans", Inner(&SCOPE_SPANS)), SCHEMA_URL]);
static RESOURCE_LOGS: Message = Message::new(Role::Group, &[RESOURCE_FIELD, many(2, "scope_logs", Inner(&SCOPE_LOGS)), SCHEMA_URL]);
static RESOURCE_METRICS: Message =
    Message::new(Role::Group, &[RESOURCE_FIELD, many(2, "scope_metrics", Inner(&SCOPE_METRICS)), SCHEMA_URL]);
static SCOPE_SPANS: Message = Message::new(Role::Group, &[SCOPE_FIELD, many(2, "spans", Inner(&SPAN)), SCHEMA_URL]);
static SCOPE_LOGS: Message = Message::new(Role::Group, &[SCOPE_FIELD, many(2, "log_records", Inner(&LOG)), SCHEMA_URL]);
static SCOPE_METRICS: Message = Message::new(Role::Group, &[SCOPE_FIELD, many(2, "metrics", Inner(&METRIC)), SCHEMA_URL]);

static RESOURCE: Message = Message::new(
    Role::Head,
    &[attributes(1, "attributes"), last(2, "dropped_attributes_count", Varint), many(3, "entity_refs", Inner(&ENTITY))],
);
static ENTITY: Message = Message::new(
    Role::Plain,
    &[last(1, "schema_url", Text), last(2, "type", Text), many(3, "id_keys", Text), many(4, "description_keys", Text)],
);
static SCOPE: Message = Message::new(
    Role::Head,
    &[last(1, "name", Text), last(2, "version", Text), attributes(3, "attributes"), last(4, "dropped_attributes_count", Varint)],
);
static PAIR: Message = Message::new(Role::Plain, &[last(1, "key", Key), once(0, 2, "value", Inner(&ANY)), last(3, "key_strindex", Varint)]);
static ANY: Message = Message::new(
    Role::Plain,
    &[
        once(0, 1, "string_value", Text),
        once(0, 2, "bool_value", Varint),
        once(0, 3, "int_value", Varint),
        once(0, 4, "double_value", Fixed64),
        once(0, 5, "array_value", Inner(&ARRAY)),
        once(0, 6, "kvlist_value", Inner(&MAP)),
        once(0, 7, "bytes_value", Bytes),
        once(0, 8, "string_value_strindex", Varint),
    ],
);
static ARRAY: Message = Message::new(Role::Nest, &[many(1, "values", Inner(&ANY))]);
static MAP: Message = Message::new(Role::Nest, &[many(1, "values", Inner(&PAIR))]);

static SPAN: Message = Message::new(
    Role::Span,
    &[
        // Where it stands first it need not be looked for further back.
        once(1, 1, "trace_id", TraceId),
        last(2, "span_id", SpanId),
        last(3, "trace_state", Text),
        last(4, "parent_span_id", Bytes),
        last(5, "name", Text),
        last(6, "kind", Varint),
        last(7, "start_time_unix_nano", Fixed64),
        last(8, "end_time_unix_nano", Fixed64),
        attributes(9, "attributes"),
        last(10, "dropped_attributes_count", Varint),
        many(11, "events", Inner(&EVENT)),
        last(12, "dropped_events_count", Varint),
        many(13, "links", Inner(&LINK)),
        last(14, "dropped_links_count", Varint),
        once(0, 15, "status", Inner(&STATUS)),
        last(16, "flags", Fixed32),
    ],
);
static STATUS: Message = Message::new(Role::Plain, &[last(2, "message", Text), last(3, "code", Varint)]);
static EVENT: Message = Message::new(
    Role::Plain,
    &[last(1, "time_unix_nano", Fixed64), last(2, "name", Text), attributes(3, "attributes"), last(4, "dropped_attributes_count", Varint)],
);
static LINK: Message = Message::new(
    Role::Plain,
    &[
        last(1, "trace_id", Bytes),
        last(2, "span_id", Bytes),
        last(3, "trace_state", Text),
        attributes(4, "attributes"),
        last(5, "dropped_attributes_count", Varint),
        last(6, "flags", Fixed32),
    ],
);

static LOG: Message = Message::new(
    Role::Record,
    &[
        last(1, "time_unix_nano", Fixed64),
        last(2, "severity_number", Varint),
        last(3, "severity_text", Text),
        Known { number: 5, name: "body", shape: Inner(&ANY), times: Times::Value(0) },
        attributes(6, "attributes"),
        last(7, "dropped_attributes_count", Varint),
        last(8, "flags", Fixed32),
        last(9, "trace_id", Bytes),
        last(10, "span_id", Bytes),
        last(11, "observed_time_unix_nano", Fixed64),
        last(12, "event_name", Text),
    ],
);

static METRIC: Message = Message::new(
    Role::Group,
    &[
        last(1, "name", Text),
        last(2, "description", Text),
        last(3, "unit", Text),
        once(0, 5, "gauge", Inner(&GAUGE)),
        once(0, 7, "sum", Inner(&SUM)),
        once(0, 9, "histogram", Inner(&HISTOGRAM)),
        once(0, 10, "exponential_histogram", Inner(&EXPONENTIAL)),
        once(0, 11, "summary", Inner(&SUMMARY)),
        attributes(12, "metadata"),
    ],
);
const TEMPORALITY: Known = last(2, "aggregation_temporality", Varint);
static GAUGE: Message = Message::new(Role::Plain, &[many(1, "data_points", Inner(&NUMBER))]);
static SUM: Message = Message::new(Role::Plain, &[many(1, "data_points", Inner(&NUMBER)), TEMPORALITY, last(3, "is_monotonic", Varint)]);
static HISTOGRAM: Message = Message::new(Role::Plain, &[many(1, "data_points", Inner(&BUCKETED)), TEMPORALITY]);
static EXPONENTIAL: Message = Message::new(Role::Plain, &[many(1, "data_points", Inner(&SCALED)), TEMPORALITY]);
static SUMMARY: Message = Message::new(Role::Plain, &[many(1, "data_points", Inner(&QUANTILED))]);

const START: Known = last(2, "start_time_unix_nano", Fixed64);
const TIME: Known = last(3, "time_unix_nano", Fixed64);
const COUNT: Known = last(4, "count", Fixed64);
const SUM_VALUE: Known = last(5, "sum", Fixed64);
static NUMBER: Message = Message::new(
    Role::Record,
    &[
        START,
        TIME,
        once(0, 4, "as_double", Fixed64),
        many(5, "exemplars", Inner(&EXEMPLAR)),
        once(0, 6, "as_int", Fixed64),
        attributes(7, "attributes"),
        last(8, "flags", Varint),
    ],
);
static BUCKETED: Message = Message::new(
    Role::Record,
    &[
        START,
        TIME,
        COUNT,
        SUM_VALUE,
        many(6, "bucket_counts", Fixed64s),
        many(7, "explicit_bounds", Fixed64s),
        many(8, "exemplars", Inner(&EXEMPLAR)),
        attributes(9, "attributes"),
        last(10, "flags", Varint),
        last(11, "min", Fixed64),
        last(12, "max", Fixed64),
    ],
);
static SCALED: Message = Message::new(
    Role::Record,
    &[
        attributes(1, "attributes"),
        START,
        TIME,
        COUNT,
        SUM_VALUE,
        last(6, "scale", Varint),
        last(7, "zero_count", Fixed64),
        once(0, 8, "positive", Inner(&BUCKETS)),
        once(1, 9, "negative", Inner(&BUCKETS)),
        last(10, "flags", Varint),
        many(11, "exemplars", Inner(&EXEMPLAR)),
        last(12, "min", Fixed64),
        last(13, "max", Fixed64),
        last(14, "zero_threshold", Fixed64),
    ],
);
static BUCKETS: Message = Message::new(Role::Plain, &[last(1, "offset", Varint), many(2, "bucket_counts", Varints)]);
static QUANTILED: Message = Message::new(
    Role::Record,
    &[START, TIME, COUNT, SUM_VALUE, many(6, "quantile_values", Inner(&QUANTILE)), attributes(7, "attributes"), last(8, "flags", Varint)],
);
static QUANTILE: Message = Message::new(Role::Plain, &[last(1, "quantile", Fixed64), last(2, "value", Fixed64)]);
static EXEMPLAR: Message = Message::new(
    Role::Plain,
    &[
        last(2, "time_unix_nano", Fixed64),
        once(0, 3, "as_double", Fixed64),
        last(4, "span_id", Bytes),
        last(5, "trace_id", Bytes),
        once(0, 6, "as_int", Fixed64),
        attributes(7, "filtered_attributes"),
    ],
);
