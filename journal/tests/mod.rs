//! What a log promises, against a disk that keeps as little of its own promises as a real one may.

mod basics;
mod blame;
mod crash;
mod damage;
mod full;
mod group;
mod hostile;
mod kept;
mod model;
mod oracle;
mod reading;
mod rot;
mod sectors;
mod versions;

use crate::simulated::SimulatedDisk;
use crate::{Blocking, Entry, Error, Header, Kind, Log, Opened, Options, Reader, Refused};
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DIR: &str = "/data/journal";

/// Small segments, no pauses.
const SMALL: Options = Options { segment_bytes_max: 4 << 10, limit: 1 << 20, sync_gap: Duration::ZERO, linger: Duration::ZERO };

fn inline() -> Blocking {
    Arc::new(|work| work())
}

fn open(disk: &SimulatedDisk, options: Options) -> Result<(Arc<Log>, Opened), Error> {
    Log::open(Arc::new(disk.clone()), Path::new(DIR), options, inline())
}

fn header(kind: Kind) -> Header {
    Header { kind, source: 3, signal: 1, items: 10, arrived: 1_700_000_000_000_000_000 }
}

/// A payload that can be told from every other by its number, in two parts.
fn payload(number: u64, bytes: usize) -> [Bytes; 2] {
    let whole: Vec<u8> = number.to_le_bytes().into_iter().chain((8..bytes).map(|at| (number as usize * 31 + at) as u8)).collect();
    let whole = Bytes::from(whole);
    let middle = whole.len() / 3;
    [whole.slice(..middle), whole.slice(middle..)]
}

fn number(payload: &[u8]) -> u64 {
    crate::record::eight(payload, 0)
}

/// With the inline turn nothing is ever pending.
fn now<T>(future: impl Future<Output = T>) -> T {
    // Not by tokio's leave: it lets a task that does much look pending now and then.
    let mut future = std::pin::pin!(tokio::task::unconstrained(future));
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("a turn that runs inline left somebody waiting"),
    }
}

fn append(log: &Log, number: u64, bytes: usize) -> Result<u64, Refused> {
    log.append(header(Kind::Data), &payload(number, bytes))
}

fn append_committed(log: &Log, number: u64, bytes: usize) -> Result<u64, Refused> {
    let sequence = append(log, number, bytes)?;
    now(log.committed(sequence))?;
    Ok(sequence)
}

/// Records of these numbers, each committed for itself.
fn fill(log: &Log, numbers: std::ops::Range<u64>, bytes: usize) {
    for number in numbers {
        append_committed(log, number, bytes).unwrap();
    }
}

fn read_all(reader: &mut Reader) -> Vec<Entry> {
    std::iter::from_fn(|| reader.next().unwrap()).collect()
}

fn numbers(log: &Log, from: u64) -> Vec<u64> {
    read_all(&mut log.reader(from)).iter().map(|entry| number(&entry.payload)).collect()
}
