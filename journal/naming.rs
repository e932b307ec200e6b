//! What the numbers of sources in records mean: a small file beside the segments (FORMAT.md). Without it records are as whole as with it.

use crate::disk::Disk;
use crate::error::Error;
use crate::log::Log;
use crate::record::four;
use crate::saving::replace;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;

pub(crate) const NAMES: &str = "names";
/// More is not read.
pub(crate) const NAMES_BYTES_MAX: usize = 1 << 20;
/// Names of sources that are gone are forgotten beyond so many.
const NAMES_MAX: usize = 1024;
const HEAD_BYTES: usize = 12;
const VERSION: u16 = 1;

/// The names of sources, by their number in [`crate::Header::source`].
pub type Names = BTreeMap<u16, String>;

/// What the file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Names(Names),
    /// A newer kansoku wrote it.
    Newer {
        version: u16,
    },
    Damaged,
}

pub(crate) fn encode(id: u32, names: &Names) -> Vec<u8> {
    let mut out = vec![0; HEAD_BYTES];
    for (number, name) in names {
        let name = &name.as_bytes()[..name.floor_char_boundary(usize::from(u8::MAX))];
        out.extend_from_slice(&number.to_le_bytes());
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name);
    }
    let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
    out[4..8].copy_from_slice(&length.to_le_bytes());
    out[8..10].copy_from_slice(&VERSION.to_le_bytes());
    let sum = crc32c::crc32c_append(id, &out[4..]);
    out[..4].copy_from_slice(&sum.to_le_bytes());
    out
}

pub(crate) fn decode(id: u32, bytes: &[u8]) -> Read {
    let length = four(bytes, 4) as usize;
    let Some(content) = bytes.get(..length).filter(|_| length >= HEAD_BYTES) else { return Read::Damaged };
    if crc32c::crc32c_append(id, &content[4..]) != four(content, 0) {
        return Read::Damaged;
    }
    let version = u16::from_le_bytes([content[8], content[9]]);
    if version != VERSION {
        return Read::Newer { version };
    }
    let mut names = Names::new();
    let mut rest = &content[HEAD_BYTES..];
    while let [a, b, length, after @ ..] = rest {
        let Some(name) = after.get(..usize::from(*length)).and_then(|name| std::str::from_utf8(name).ok()) else { return Read::Damaged };
        names.insert(u16::from_le_bytes([*a, *b]), name.to_owned());
        rest = &after[name.len()..];
    }
    Read::Names(names)
}

pub(crate) fn save(disk: &dyn Disk, dir: &Path, id: u32, names: &Names) -> Result<(), Error> {
    replace(disk, dir, NAMES, Bytes::from(encode(id, names))).map_err(|error| Error::disk("write", &dir.join(NAMES), error))
}

impl Log {
    /// What the numbers of sources mean, also of those that only old records have.
    #[must_use]
    pub fn names(&self) -> Names {
        self.shared.names.lock().clone()
    }

    /// Says what numbers mean from now on. Others stay known while there may be records of theirs. A name of more than 255 bytes is cut. Blocks.
    ///
    /// # Errors
    /// The file could not be written; the names hold in memory.
    pub fn name(&self, names: &Names) -> Result<(), Error> {
        let settled = {
            let state = self.shared.state.lock();
            state.slowest().is_some_and(|slowest| slowest >= state.next)
        };
        let mut known = self.shared.names.lock();
        let mut all = if settled { Names::new() } else { known.clone() };
        while all.len() > NAMES_MAX {
            all.pop_first();
        }
        all.extend(names.iter().map(|(number, name)| (*number, name.clone())));
        if *known == all {
            return Ok(());
        }
        *known = all;
        save(&*self.shared.disk, &self.shared.dir, self.shared.id, &known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_read_back_and_no_flipped_bit_goes_unseen(names in prop::collection::btree_map(any::<u16>(), "\\PC{0,40}", 0..20), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = encode(9, &names);
            prop_assert_eq!(decode(9, &bytes), Read::Names(names));
            prop_assert_eq!(decode(8, &bytes), Read::Damaged, "another log's");
            *at.get_mut(&mut bytes) ^= 1 << bit;
            prop_assert_eq!(decode(9, &bytes), Read::Damaged);
        }

        #[test]
        fn whatever_lies_there_is_read_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 12..200)) {
            let length = u32::try_from(bytes.len()).unwrap();
            bytes[4..8].copy_from_slice(&length.to_le_bytes());
            bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
            let sum = crc32c::crc32c_append(9, &bytes[4..]);
            bytes[..4].copy_from_slice(&sum.to_le_bytes());
            decode(9, &bytes);
        }
    }
}
