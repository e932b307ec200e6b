//! A disk that does not give back what was written: the place is tried again, then passed over like damage, and nobody waits for it for ever.

use super::*;
use crate::simulated::Call;
use crate::stamp::{self, STAMP_BYTES};
use crate::{inspect, record};
use std::io::ErrorKind;
use std::path::PathBuf;

const PAYLOAD: usize = 1000;
const RECORD: u64 = (PAYLOAD + record::HEADER_BYTES) as u64;

/// One segment of twenty records.
fn written() -> (SimulatedDisk, Arc<Log>, PathBuf) {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, Options { segment_bytes_max: 64 << 10, ..SMALL }).unwrap();
    fill(&log, 1..21, PAYLOAD);
    (disk, log, Path::new(DIR).join(stamp::segment_name(1)))
}

/// What a patient reader gets, and how often it was told to ask again.
fn read_on(mut reader: Reader) -> (Vec<u64>, u32, Vec<crate::Damaged>) {
    let (mut read, mut failed) = (Vec::new(), 0);
    loop {
        match reader.next() {
            Ok(Some(entry)) => read.push(number(&entry.payload)),
            Ok(None) => return (read, failed, reader.take_damaged()),
            Err(_) => failed += 1,
        }
        assert!(failed < 1000, "it fails for ever");
    }
}

#[test]
fn a_failure_that_passes_costs_nothing() {
    let (disk, log, _) = written();
    disk.fail(Call::Read, ErrorKind::Other, 2);
    let (read, failed, damaged) = read_on(log.reader(0));
    assert_eq!((read, failed, damaged), ((1..21).collect(), 2, vec![]));
}

#[test]
fn a_sector_that_cannot_be_read_costs_the_records_in_its_page_and_no_other() {
    for at in (0..20 * RECORD).step_by(512) {
        let (disk, log, path) = written();
        let bad = STAMP_BYTES as u64 + at;
        disk.make_unreadable(&path, bad..bad + 1);
        let page = bad - bad % 4096..bad - bad % 4096 + 4096;
        let hit = |n: u64| {
            let start = STAMP_BYTES as u64 + (n - 1) * RECORD;
            start < page.end && start + RECORD > page.start
        };
        let expected: Vec<u64> = (1..21).filter(|n| !hit(*n)).collect();
        let (read, failed, damaged) = read_on(log.reader(0));
        assert_eq!((read, failed), (expected.clone(), 2), "{at}: it is tried three times");
        assert!(damaged.iter().any(|damaged| damaged.why == "the disk cannot read it"), "{at}: {damaged:?}");
        let (read, failed, _) = read_on(log.reader(0).at_once());
        assert_eq!((read, failed), (expected.clone(), 0), "{at}: who cannot wait is not asked to");
        let found = inspect(&disk, Path::new(DIR)).unwrap();
        assert_eq!(found.segments[0].data, expected.len() as u64, "{at}");
        drop(log);
        let (log, _) = open(&disk, Options { segment_bytes_max: 64 << 10, ..SMALL }).unwrap();
        let (read, ..) = read_on(log.reader(0));
        assert_eq!(read, expected, "{at}: it starts all the same");
        append_committed(&log, 77, PAYLOAD).unwrap();
    }
}

#[test]
fn a_segment_of_which_nothing_can_be_read_is_given_up() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    fill(&log, 1..13, PAYLOAD);
    disk.make_unreadable(&Path::new(DIR).join(stamp::segment_name(4)), 0..u64::MAX);
    let (read, failed, damaged) = read_on(log.reader(0));
    assert_eq!((read, failed), (vec![1, 2, 3, 7, 8, 9, 10, 11, 12], 2));
    assert_eq!(damaged.len(), 1);
}

#[test]
fn a_process_with_too_many_open_files_is_no_reason_to_pass_anything_over() {
    let (disk, log, _) = written();
    disk.fail(Call::Read, ErrorKind::PermissionDenied, 50);
    let (read, failed, damaged) = read_on(log.reader(0));
    assert_eq!((read, failed, damaged), ((1..21).collect(), 50, vec![]));
}

#[test]
fn meta_and_cursors_that_cannot_be_read_are_named_and_made_again() {
    for name in ["meta", "cursors"] {
        let (disk, log, _) = written();
        log.settle("sink", 4).unwrap();
        now(log.flush()).unwrap();
        let id = log.id();
        drop(log);
        disk.make_unreadable(&Path::new(DIR).join(name), 0..1);
        let (log, opened) = open(&disk, SMALL).unwrap();
        assert!(opened.damaged.len() == 1 && opened.damaged[0].file.ends_with(name), "{opened:?}");
        assert_eq!((log.id(), read_on(log.reader(0)).0.len()), (id, 20));
    }
}
