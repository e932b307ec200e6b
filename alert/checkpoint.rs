//! What a restart needs, as bytes: a stamp and JSON behind it. Told in FORMAT.md. Reading never panics, whatever the bytes are.

use crate::{
    downtime::Downtimes,
    evaluate::Key,
    known::Known,
    told::{Entry, Instance},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use signal::Time;
use std::borrow::Cow;

/// The version that is written. It and the one before are read.
pub(crate) const VERSION: u16 = 1;

const MAGIC: [u8; 8] = *b"KANSOKUA";
const STAMP_BYTES: usize = 32;

/// Everything that outlives the process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Checkpoint<'a> {
    /// The clock, when this was written.
    pub(crate) written: Time,
    /// The time up to which rules were looked at.
    pub(crate) now: Time,
    pub(crate) downtimes: Cow<'a, Downtimes>,
    pub(crate) known: Cow<'a, Known>,
    pub(crate) rules: Vec<RuleState<'a>>,
    pub(crate) notices: Vec<(Cow<'a, Instance>, Cow<'a, Entry>)>,
}

/// The keys of one rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleState<'a> {
    pub(crate) hash: u64,
    /// For people.
    pub(crate) group: Cow<'a, str>,
    /// For people.
    pub(crate) alert: Cow<'a, str>,
    pub(crate) keys: Vec<(Cow<'a, [String]>, Cow<'a, Key>)>,
}

/// Why bytes are no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Of a version that is not known here.
    Version(u16),
    /// Something is wrong with them.
    Damaged(String),
}

impl Checkpoint<'_> {
    /// The bytes of the file.
    ///
    /// # Errors
    /// What JSON cannot say, in words.
    pub(crate) fn encode(&self) -> Result<Bytes, String> {
        let mut all = vec![0; STAMP_BYTES];
        serde_json::to_writer(&mut all, self).map_err(|error| error.to_string())?;
        let length = (all.len() - STAMP_BYTES) as u64;
        let sum = crc32c::crc32c(&all[STAMP_BYTES..]);
        let stamp = [&MAGIC[..], &VERSION.to_le_bytes(), &[0; 2], &sum.to_le_bytes(), &length.to_le_bytes(), &[0; 4]].concat();
        all[..stamp.len()].copy_from_slice(&stamp);
        all[stamp.len()..STAMP_BYTES].copy_from_slice(&crc32c::crc32c(&stamp).to_le_bytes());
        Ok(all.into())
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Checkpoint<'static>, Unread> {
        let damaged = |why: &str| Err(Unread::Damaged(why.to_owned()));
        let Some((stamp, body)) = bytes.split_first_chunk::<STAMP_BYTES>() else { return damaged("it ends early") };
        let (said, sum) = stamp.split_at(STAMP_BYTES - 4);
        if !said.starts_with(&MAGIC) || number(sum) != u64::from(crc32c::crc32c(said)) {
            return damaged("its stamp is damaged");
        }
        let version = u16::try_from(number(&said[8..10])).unwrap_or(u16::MAX);
        if version != VERSION {
            return Err(Unread::Version(version));
        }
        if number(&said[16..24]) != body.len() as u64 {
            return damaged("it has another length than its stamp says");
        }
        if number(&said[12..16]) != u64::from(crc32c::crc32c(body)) {
            return damaged("its checksum is wrong");
        }
        serde_json::from_slice(body).map_err(|error| Unread::Damaged(error.to_string()))
    }
}

/// Little-endian, of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
