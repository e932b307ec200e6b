//! The first 32 bytes of `meta` and of every segment: what it is, of which version, of which log. The layout is the same in all versions (FORMAT.md).

use crate::record::{SEQUENCE_MAX, four};

/// Bytes of a stamp.
pub(crate) const STAMP_BYTES: usize = 32;
/// The newest format this version knows, and writes.
pub(crate) const FORMAT_VERSION: u16 = 1;

/// Which file a stamp is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Meta,
    Segment,
}

impl Of {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Of::Meta => b"KANSOKUM",
            Of::Segment => b"KANSOKUJ",
        }
    }
}

/// What a stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// Right, of a known version.
    Known { id: u32 },
    /// Right, of a version of a newer kansoku.
    Newer { version: u16 },
    /// Not a stamp of this kind of file.
    Damaged,
}

pub(crate) fn encode(of: Of, id: u32, base: u64) -> [u8; STAMP_BYTES] {
    let mut out = [0; STAMP_BYTES];
    out[..8].copy_from_slice(of.magic());
    out[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    out[12..16].copy_from_slice(&id.to_le_bytes());
    out[16..24].copy_from_slice(&base.to_le_bytes());
    let sum = crc32c::crc32c(&out[..28]);
    out[28..].copy_from_slice(&sum.to_le_bytes());
    out
}

pub(crate) fn decode(of: Of, bytes: &[u8]) -> Stamp {
    let Some(bytes) = bytes.first_chunk::<STAMP_BYTES>() else { return Stamp::Damaged };
    if bytes[..8] != of.magic()[..] || crc32c::crc32c(&bytes[..28]) != four(bytes, 28) {
        return Stamp::Damaged;
    }
    match u16::from_le_bytes([bytes[8], bytes[9]]) {
        FORMAT_VERSION => Stamp::Known { id: four(bytes, 12) },
        version => Stamp::Newer { version },
    }
}

/// The name of the segment whose numbers start at `base`.
pub(crate) fn segment_name(base: u64) -> String {
    format!("{base:020}.log")
}

/// The number in the name of a segment; `None` for any other file.
pub(crate) fn segment_base(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|base| plain && *base <= SEQUENCE_MAX)
}
