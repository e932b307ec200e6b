//! The one gate: bytes from outside become `Checked` here or are refused with the place of the fault.

#[cfg(test)]
mod bytes_test;
#[cfg(test)]
mod check_test;
mod glance;
mod pass;
pub(crate) mod schema;

use crate::{
    Signal,
    splice::{Patch, splice},
};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use pass::{Fault, Pass, path_of};
use prost::Message;
use std::fmt;

/// An OTLP export request of one signal whose wire format, UTF-8, nesting and sizes were checked. Only `check` and edits of a `Checked` make one, so views over it cannot fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked(pub(crate) Bytes);

impl Checked {
    /// The protobuf encoding. Concatenating two of one signal is their merge.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// What a request may contain at the most; what one record breaks costs that record, `records_max` the request.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Records (spans, log records, data points) a request.
    pub records_max: usize,
    /// Attributes of a record, resource or scope.
    pub attributes_max: usize,
    /// Bytes of an attribute's key.
    pub key_bytes_max: usize,
    /// Levels of arrays and maps in a value. Never more than what fits into 100 levels of messages, where other readers stop: about 30 maps.
    pub nesting_max: usize,
    /// Bytes of a record.
    pub record_bytes_max: usize,
    /// Bytes of a resource or scope, which are copied for every trace that has a record of theirs.
    pub resource_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            records_max: 100_000,
            attributes_max: 1_024,
            key_bytes_max: 1_024,
            nesting_max: 64,
            record_bytes_max: 4 << 20,
            resource_bytes_max: 64 << 10,
        }
    }
}

/// What a checked request holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records in the checked bytes.
    pub records: usize,
    /// Records that were cut out because they break a rule by themselves (a span without ids, one over a limit); OTLP's partial success.
    pub rejected: usize,
    /// Why the first of them was cut.
    pub why: Option<Malformed>,
}

/// Why a request was refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The path of the field, such as `resource_spans[0].scope_spans[2].spans[17].name`.
    pub path: String,
    /// The byte offset in the request.
    pub offset: usize,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.path, self.offset, self.what)
    }
}

impl std::error::Error for Malformed {}

impl Malformed {
    /// For a client that sent JSON: the path as it wrote it, and no offset, which is one of the translation.
    #[must_use]
    pub fn in_json(&self) -> String {
        let mut path = String::with_capacity(self.path.len());
        let mut words = self.path.split('_');
        path.push_str(words.next().unwrap_or_default());
        for word in words {
            let mut letters = word.chars();
            path.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            path.push_str(letters.as_str());
        }
        format!("{path}: {}", self.what)
    }
}

/// Checks a request once, in one pass, and gives the same bytes back. Legal but unusual encodings (a singular message or a oneof given twice) are rewritten through prost, which drops unknown fields;
/// records that break a rule by themselves are cut out and counted.
pub fn check(signal: Signal, raw: Bytes, limits: &Limits) -> Result<(Checked, Counts), Malformed> {
    let (checked, mut counts, encoding) = one_pass(signal, raw, limits)?;
    if encoding == Encoding::Plain {
        return Ok((checked, counts));
    }
    let (checked, again, _) = one_pass(signal, rewritten(signal, &checked.0)?, limits)?;
    counts.records = again.records;
    counts.rejected += again.rejected;
    counts.why = counts.why.or(again.why);
    Ok((checked, counts))
}

/// Whether views can read the bytes as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Unusual,
}

fn one_pass(signal: Signal, raw: Bytes, limits: &Limits) -> Result<(Checked, Counts, Encoding), Malformed> {
    let request = schema::request(signal);
    let told =
        |fault: &Fault| Malformed { path: path_of(request, &raw, fault.at), offset: fault.at, what: fault.what.clone().into_owned() };
    let mut pass = Pass::new(&raw, limits);
    pass.run(request).map_err(|fault| told(&fault))?;
    let counts = Counts { records: pass.records - pass.rejected, rejected: pass.rejected, why: pass.why.as_deref().map(told) };
    let encoding = if pass.rewrite { Encoding::Unusual } else { Encoding::Plain };
    if pass.cuts.is_empty() {
        return Ok((Checked(raw), counts, encoding));
    }
    let patches: Vec<Patch> = pass.cuts.iter().map(|cut| Patch::cut(cut.start, cut.end)).collect();
    Ok((Checked(splice(signal, &raw, &patches, &[]).into()), counts, encoding))
}

/// Decoded and encoded again, which merges what was given in pieces.
fn rewritten(signal: Signal, raw: &[u8]) -> Result<Bytes, Malformed> {
    let bytes = match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(raw).map(|request| request.encode_to_vec()),
        Signal::Logs => ExportLogsServiceRequest::decode(raw).map(|request| request.encode_to_vec()),
        Signal::Metrics => ExportMetricsServiceRequest::decode(raw).map(|request| request.encode_to_vec()),
    };
    bytes.map(Bytes::from).map_err(|e| Malformed { path: "request".to_owned(), offset: 0, what: e.to_string() })
}
