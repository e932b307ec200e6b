//! One dead letter as it lies in its log (FORMAT.md), and the list of them, which can be read beside a running process.

use crate::{Reason, ledger::PerSignal};
use bytes::{BufMut, Bytes, BytesMut};
use journal::{Disk, Entry, Error, Header, Kind, inspect};
use serde::{Deserialize, Serialize};
use signal::{Flow, Time, codec::flow, prints};
use std::{ops::ControlFlow, path::Path};

/// What this version writes and reads.
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 8;
/// The folder of their log, below the journal's.
pub const FOLDER: &str = "dead-letters";
/// The name of the cursor below which nothing is kept any more.
pub(crate) const CURSOR: &str = "kept";
/// What a server says is kept up to here.
const WHY_BYTES_MAX: usize = 1_000;
/// Of the payload of a letter: what says how many records are in it is nearly always within. Else the header of its record says it.
pub(crate) const PEEK_BYTES: usize = 4 << 10;

/// What is known of records that were refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The node that had them.
    pub node: String,
    /// The word in the ledger.
    pub reason: String,
    /// What the target said.
    pub why: String,
    /// When.
    pub at: Time,
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its number.
    pub id: u64,
    /// What is known of it; none where a newer or damaged letter cannot be read.
    pub about: Option<About>,
    /// Spans, log records and data points in it.
    pub records: [u64; 3],
    /// Bytes on disk.
    pub bytes: usize,
}

impl About {
    pub(crate) fn new(node: &str, reason: Reason, why: &str, at: Time) -> About {
        About { node: node.to_owned(), reason: reason.0.to_owned(), why: signal::text::head(why, WHY_BYTES_MAX).to_owned(), at }
    }
}

/// What was refused.
pub(crate) struct Content {
    pub(crate) bytes: Vec<Bytes>,
    pub(crate) records: PerSignal<u64>,
    /// By which it is known again.
    pub(crate) prints: Vec<u128>,
}

impl Content {
    /// A flow that this node refused.
    pub(crate) fn of(node: &str, flow: &Flow) -> Content {
        Content { bytes: flow::encode(flow), records: flow.counts(), prints: prints(node, flow) }
    }

    /// What cannot be read as a flow.
    pub(crate) fn unreadable(bytes: Bytes, records: PerSignal<u64>) -> Content {
        Content { bytes: vec![bytes], records, prints: Vec::new() }
    }
}

/// The payload of a letter around that of a flow, or around what could not be read as one.
pub(crate) fn encode(about: &About, content: Vec<Bytes>) -> Vec<Bytes> {
    // Cannot fail: it is plain data.
    let json = serde_json::to_vec(about).unwrap_or_default();
    let mut head = BytesMut::with_capacity(HEAD_BYTES + json.len());
    head.put_slice(&[VERSION, 0, 0, 0]);
    head.put_u32_le(u32::try_from(json.len()).unwrap_or(u32::MAX));
    head.put_slice(&json);
    std::iter::once(head.freeze()).chain(content).collect()
}

/// What is known, and the content.
pub(crate) fn decode(payload: &Bytes) -> Option<(About, Bytes)> {
    let (head, rest) = payload.split_at_checked(HEAD_BYTES)?;
    let [VERSION, _, _, _, length @ ..] = head else { return None };
    let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
    let about = serde_json::from_slice(rest.get(..length)?).ok()?;
    Some((about, payload.slice(HEAD_BYTES + length..)))
}

/// By what a letter's flow is known again.
pub(crate) fn prints_of(entry: &Entry) -> Vec<u128> {
    let flow = decode(&entry.payload).and_then(|(about, content)| Some((about, flow::decode(content).ok()?)));
    flow.map_or_else(Vec::new, |(about, flow)| prints(&about.node, &flow))
}

/// Records of each signal in a letter: by its content, else as its header in the log says.
pub(crate) fn records(entry: &Entry) -> PerSignal<u64> {
    let counted = decode(&entry.payload).and_then(|(_, content)| flow::counts(&content));
    counted.unwrap_or_else(|| said(entry.header))
}

/// How many records a record of a log has by its header, where what is in it cannot be read.
pub(crate) fn said(header: Header) -> PerSignal<u64> {
    let mut records = [0; 3];
    let at = usize::from(header.signal).min(records.len() - 1);
    records[at] = u64::from(header.items);
    records
}

/// Every dead letter in a folder, the oldest first, until `each` breaks. Looks only; beside a running process the last ones may be missing.
///
/// # Errors
/// The folder cannot be read, or its format is newer than this one.
pub fn list(disk: &dyn Disk, folder: &Path, each: &mut dyn FnMut(Letter) -> ControlFlow<()>) -> Result<(), Error> {
    let cursors = inspect(disk, folder)?.cursors;
    let from = cursors.iter().find(|cursor| cursor.name == CURSOR).map_or(0, |cursor| cursor.through);
    let mut one = |entry: Entry| {
        if entry.header.kind != Kind::Data {
            return ControlFlow::Continue(());
        }
        let (about, records) = (decode(&entry.payload).map(|(about, _)| about), records(&entry));
        each(Letter { id: entry.sequence, about, records, bytes: entry.payload.len() })
    };
    journal::dump(disk, folder, from, &mut one).map(|_| ())
}
