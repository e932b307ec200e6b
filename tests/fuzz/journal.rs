//! What must hold whatever lies in a log's folder: it opens or says why not, no record is given out that nobody wrote, and it takes the next.

use arbitrary::Arbitrary;
use bytes::Bytes;
use journal::{Blocking, Disk, Entry, Header, Kind, Log, Options, dump, inspect, simulated::SimulatedDisk};
use std::{collections::HashSet, ops::ControlFlow, path::Path, pin::pin, sync::Arc, task, time::Duration};

const DIR: &str = "/j";
const SMALL: Options = Options { segment_bytes_max: 4 << 10, limit: 1 << 20, sync_gap: Duration::ZERO, linger: Duration::ZERO };
const STAMP_BYTES: usize = 32;

/// What was done to the folder of a log with three records.
#[derive(Arbitrary, Debug)]
pub struct Damage<'a> {
    /// Bytes of the first segment that stay.
    left: u8,
    behind: Vec<Piece<'a>>,
    /// More segments, by the number in their name.
    more: Vec<(u64, Vec<Piece<'a>>)>,
    meta: Option<&'a [u8]>,
    cursors: Option<Vec<Piece<'a>>>,
}

/// Part of a file.
#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    Any(&'a [u8]),
    Zeros(u16),
    /// A stamp whose checksum is right.
    Stamp { version: u16, base: u64, ours: bool },
    /// A record whose checksums are right (FORMAT.md).
    Record { kind: u8, version: u8, sequence: u64, arrived: u64, items: u32, payload: &'a [u8] },
    /// A slot of cursors whose checksum is right.
    Slot { version: u16, count: u16, generation: u64, content: &'a [u8] },
}

impl Piece<'_> {
    fn write(&self, id: u32, out: &mut Vec<u8>) {
        let start = out.len();
        match self {
            Piece::Any(bytes) => out.extend_from_slice(bytes),
            Piece::Zeros(count) => out.resize(start + usize::from(*count), 0),
            Piece::Stamp { version, base, ours } => {
                out.extend_from_slice(b"KANSOKUJ");
                out.extend_from_slice(&version.to_le_bytes());
                out.extend_from_slice(&[0; 2]);
                out.extend_from_slice(&if *ours { id } else { !id }.to_le_bytes());
                out.extend_from_slice(&base.to_le_bytes());
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&crc32c::crc32c(&out[start..]).to_le_bytes());
            }
            Piece::Record { kind, version, sequence, arrived, items, payload } => {
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
                out.extend_from_slice(&crc32c::crc32c_append(id, payload).to_le_bytes());
                out.extend_from_slice(&[*kind, *version, 0, 0, 0, 0, 0, 0]);
                out.extend_from_slice(&items.to_le_bytes());
                out.extend_from_slice(&arrived.to_le_bytes());
                out.extend_from_slice(&sequence.to_le_bytes());
                let sum = crc32c::crc32c_append(id, &out[start + 4..]);
                out[start..start + 4].copy_from_slice(&sum.to_le_bytes());
                out.extend_from_slice(payload);
            }
            Piece::Slot { version, count, generation, content } => {
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&(content.len() as u32 + 24).to_le_bytes());
                out.extend_from_slice(&version.to_le_bytes());
                out.extend_from_slice(&count.to_le_bytes());
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(&generation.to_le_bytes());
                out.extend_from_slice(content);
                let sum = crc32c::crc32c_append(id, &out[start + 4..]);
                out[start..start + 4].copy_from_slice(&sum.to_le_bytes());
            }
        }
    }
}

fn write(pieces: &[Piece<'_>], id: u32, out: &mut Vec<u8>) {
    pieces.iter().for_each(|piece| piece.write(id, out));
}

impl Damage<'_> {
    fn apply(&self, disk: &SimulatedDisk, id: u32) {
        let path = |name: &str| Path::new(DIR).join(name);
        disk.damage(&path(&segment(1)), |bytes| {
            bytes.truncate(usize::from(self.left));
            write(&self.behind, id, bytes);
        });
        for (base, pieces) in &self.more {
            let mut bytes = Vec::new();
            write(pieces, id, &mut bytes);
            // A name that is taken stays as it is.
            drop(disk.write_new(&path(&segment(*base)), &[bytes.into()]));
        }
        if let Some(meta) = self.meta {
            disk.damage(&path("meta"), |bytes| *bytes = meta.to_vec());
        }
        if let Some(cursors) = &self.cursors {
            disk.damage(&path("cursors"), |bytes| {
                bytes.clear();
                write(cursors, id, bytes);
            });
        }
    }

    /// The payloads that a reader may give out.
    fn payloads(&self) -> HashSet<Bytes> {
        let pieces = self.behind.iter().chain(self.more.iter().flat_map(|(_, pieces)| pieces));
        let written = pieces.filter_map(|piece| match piece {
            Piece::Record { payload, .. } => Some(Bytes::copy_from_slice(payload)),
            _ => None,
        });
        written.chain((0..4).map(own)).collect()
    }
}

fn segment(base: u64) -> String {
    format!("{base:020}.log")
}

fn own(number: u8) -> Bytes {
    Bytes::from(vec![number; 10 + usize::from(number)])
}

fn open(disk: &SimulatedDisk) -> Result<Arc<Log>, journal::Error> {
    let inline: Blocking = Arc::new(|work| work());
    Log::open(Arc::new(disk.clone()), Path::new(DIR), SMALL, inline).map(|(log, _)| log)
}

/// Appends and waits for the disk; none where the log refuses. With turns that run inline nothing is ever pending.
fn append(log: &Log, payload: Bytes) -> Option<u64> {
    let header = Header { kind: Kind::Data, source: 1, signal: 0, items: 1, arrived: 5 };
    let number = log.append(header, &[payload]).ok()?;
    let waiting = pin!(log.committed(number));
    let done = waiting.poll(&mut task::Context::from_waker(task::Waker::noop()));
    assert!(matches!(done, task::Poll::Ready(Ok(()))), "{done:?}");
    Some(number)
}

fn read(log: &Log, bound: usize) -> Vec<Entry> {
    let mut reader = log.reader(0);
    let entries: Vec<Entry> = std::iter::from_fn(|| reader.next().expect("the disk is well")).take(bound).collect();
    assert!(entries.len() < bound, "more records than the folder has bytes");
    assert!(entries.is_sorted_by(|a, b| a.sequence < b.sequence), "a number is given twice");
    entries
}

/// Any folder: see above.
pub fn a_damaged_log_gives_nothing_that_was_not_written(damage: &Damage<'_>) {
    let disk = SimulatedDisk::new();
    let log = open(&disk).expect("a new log");
    (0..3).for_each(|number| assert!(append(&log, own(number)).is_some()));
    let id = log.id();
    drop(log);
    damage.apply(&disk, id);
    let bound = usize::try_from(disk.used()).expect("small") / STAMP_BYTES + 2;
    let dir = Path::new(DIR);
    let seen = inspect(&disk, dir).map(|found| found.segments.len());
    let mut dumped = 0;
    let all = dump(&disk, dir, 0, &mut |_| {
        dumped += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(seen.is_ok(), all.is_ok());
    let log = match open(&disk) {
        Ok(log) => log,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let written = damage.payloads();
    let before = read(&log, bound);
    assert!(before.iter().all(|entry| written.contains(&entry.payload)), "a record that nobody wrote");
    let Some(number) = append(&log, own(3)) else { return };
    assert!(before.iter().all(|entry| entry.sequence < number), "{number} was given before");
    let after = read(&log, bound + 1);
    assert_eq!(after.last().map(|entry| (entry.sequence, entry.payload.clone())), Some((number, own(3))));
    drop(log);
    let again = open(&disk).map(|log| read(&log, bound + 1).len());
    assert_eq!(again.ok(), Some(after.len()), "opened once more it has other records");
}
