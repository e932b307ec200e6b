//! The one gate: bytes from outside become `Checked` here or are refused with the place of the fault (FLOW 1).

use crate::Signal;
use bytes::Bytes;
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

/// What a request may contain at the most (research/reliability-security.md 5).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Records (spans, log records, data points) a request.
    pub records_max: usize,
    /// Attributes of a record, resource or scope.
    pub attributes_max: usize,
    /// Bytes of an attribute's key.
    pub key_bytes_max: usize,
    /// Levels of arrays and maps in a value.
    pub nesting_max: usize,
    /// Bytes of a record.
    pub record_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { records_max: 100_000, attributes_max: 1_024, key_bytes_max: 1_024, nesting_max: 64, record_bytes_max: 4 << 20 }
    }
}

/// What a checked request holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records in the checked bytes.
    pub records: usize,
    /// Records that were cut out because they break a rule by themselves (a span without ids, one over a limit); OTLP's partial success.
    pub rejected: usize,
    /// Why the first of them was cut, naming its path.
    pub why: Option<String>,
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

/// Checks a request once, in one pass. Legal but unusual encodings (a singular message given twice, fields where a view would misread them) are rewritten through prost.
pub fn check(signal: Signal, raw: Bytes, limits: &Limits) -> Result<(Checked, Counts), Malformed> {
    let _ = (signal, raw, limits);
    todo!()
}
