//! A disk that is full, or fails: refuse, say why, lose nothing that was acknowledged, go on when it is well.

use super::*;
use crate::simulated::{Call, Survives};
use std::io::ErrorKind;

#[test]
fn a_full_disk_refuses_records_and_takes_them_again_when_there_is_space() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    let mut kept = Vec::new();
    for cycle in 0..20u64 {
        disk.set_capacity(Some(disk.used() + 10_000));
        let refused = (0..100).find_map(|n| match append_committed(&log, cycle * 100 + n, 1000) {
            Ok(_) => {
                kept.push(cycle * 100 + n);
                None
            }
            Err(refused) => Some(refused),
        });
        let Some(Refused::Failed(error)) = refused else { panic!("{refused:?}") };
        assert!(error.is_disk_full() && error.to_string().contains("free some"), "{error}");
        assert!(matches!(append(&log, 0, 1000), Err(Refused::Failed(_))), "and says so at once the next time");
        assert_eq!(numbers(&log, 0), kept);
        disk.set_capacity(None);
        std::thread::sleep(Duration::from_millis(101));
    }
    let last = append_committed(&log, 5000, 1000).unwrap();
    kept.push(5000);
    disk.restart(Survives::Synced);
    drop(log);
    let (log, opened) = open(&disk, SMALL).unwrap();
    assert_eq!((numbers(&log, 0), opened.damaged, log.next()), (kept, vec![], last + 1));
}

#[test]
fn a_log_on_a_full_disk_still_drains_and_gives_its_space_back() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    log.settle("sink", 0).unwrap();
    fill(&log, 0..50, 1000);
    disk.set_capacity(Some(disk.used()));
    assert!(append_committed(&log, 50, 5000).is_err());
    log.settle("sink", 40).unwrap();
    assert!(log.first() > 30, "freed up to {}", log.first());
    std::thread::sleep(Duration::from_millis(101));
    append_committed(&log, 51, 5000).unwrap();
}

#[test]
fn on_a_disk_that_others_filled_decisions_go_on_from_a_reserve_and_data_waits_until_it_is_back() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    let decide = |n| {
        let sequence = log.append(header(Kind::Decision), &payload(n, 500)).unwrap();
        now(log.committed(sequence))
    };
    decide(0).unwrap();
    append_committed(&log, 1, 1000).unwrap();
    disk.set_capacity(Some(disk.used()));
    assert!(append_committed(&log, 2, 1000).is_err());
    for n in 3..23 {
        decide(n).unwrap();
        std::thread::sleep(Duration::from_millis(if n % 10 == 0 { 101 } else { 0 }));
        let Err(Refused::Failed(error)) = append(&log, n, 100) else { panic!("data took the space of decisions") };
        assert!(error.is_disk_full(), "{error}");
    }
    let room = disk.used() + (1 << 20);
    disk.set_capacity(Some(room));
    std::thread::sleep(Duration::from_millis(101));
    assert!(append(&log, 30, 100).is_err(), "the first one finds out");
    append_committed(&log, 31, 100).unwrap();
    assert_eq!(numbers(&log, 0).len(), 23);
}

#[test]
fn after_a_failed_sync_the_records_are_refused_and_the_file_is_never_written_again() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, Options { segment_bytes_max: 1 << 20, ..SMALL }).unwrap();
    let first = append_committed(&log, 1, 100).unwrap();
    disk.fail(Call::Sync, ErrorKind::Other, 1);
    let lost = append(&log, 2, 100).unwrap();
    let error = now(log.committed(lost)).unwrap_err();
    assert!(error.to_string().starts_with("cannot sync /data/journal/0"), "{error}");
    std::thread::sleep(Duration::from_millis(101));
    append_committed(&log, 3, 100).unwrap();
    now(log.committed(first)).unwrap();
    assert!(now(log.committed(lost)).is_err(), "the verdict stays");
    assert_eq!(numbers(&log, 0), [1, 3]);
    disk.restart(Survives::Synced);
    drop(log);
    let (log, opened) = open(&disk, SMALL).unwrap();
    assert_eq!((numbers(&log, 0), opened.segments), (vec![1, 3], 2));
}

#[test]
fn whatever_call_fails_nothing_acknowledged_is_lost_and_the_log_goes_on() {
    for call in [Call::Create, Call::Append, Call::WriteAt, Call::Cut, Call::Sync, Call::SyncDir, Call::Rename, Call::Remove] {
        for times in 1..6 {
            let disk = SimulatedDisk::new();
            let (log, _) = open(&disk, SMALL).unwrap();
            log.settle("sink", 0).unwrap();
            let mut kept = vec![append_committed(&log, 1, 1500).unwrap()];
            disk.fail(call, ErrorKind::Other, times);
            for n in 2..30 {
                // Refusals in the pause after a failure are not of interest here.
                log_again(&log);
                kept.extend(append_committed(&log, n, 1500).ok());
                if n == 15 {
                    drop(log.settle("sink", kept[2]));
                    drop(now(log.flush()));
                }
            }
            let from = kept[2];
            kept.retain(|sequence| *sequence >= from);
            assert!(kept.len() >= 20, "{call:?} {times}: {kept:?}");
            disk.restart(Survives::Synced);
            drop(log);
            let (log, opened) = open(&disk, SMALL).unwrap();
            let found: Vec<u64> = read_all(&mut log.reader(from).only(Kind::Data)).iter().map(|entry| entry.sequence).collect();
            assert_eq!(found, kept, "{call:?} {times}: {opened:?}");
        }
    }
}

/// Ends the pause after a failure: a decision is let through.
fn log_again(log: &Log) {
    if let Ok(sequence) = log.append(header(Kind::Mark), &[]) {
        drop(now(log.committed(sequence)));
    }
}

#[test]
fn cursors_that_cannot_be_saved_are_told_and_free_nothing() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    log.settle("sink", 0).unwrap();
    fill(&log, 0..20, 1000);
    disk.fail(Call::WriteAt, ErrorKind::Other, 1);
    log.settle("sink", 15).unwrap();
    assert_eq!(log.first(), 1);
    assert!(log.settle("sink", 16).is_err(), "the next call hears of it");
    now(log.flush()).unwrap();
    assert!(log.first() > 1);
}

#[test]
fn another_limit_counts_at_once() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    log.settle("sink", 0).unwrap();
    let fill = |from: u64| (from..).find(|number| append_committed(&log, *number, 1_000).is_err()).unwrap();
    let before = fill(0);
    log.set_limit(2 << 20);
    assert_eq!(log.limit(), 2 << 20);
    let after = fill(before);
    assert!(after > 2 * before - 70, "{before} at first, {after} then");
    log.set_limit(1 << 20);
    assert!(matches!(append(&log, after, 1_000), Err(Refused::Full { limit }) if limit == 1 << 20));
    log.settle("sink", log.next()).unwrap();
    now(log.flush()).unwrap();
    append_committed(&log, after, 1_000).unwrap();
}
