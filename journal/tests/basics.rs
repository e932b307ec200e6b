//! The plain promises, without misfortune.

use super::*;
use crate::CursorInfo;
use crate::{RealDisk, inspect};
use std::ops::ControlFlow;

#[test]
fn what_is_committed_is_read_back_as_it_was_appended_also_after_a_restart() {
    let disk = SimulatedDisk::new();
    let (log, opened) = open(&disk, SMALL).unwrap();
    assert_eq!((opened.segments, opened.entries, opened.cut), (0, 0, None));
    let header = Header { kind: Kind::Decision, source: 7, signal: 2, items: 99, arrived: 5 };
    let sequence = log.append(header, &payload(1, 9000)).unwrap();
    assert!(numbers(&log, 0).is_empty(), "what is not durable is not seen");
    now(log.committed(sequence)).unwrap();
    let empty = log.append(header, &[]).unwrap();
    now(log.committed(empty)).unwrap();
    let id = log.id();
    let check = |log: &Log| {
        let entries = read_all(&mut log.reader(0));
        assert_eq!(entries[0], Entry { sequence, header, payload: payload(1, 9000).concat().into() });
        assert_eq!((entries[1].sequence, entries[1].payload.len()), (empty, 0));
        assert_eq!((entries.len(), log.id()), (2, id));
    };
    check(&log);
    drop(log);
    let (log, opened) = open(&disk, SMALL).unwrap();
    assert_eq!((opened.segments, opened.entries, opened.damaged), (2, 2, vec![]));
    check(&log);
    assert!(append_committed(&log, 2, 10).unwrap() > empty);
}

#[test]
fn the_same_holds_on_the_disk_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/journal");
    let open = || Log::open(Arc::new(RealDisk), &path, SMALL, inline());
    let (log, _) = open().unwrap();
    for n in 0..100 {
        append(&log, n, 700).unwrap();
    }
    now(log.committed(100)).unwrap();
    assert_eq!(numbers(&log, 0), (0..100).collect::<Vec<_>>());
    log.settle("sink", 50).unwrap();
    assert!(matches!(open(), Err(Error::Locked { .. })), "a second open is refused");
    now(log.flush()).unwrap();
    assert!(log.first() > 20 && log.first() <= 50, "segments behind the cursor are gone: {}", log.first());
    let inspected = inspect(&RealDisk, &path).unwrap();
    assert_eq!(inspected.id, Some(log.id()));
    let arrived = header(Kind::Data).arrived;
    assert_eq!(inspected.cursors, [CursorInfo { name: "sink".to_owned(), through: 50, behind: 51, oldest: Some(arrived) }]);
    assert_eq!(inspected.segments.iter().map(|segment| segment.bytes).sum::<u64>(), log.bytes());
    drop(log);
    let (log, opened) = open().unwrap();
    assert_eq!((opened.cut, opened.damaged, log.cursor("sink")), (None, vec![], 50));
    assert_eq!(numbers(&log, 50), (49..100).collect::<Vec<_>>());
}

#[test]
fn a_segment_is_freed_when_the_slowest_consumer_has_passed_it() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    log.settle("fast", 0).unwrap();
    log.settle("slow", 0).unwrap();
    fill(&log, 0..40, 1000);
    let last = log.next() - 1;
    let full = log.bytes();
    log.settle("fast", last + 1).unwrap();
    assert_eq!((log.first(), log.bytes()), (1, full));
    log.settle("slow", 20).unwrap();
    assert!(log.first() > 1 && log.first() <= 20 && log.bytes() < full);
    assert_eq!(numbers(&log, 20).len(), 21);
    log.forget("slow");
    assert_eq!(log.cursors(), [("fast".to_owned(), last + 1)]);
    assert!(log.bytes() < 3 * SMALL.segment_bytes_max);
    log.settle("fast", 3).unwrap();
    assert_eq!(log.cursor("fast"), last + 1, "a cursor never goes back");
    log.settle("fast", u64::MAX).unwrap();
    assert_eq!(log.cursor("fast"), log.next(), "nor beyond what was given");
    assert_eq!(log.cursor("new"), log.first());
}

#[test]
fn nothing_is_freed_without_a_consumer() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    fill(&log, 0..40, 1000);
    now(log.flush()).unwrap();
    assert_eq!(numbers(&log, 0).len(), 40);
}

#[test]
fn a_full_log_refuses_data_takes_decisions_and_goes_on_when_it_is_drained() {
    let disk = SimulatedDisk::new();
    let options = Options { limit: 64 << 10, ..SMALL };
    let (log, _) = open(&disk, options).unwrap();
    log.settle("sink", 0).unwrap();
    let refused = (0..100).find_map(|n| append_committed(&log, n, 1000).err()).unwrap();
    assert!(matches!(refused, Refused::Full { limit: 65536 }), "{refused}");
    assert!(log.bytes() <= options.limit);
    let decision = log.append(header(Kind::Decision), &payload(0, 1000)).unwrap();
    now(log.committed(decision)).unwrap();
    log.settle("sink", 30).unwrap();
    append_committed(&log, 101, 1000).unwrap();
    let refused = log.append(header(Kind::Data), &payload(0, 40 << 10)).unwrap_err();
    assert!(matches!(refused, Refused::TooLarge { bytes: 41000, bytes_max: 32768 }), "{refused}");
}

#[test]
fn one_record_of_half_the_limit_does_not_block_the_log_for_ever() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, Options { limit: 64 << 10, ..SMALL }).unwrap();
    log.settle("sink", 0).unwrap();
    for n in 0..10 {
        let sequence = append_committed(&log, n, 32000).unwrap();
        log.settle("sink", sequence + 1).unwrap();
    }
    assert!(log.bytes() < 1000, "what is settled was given back: {}", log.bytes());
    drop(log);
    let (log, _) = open(&disk, SMALL).unwrap();
    assert_eq!(append_committed(&log, 0, 10).unwrap(), 12, "numbers go on, one is left out for the name of the next segment");
}

#[test]
fn inspecting_counts_and_dumps_what_is_there() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    fill(&log, 0..10, 1000);
    let mark = log.append(header(Kind::Mark), &payload(10, 20)).unwrap();
    now(log.committed(mark)).unwrap();
    let inspected = inspect(&disk, Path::new(DIR)).unwrap();
    let sum = |of: fn(&crate::SegmentInfo) -> u64| inspected.segments.iter().map(of).sum::<u64>();
    assert_eq!((sum(|s| s.data), sum(|s| s.marks), sum(|s| s.items), sum(|s| s.damaged.len() as u64)), (10, 1, 100, 0));
    let mut seen = Vec::new();
    let mut each = |entry: Entry| {
        seen.push(entry.sequence);
        if entry.sequence == 8 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert_eq!(crate::dump(&disk, Path::new(DIR), 5, &mut each).unwrap(), []);
    assert_eq!(seen, [5, 6, 7, 8]);
}

#[test]
fn the_names_of_sources_stay_known_while_records_of_theirs_may_be_there() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    let names = |all: &[(u16, &str)]| all.iter().map(|(number, name)| (*number, (*name).to_owned())).collect::<crate::Names>();
    log.settle("sink", 0).unwrap();
    log.name(&names(&[(3, "otlp")])).unwrap();
    fill(&log, 1..4, 100);
    drop(log);
    disk.restart(crate::simulated::Survives::Synced);
    let (log, _) = open(&disk, SMALL).unwrap();
    log.name(&names(&[(4, "front")])).unwrap();
    assert_eq!(log.names(), names(&[(3, "otlp"), (4, "front")]));
    assert_eq!(inspect(&disk, Path::new(DIR)).unwrap().names, log.names());
    log.settle("sink", log.next()).unwrap();
    log.name(&names(&[(4, "front")])).unwrap();
    assert_eq!(log.names(), names(&[(4, "front")]), "nothing of the other one is left");
    drop(log);
    disk.damage(&Path::new(DIR).join("names"), |bytes| bytes[13] ^= 1);
    let (log, opened) = open(&disk, SMALL).unwrap();
    assert!(log.names().is_empty() && opened.damaged[0].file.ends_with("names"), "{opened:?}");
}
