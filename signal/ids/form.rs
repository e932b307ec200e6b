//! As what ids were written, and where: words that attributes, metrics and `kansoku why` use.

/// As what ids were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// OTLP's own fields.
    Otlp,
    /// `trace_id` and `span_id` in any spelling, Elastic's `trace.id`, Python's `otelTraceID`.
    Key,
    /// `dd.trace_id`, mostly in decimal.
    Datadog,
    /// Azure's `operation_Id`.
    Azure,
    /// W3C Trace Context, with its name or without.
    Traceparent,
    /// B3 in one header or in several.
    B3,
    /// `Root=1-…`, and what AWS writes as `1-…`.
    XRay,
    /// `projects/…/traces/…` and `X-Cloud-Trace-Context`.
    Google,
    /// `uber-trace-id`.
    Jaeger,
    /// `[application,trace,span]`.
    Spring,
    /// `NR-LINKING|…`.
    NewRelic,
    /// `[trace-span]`, as eBPF instrumentation puts it before a line.
    Brackets,
    /// 32 hex digits that nothing names and that are a known trace.
    Bare,
}

impl Form {
    /// The word used in attributes, metrics and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Form::Otlp => "otlp",
            Form::Key => "key",
            Form::Datadog => "datadog",
            Form::Azure => "azure",
            Form::Traceparent => "traceparent",
            Form::B3 => "b3",
            Form::XRay => "xray",
            Form::Google => "google",
            Form::Jaeger => "jaeger",
            Form::Spring => "spring",
            Form::NewRelic => "new_relic",
            Form::Brackets => "brackets",
            Form::Bare => "bare",
        }
    }
}

/// Where ids were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In OTLP's fields.
    Field,
    /// In an attribute.
    Attributes,
    /// Under a key of the body, be it a map or a line of JSON.
    Body,
    /// In the text of the body.
    Text,
}

impl Place {
    /// The word used in attributes, metrics and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Place::Field => "field",
            Place::Attributes => "attributes",
            Place::Body => "body",
            Place::Text => "text",
        }
    }
}
