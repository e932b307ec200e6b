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
    const ALL: [Form; 13] = [
        Form::Otlp,
        Form::Key,
        Form::Datadog,
        Form::Azure,
        Form::Traceparent,
        Form::B3,
        Form::XRay,
        Form::Google,
        Form::Jaeger,
        Form::Spring,
        Form::NewRelic,
        Form::Brackets,
        Form::Bare,
    ];

    /// A small number, to be kept beside a record; it means nothing outside the process.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The form of this number.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Form> {
        Form::ALL.get(usize::from(number)).copied()
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_form_has_its_number_and_its_word() {
        assert!((0..=u8::MAX).filter_map(Form::of_number).eq(Form::ALL));
        assert!(Form::ALL.iter().all(|form| Form::of_number(form.number()) == Some(*form)));
        assert_eq!(Form::ALL.map(Form::word).into_iter().collect::<BTreeSet<_>>().len(), Form::ALL.len());
    }
}
