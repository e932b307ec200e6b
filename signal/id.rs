//! Trace and span ids as OTLP carries them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// 16 bytes, big-endian as on the wire. All zero is no id.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// 8 bytes, big-endian as on the wire. All zero is no id.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

impl TraceId {
    /// The id in these bytes, if there are 16 and one of them is not zero.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<TraceId> {
        <[u8; 16]>::try_from(bytes).ok().filter(|b| *b != [0; 16]).map(TraceId)
    }

    /// From 32 hex digits of either case, if it is not zero.
    #[must_use]
    pub fn of_hex(hex: &str) -> Option<TraceId> {
        TraceId::of_bytes(&unhex::<16>(hex)?)
    }

    /// The low 64 bits: the key of the trace window, in which 64-bit and 128-bit ids of one trace meet.
    #[must_use]
    pub fn low(&self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The low 56 bits: the randomness R of OpenTelemetry's consistent probability sampling.
    #[must_use]
    pub fn randomness(&self) -> u64 {
        self.low() & ((1 << 56) - 1)
    }
}

impl SpanId {
    /// The id in these bytes, if there are 8 and one of them is not zero.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<SpanId> {
        <[u8; 8]>::try_from(bytes).ok().filter(|b| *b != [0; 8]).map(SpanId)
    }

    /// From 16 hex digits of either case, if it is not zero.
    #[must_use]
    pub fn of_hex(hex: &str) -> Option<SpanId> {
        SpanId::of_bytes(&unhex::<8>(hex)?)
    }
}

fn unhex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let digit = |c: &u8| char::from(*c).to_digit(16);
        *byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    }
    Some(out)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(from)?;
        TraceId::of_hex(&hex).ok_or_else(|| serde::de::Error::custom("a trace id is 32 hex digits"))
    }
}

impl<'de> Deserialize<'de> for SpanId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(from)?;
        SpanId::of_hex(&hex).ok_or_else(|| serde::de::Error::custom("a span id is 16 hex digits"))
    }
}
