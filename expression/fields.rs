//! The table behind config/reference/fields.md: every field, which kinds have it, what it holds, and where it may be written. A field's parts (`.scope.name`) stand in it with their dotted name.

use signal::Kinds;

const S: Kinds = Kinds::SPANS;
const L: Kinds = Kinds::LOGS;
const M: Kinds = Kinds::METRICS;
const T: Kinds = Kinds::TRACES;
const SL: Kinds = S.and(L);
const SM: Kinds = S.and(M);
const ST: Kinds = S.and(T);
const LM: Kinds = L.and(M);
const SLT: Kinds = SL.and(T);
const SLM: Kinds = SL.and(M);

/// Levels from the least to the gravest, as `.severity` has them.
pub(crate) const LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const KINDS: &[&str] = &["server", "client", "internal", "producer", "consumer", "unspecified"];
const STATUSES: &[&str] = &["unset", "ok", "error"];
const TYPES: &[&str] = &["gauge", "sum", "histogram", "exponential_histogram", "summary"];
const CLOSED_BY: &[&str] = &["root", "idle", "first", "cap", "pressure", "drain"];
const TEMPORALITIES: &[&str] = &["unspecified", "delta", "cumulative"];

/// What is read from a record or a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    Service,
    ScopeName,
    ScopeVersion,
    Resource,
    Attributes,
    Name,
    TraceId,
    SpanId,
    ParentSpanId,
    IsRoot,
    TraceState,
    Sampled,
    Kind,
    Status,
    StatusMessage,
    Error,
    StartTime,
    EndTime,
    Time,
    DurationMs,
    Events,
    Links,
    Severity,
    SeverityNumber,
    SeverityText,
    Body,
    Message,
    EventName,
    Type,
    Unit,
    Temporality,
    Monotonic,
    Value,
    Count,
    Sum,
    Min,
    Max,
    SpanCount,
    LogCount,
    ErrorSpanCount,
    ErrorLogCount,
    Services,
    Root,
    RootService,
    RootName,
    RootKind,
    RootStatus,
    RootDurationMs,
    RootAttributes,
    FirstError,
    FirstErrorService,
    FirstErrorSpan,
    FirstErrorMessage,
    ClosedBy,
    HttpRoute,
    HttpStatus,
}

/// What a field holds where it is not missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A level, compared by its rank.
    Level,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number with a fraction.
    Float,
    /// Either kind of number.
    Number,
    /// A point in time.
    Time,
    /// Keys and values; any key may follow.
    Map,
    /// Elements.
    List,
    /// Something that consists of other fields of this table.
    Parts,
    /// Nothing is known before it is read.
    Any,
    /// Nothing, always.
    Null,
}

impl Type {
    /// With its article, as messages name it.
    pub(crate) fn named(self) -> &'static str {
        match self {
            Type::Text | Type::Word(_) => "text",
            Type::Level => "a level",
            Type::Bool => "a boolean",
            Type::Int | Type::Float | Type::Number => "a number",
            Type::Time => "a time",
            Type::Map | Type::Parts => "a map",
            Type::List => "a list",
            Type::Any => "of any type",
            Type::Null => "null",
        }
    }

    /// Whether it is text of some sort.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Type::Text | Type::Word(_) | Type::Level)
    }

    /// Whether it is a number of some sort.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Type::Int | Type::Float | Type::Number)
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// As written after the first dot; parts are joined with a dot.
    pub(crate) name: &'static str,
    /// What is read.
    pub(crate) leaf: Leaf,
    /// Who has it.
    pub(crate) of: Kinds,
    /// Of what type it is.
    pub(crate) holds: Type,
    /// Which of them may lack its value.
    pub(crate) null_in: Kinds,
    /// For which kinds `transform` may write it.
    pub(crate) writable: Kinds,
}

const fn always(name: &'static str, leaf: Leaf, of: Kinds, holds: Type) -> Entry {
    Entry { name, leaf, of, holds, null_in: Kinds::NONE, writable: Kinds::NONE }
}

const fn maybe(name: &'static str, leaf: Leaf, of: Kinds, holds: Type) -> Entry {
    Entry { null_in: of, ..always(name, leaf, of, holds) }
}

const fn null_in(kinds: Kinds, entry: Entry) -> Entry {
    Entry { null_in: kinds, ..entry }
}

const fn writable(entry: Entry, writable: Kinds) -> Entry {
    Entry { writable, ..entry }
}

/// All fields.
pub(crate) const FIELDS: &[Entry] = &[
    always("service", Leaf::Service, SLM, Type::Text),
    always("scope.name", Leaf::ScopeName, SLM, Type::Text),
    always("scope.version", Leaf::ScopeVersion, SLM, Type::Text),
    writable(always("resource", Leaf::Resource, SLM, Type::Map), SLM),
    writable(always("attributes", Leaf::Attributes, SLM, Type::Map), SLM),
    writable(always("name", Leaf::Name, SM, Type::Text), SM),
    null_in(L, always("trace_id", Leaf::TraceId, SLT, Type::Text)),
    null_in(L, always("span_id", Leaf::SpanId, SL, Type::Text)),
    maybe("parent_span_id", Leaf::ParentSpanId, S, Type::Text),
    always("is_root", Leaf::IsRoot, S, Type::Bool),
    always("trace_state", Leaf::TraceState, ST, Type::Text),
    null_in(L, always("sampled", Leaf::Sampled, SL, Type::Bool)),
    always("kind", Leaf::Kind, S, Type::Word(KINDS)),
    writable(always("status", Leaf::Status, S, Type::Word(STATUSES)), S),
    writable(always("status_message", Leaf::StatusMessage, S, Type::Text), S),
    always("error", Leaf::Error, SLT, Type::Bool),
    null_in(M, always("start_time", Leaf::StartTime, SM.and(T), Type::Time)),
    always("end_time", Leaf::EndTime, ST, Type::Time),
    writable(always("time", Leaf::Time, LM, Type::Time), L),
    always("duration_ms", Leaf::DurationMs, ST, Type::Float),
    always("events", Leaf::Events, S, Type::List),
    always("links", Leaf::Links, S, Type::List),
    always("severity", Leaf::Severity, L, Type::Level),
    writable(always("severity_number", Leaf::SeverityNumber, L, Type::Int), L),
    writable(always("severity_text", Leaf::SeverityText, L, Type::Text), L),
    writable(maybe("body", Leaf::Body, L, Type::Any), L),
    maybe("message", Leaf::Message, L, Type::Text),
    always("event_name", Leaf::EventName, L, Type::Text),
    always("type", Leaf::Type, M, Type::Word(TYPES)),
    always("unit", Leaf::Unit, M, Type::Text),
    maybe("temporality", Leaf::Temporality, M, Type::Word(TEMPORALITIES)),
    maybe("monotonic", Leaf::Monotonic, M, Type::Bool),
    maybe("value", Leaf::Value, M, Type::Number),
    maybe("count", Leaf::Count, M, Type::Number),
    maybe("sum", Leaf::Sum, M, Type::Number),
    maybe("min", Leaf::Min, M, Type::Number),
    maybe("max", Leaf::Max, M, Type::Number),
    always("span_count", Leaf::SpanCount, T, Type::Int),
    always("log_count", Leaf::LogCount, T, Type::Int),
    always("error_span_count", Leaf::ErrorSpanCount, T, Type::Int),
    always("error_log_count", Leaf::ErrorLogCount, T, Type::Int),
    always("services", Leaf::Services, T, Type::List),
    maybe("root", Leaf::Root, T, Type::Parts),
    maybe("root.service", Leaf::RootService, T, Type::Text),
    maybe("root.name", Leaf::RootName, T, Type::Text),
    maybe("root.kind", Leaf::RootKind, T, Type::Word(KINDS)),
    maybe("root.status", Leaf::RootStatus, T, Type::Word(STATUSES)),
    maybe("root.duration_ms", Leaf::RootDurationMs, T, Type::Float),
    maybe("root.attributes", Leaf::RootAttributes, T, Type::Map),
    maybe("first_error", Leaf::FirstError, T, Type::Parts),
    maybe("first_error.service", Leaf::FirstErrorService, T, Type::Text),
    maybe("first_error.span", Leaf::FirstErrorSpan, T, Type::Text),
    maybe("first_error.message", Leaf::FirstErrorMessage, T, Type::Text),
    always("closed_by", Leaf::ClosedBy, T, Type::Word(CLOSED_BY)),
    maybe("http_route", Leaf::HttpRoute, Kinds::ALL, Type::Text),
    maybe("http_status", Leaf::HttpStatus, Kinds::ALL, Type::Int),
];

/// A field as the reference lists it.
#[derive(Clone, Debug)]
pub struct Row {
    /// With its leading dot; the parts of a field are joined with a dot.
    pub name: String,
    /// What has it.
    pub of: Kinds,
    /// What it holds, in words: `text`, or the words it can be.
    pub holds: String,
    /// Where it may be missing.
    pub null_in: Kinds,
    /// Where `transform` may write it.
    pub writable: Kinds,
}

/// Every field that a condition can ask for and a program can see, in the order of the reference.
pub fn rows() -> impl Iterator<Item = Row> {
    FIELDS.iter().map(|entry| {
        let holds = match entry.holds {
            Type::Word(words) => words.join(", "),
            Type::Level => LEVELS.join(", "),
            other => other.named().to_owned(),
        };
        Row { name: format!(".{}", entry.name), of: entry.of, holds, null_in: entry.null_in, writable: entry.writable }
    })
}

/// What other tools call a field of ours that is spelled too differently for the nearest word to find it.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    ("attrs", "attributes"),
    ("duration", "duration_ms"),
    ("level", "severity"),
    ("log", "message"),
    ("msg", "message"),
    ("resources", "resource"),
    ("service_name", "service"),
    ("span_kind", "kind"),
    ("span_name", "name"),
    ("status_code", "status"),
    ("tags", "attributes"),
    ("timestamp", "time"),
];

/// The row of a name, and whether other rows are parts of it.
pub(crate) fn entry(name: &str) -> Option<&'static Entry> {
    FIELDS.iter().find(|e| e.name == name)
}

/// Whether rows exist whose name continues this one, as for `scope`.
pub(crate) fn has_parts(name: &str) -> bool {
    FIELDS.iter().any(|e| e.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// The kinds in words, for "no field of …": `a span`, `a span or a log`.
pub(crate) fn one_of(kinds: Kinds) -> String {
    listed(kinds, [(S, "a span"), (L, "a log"), (M, "a metric point"), (T, "a trace")], "or")
}

/// The kinds in words, for "… have it": `spans and traces`.
pub(crate) fn all_of(kinds: Kinds) -> String {
    listed(kinds, [(S, "spans"), (L, "logs"), (M, "metric points"), (T, "closed traces")], "and")
}

fn listed(kinds: Kinds, words: [(Kinds, &str); 4], joined_by: &str) -> String {
    let words: Vec<&str> = words.iter().filter(|(kind, _)| kinds.has(*kind)).map(|(_, word)| *word).collect();
    match words.as_slice() {
        [] => "anything".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} {joined_by} {last}", most.join(", ")),
    }
}
