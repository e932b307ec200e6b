//! Bit rot in any file: it is found, named, costs what it hit and nothing else, and never keeps the log from starting.

use super::*;
use crate::record;
use crate::stamp::{self, STAMP_BYTES};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

const PAYLOAD: usize = 300;
const RECORD: usize = PAYLOAD + record::HEADER_BYTES;
const RECORDS: u64 = 30;
/// Records of a segment.
const PER_SEGMENT: u64 = ((4 << 10) - STAMP_BYTES as u64) / RECORD as u64;
const SETTLED: u64 = 5;

#[derive(Clone, Copy, Debug)]
enum Rot {
    Bit(u8),
    ZeroPage,
    Truncated,
}

fn name(file: usize) -> String {
    match file {
        0 => "meta".to_owned(),
        1 => "cursors".to_owned(),
        n => stamp::segment_name(1 + (n as u64 - 2) * PER_SEGMENT),
    }
}

/// Damages a file; the range that may be different now.
fn rot(disk: &SimulatedDisk, path: &Path, at: prop::sample::Index, rot: Rot) -> Range<usize> {
    let mut changed = 0..0;
    disk.damage(path, |bytes| {
        let at = at.index(bytes.len());
        changed = match rot {
            Rot::Bit(bit) => {
                bytes[at] ^= 1 << bit;
                at..at + 1
            }
            Rot::ZeroPage => {
                let page = at - at % 512..(at - at % 512 + 512).min(bytes.len());
                bytes[page.clone()].fill(0);
                page
            }
            Rot::Truncated => {
                let end = bytes.len();
                bytes.truncate(at);
                at..end
            }
        };
    });
    changed
}

/// The records of a segment that lie in a range.
fn hit(file: usize, changed: &Range<usize>) -> BTreeSet<u64> {
    let first = 1 + (file as u64 - 2) * PER_SEGMENT;
    let lies_in = |n: &u64| {
        let start = STAMP_BYTES + (n - first) as usize * RECORD;
        start < changed.end && start + RECORD > changed.start
    };
    (first..(first + PER_SEGMENT).min(RECORDS + 1)).filter(lies_in).collect()
}

fn written() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    fill(&log, 1..RECORDS + 1, PAYLOAD);
    log.settle("sink", SETTLED).unwrap();
    now(log.flush()).unwrap();
    disk
}

proptest! {
    #[test]
    fn what_rots_is_found_and_costs_only_what_it_hit(
        file in 0usize..5, at in any::<prop::sample::Index>(),
        kind in prop_oneof![(0u8..8).prop_map(Rot::Bit), Just(Rot::ZeroPage), Just(Rot::Truncated)],
    ) {
        let disk = written();
        let path: PathBuf = Path::new(DIR).join(name(file));
        let changed = rot(&disk, &path, at, kind);
        let (log, opened) = open(&disk, SMALL).unwrap();
        let mut reader = log.reader(0);
        let there: BTreeSet<u64> = read_all(&mut reader).iter().map(|entry| number(&entry.payload)).collect();
        let lost = if file < 2 { BTreeSet::new() } else { hit(file, &changed) };
        let expected: BTreeSet<u64> = (1..=RECORDS).filter(|n| !lost.contains(n)).collect();
        prop_assert_eq!(&there, &expected, "{:?} in {} at {:?}: {:?}", kind, name(file), changed, opened);
        let named = opened.damaged.iter().chain(&opened.cut).any(|damaged| damaged.file == path) || reader.damaged_count() > 0;
        // Where whole records are cut off an older segment nothing is left that could be wrong; numbers are missing, as they are after a write that failed.
        let whole = kind_cuts_whole(kind, &changed);
        if file == 1 {
            // A slot that is not whole looks as one that a crash tore: then the one before counts, and more is read again.
            prop_assert!(log.cursor("sink") <= SETTLED, "{opened:?}");
        } else {
            prop_assert!(named || whole || lost.is_empty() && file >= 2 && changed.start >= STAMP_BYTES, "{kind:?} in {} at {changed:?} is not named: {opened:?}", name(file));
        }
        let sequence = append_committed(&log, 77, PAYLOAD).unwrap();
        // Where the last file ends too early nothing says which numbers it held.
        prop_assert!(sequence > RECORDS || matches!(kind, Rot::Truncated), "{sequence} was given before");
    }
}

fn kind_cuts_whole(kind: Rot, changed: &Range<usize>) -> bool {
    matches!(kind, Rot::Truncated) && changed.start >= STAMP_BYTES && (changed.start - STAMP_BYTES).is_multiple_of(RECORD)
}
