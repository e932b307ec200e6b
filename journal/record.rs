//! One record: what a caller says of it, and its 40 bytes on disk (FORMAT.md). Both checksums start from the log's random id, so no payload can contain a record that this log believes.

use bytes::Bytes;

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 40;
/// No log lives so long: a higher number, of a record, a segment or a cursor, was not written by a journal, and is not believed, so that counting on cannot overflow.
pub(crate) const SEQUENCE_MAX: u64 = 1 << 62;
/// What this version writes; a reader takes it and the one before.
pub(crate) const RECORD_VERSION: u8 = 1;

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Telemetry.
    Data = 1,
    /// What was decided of a trace.
    Decision = 2,
    /// A point in the log, such as a reload.
    Mark = 3,
    /// How far a source had read, once the next data record of the same source is there.
    Position = 4,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        match byte {
            1 => Some(Kind::Data),
            2 => Some(Kind::Decision),
            3 => Some(Kind::Mark),
            4 => Some(Kind::Position),
            _ => None,
        }
    }
}

/// What the writer says of a record; the journal stores all of it and reads only `kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is for.
    pub kind: Kind,
    /// Which source, as the caller numbers them.
    pub source: u16,
    /// Which signal, as the caller numbers them.
    pub signal: u8,
    /// Spans, log records or data points in the payload.
    pub items: u32,
    /// When it came in: nanoseconds since the Unix epoch.
    pub arrived: u64,
}

/// A record that was read back whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in this log: ascending, with gaps where a write failed; never given twice, whatever crashed.
    pub sequence: u64,
    /// As it was appended.
    pub header: Header,
    /// As it was appended; a slice of the block it was read with (up to 256 KiB), so copy what is kept for long.
    pub payload: Bytes,
}

/// A header as it lies on disk, checksum right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) sequence: u64,
    pub(crate) payload_bytes: u32,
    pub(crate) payload_sum: u32,
    pub(crate) version: u8,
    pub(crate) kind: u8,
    source: u16,
    signal: u8,
    items: u32,
    arrived: u64,
}

impl Head {
    /// What the caller had said; `None` for a kind or version of a newer kansoku.
    pub(crate) fn header(&self) -> Option<Header> {
        let kind = Kind::from_byte(self.kind)?;
        let Head { source, signal, items, arrived, .. } = *self;
        (self.version == RECORD_VERSION).then_some(Header { kind, source, signal, items, arrived })
    }

    /// Header and payload.
    pub(crate) fn record_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.payload_bytes)
    }
}

/// The checksum of a payload that comes in parts.
pub(crate) fn payload_sum(id: u32, parts: &[Bytes]) -> u32 {
    parts.iter().fold(id, |sum, part| crc32c::crc32c_append(sum, part))
}

/// The 40 bytes before a payload of `payload_bytes` with that checksum.
pub(crate) fn encode(id: u32, sequence: u64, header: Header, payload_bytes: u32, payload_sum: u32) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    out[4..8].copy_from_slice(&payload_bytes.to_le_bytes());
    out[8..12].copy_from_slice(&payload_sum.to_le_bytes());
    out[12] = header.kind as u8;
    out[13] = RECORD_VERSION;
    out[14..16].copy_from_slice(&header.source.to_le_bytes());
    out[16] = header.signal;
    out[20..24].copy_from_slice(&header.items.to_le_bytes());
    out[24..32].copy_from_slice(&header.arrived.to_le_bytes());
    out[32..40].copy_from_slice(&sequence.to_le_bytes());
    let sum = crc32c::crc32c_append(id, &out[4..]);
    out[..4].copy_from_slice(&sum.to_le_bytes());
    out
}

/// Reads a header; `None` unless its checksum is right for this log. The cheap questions come first, since a search asks at every byte.
pub(crate) fn decode(id: u32, bytes: &[u8]) -> Option<Head> {
    let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    let version = bytes[13];
    let kind = bytes[12];
    if version == 0 || kind == 0 || bytes[17..20] != [0; 3] {
        return None;
    }
    if crc32c::crc32c_append(id, &bytes[4..]) != four(bytes, 0) {
        return None;
    }
    let sequence = eight(bytes, 32);
    (sequence <= SEQUENCE_MAX).then(|| Head {
        sequence,
        payload_bytes: four(bytes, 4),
        payload_sum: four(bytes, 8),
        version,
        kind,
        source: u16::from_le_bytes([bytes[14], bytes[15]]),
        signal: bytes[16],
        items: four(bytes, 20),
        arrived: eight(bytes, 24),
    })
}

/// A little-endian number of four bytes; 0 where the slice ends before.
pub(crate) fn four(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |four| u32::from_le_bytes(*four))
}

/// A little-endian number of eight bytes; 0 where the slice ends before.
pub(crate) fn eight(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_reads_back_and_no_flipped_bit_goes_unseen(
            kind in prop_oneof![Just(Kind::Data), Just(Kind::Decision), Just(Kind::Mark), Just(Kind::Position)],
            source in any::<u16>(), signal in any::<u8>(), items in any::<u32>(), arrived in any::<u64>(), sequence in 0..=SEQUENCE_MAX,
            bit in 0..HEADER_BYTES * 8,
        ) {
            let header = Header { kind, source, signal, items, arrived };
            let mut bytes = encode(7, sequence, header, 3, payload_sum(7, &[Bytes::from_static(b"abc")]));
            let head = decode(7, &bytes);
            prop_assert_eq!(head.and_then(|head| head.header()), Some(header));
            prop_assert_eq!(head.map(|head| (head.sequence, head.payload_bytes)), Some((sequence, 3)));
            prop_assert_eq!(decode(8, &bytes), None, "another log's record");
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(decode(7, &bytes), None);
        }
    }
}
