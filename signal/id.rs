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

    /// From 32 hex digits of either case, or 16 for the low half alone, if it is not zero.
    #[must_use]
    pub fn of_hex_or_half(hex: &str) -> Option<TraceId> {
        if hex.len() == 32 { TraceId::of_hex(hex) } else { SpanId::of_hex(hex).map(TraceId::of_half) }
    }

    fn of_half(SpanId(low): SpanId) -> TraceId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&low);
        TraceId(bytes)
    }

    /// The high 64 bits; zero where only 64 bits of an id were written.
    #[must_use]
    pub fn high(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// Whether both can be one trace: the same id, or one is the low half of the other.
    #[must_use]
    pub fn meets(&self, other: &TraceId) -> bool {
        self.low() == other.low() && (self.high() == other.high() || self.high() == 0 || other.high() == 0)
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

/// What each byte is worth as a hex digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};
const NO_DIGIT: u8 = 0xff;

/// Whether this is a hex digit of either case.
pub(crate) fn is_hex(c: u8) -> bool {
    DIGITS[usize::from(c)] != NO_DIGIT
}

fn unhex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let (mut out, mut all) = ([0; N], 0);
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        all |= high | low;
        *byte = high << 4 | low & 0xf;
    }
    // One look at the end: a byte that is no digit has high bits that no digit has.
    (all < 16).then_some(out)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0; 32];
    for (two, byte) in text.chunks_exact_mut(2).zip(bytes) {
        two.copy_from_slice(&[b"0123456789abcdef"[usize::from(byte >> 4)], b"0123456789abcdef"[usize::from(byte & 0xf)]]);
    }
    f.write_str(std::str::from_utf8(text.get(..2 * bytes.len()).unwrap_or_default()).unwrap_or_default())
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
