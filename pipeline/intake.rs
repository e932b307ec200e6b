//! Admission, check, journal, answer: what stands between a source and the lanes (FLOW 1).

use bytes::Bytes;
use signal::{Malformed, Signal};
use std::{net::SocketAddr, time::Duration};

/// Takes requests of one source in. Clones share it.
#[derive(Clone)]
pub struct Intake {}

/// Bytes of the memory budget that were set aside before a body was read; given back when dropped.
#[derive(Debug)]
pub struct Admission {}

/// Where a request came from; with the hash of its body it tells a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum From {
    /// A client.
    Peer(SocketAddr),
    /// This process: `generate`, the output of `run -- CMD`.
    Here,
}

/// Nothing was taken; try again after a while. 429 or RESOURCE_EXHAUSTED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// When to try again.
    pub after: Duration,
    /// What is full, in words.
    pub what: String,
}

/// What was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records taken.
    pub records: usize,
    /// Records cut out by `check`; the answer's partial success.
    pub rejected: usize,
    /// Why the first of them was cut.
    pub why: Option<String>,
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// 400 or INVALID_ARGUMENT.
    Malformed(Malformed),
    /// 429 or RESOURCE_EXHAUSTED, with a retry time.
    Busy(Busy),
    /// 503 or UNAVAILABLE: a sink did not answer in time, or the disk failed.
    Unavailable {
        /// When to try again.
        after: Duration,
        /// What failed, in words.
        what: String,
    },
    /// 503 or UNAVAILABLE: the process is going down.
    Closing,
}

impl Intake {
    /// Sets bytes aside before a body is read. Never waits.
    pub fn admit(&self, bytes: usize) -> Result<Admission, Busy> {
        let _ = bytes;
        todo!()
    }

    /// Checks a protobuf request, journals it and returns when the source's promise (`acknowledge:`) is met. `within` is what the client will wait at the most.
    ///
    /// # Cancel safety
    /// A request whose client went away may still be taken in; it is then in the ledger.
    pub async fn accept(
        &self,
        signal: Signal,
        raw: Bytes,
        admission: Admission,
        from: From,
        within: Option<Duration>,
    ) -> Result<Accepted, Refused> {
        let _ = (signal, raw, admission, from, within);
        todo!()
    }
}

impl Admission {
    /// Sets more aside as a body turns out larger (decompression); on failure nothing more is held and the request must be refused.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Busy> {
        let _ = bytes;
        todo!()
    }
}
