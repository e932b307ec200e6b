//! OTLP's JSON encoding, both ways (opentelemetry-proto, "JSON Protobuf Encoding": ids in hex, 64-bit numbers as strings, enums as numbers, unknown fields ignored).
//! Both ways walk the same table (`tables`), from JSON straight to protobuf's bytes and back; no message is built in between.

mod decode;
mod encode;
mod escape;
mod number;
pub(crate) mod reader;
#[cfg(test)]
mod roundtrip;
mod schema;
mod tables;
#[cfg(test)]
mod tests;

use crate::{Checked, Malformed, Signal};
use bytes::Bytes;

/// Messages within messages, at the most: 64 values within values (three messages each) and what stands around an attribute.
const MESSAGES_DEEP_MAX: usize = 64 * 3 + 12;

/// An OTLP/JSON request as protobuf; `check` still has to follow. `Malformed::path` names the JSON field, `offset` the byte at which the refused value starts.
/// Beyond the specification it takes what protobuf's own JSON mapping takes: field names in snake_case, enums by name, `null` for a default. Memory is at most about four times the text.
pub fn to_protobuf(signal: Signal, json: &[u8]) -> Result<Bytes, Malformed> {
    encode::request(tables::request(signal), json).map(Bytes::from)
}

/// A checked request as OTLP/JSON, one object on one line. Fields appear as the bytes have them: what was not written there is left out.
#[must_use]
pub fn of_protobuf(signal: Signal, checked: &Checked) -> String {
    decode::request(tables::request(signal), checked.bytes())
}
