//! What ends the process is known to the next one: named once by whoever had it in hand, alone from then on, forgotten once it is settled.

use super::{DIR, SMALL, append_committed, now, open};
use crate::simulated::{SimulatedDisk, Survives};
use crate::{Disk, Log};
use std::path::Path;
use std::sync::Arc;

const WHO: &str = "lanes";

/// A log with ten records, and the number after the last.
fn left() -> (SimulatedDisk, Arc<Log>, u64) {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    log.settle(WHO, 0).unwrap();
    super::fill(&log, 0..10, 100);
    now(log.flush()).unwrap();
    let through = log.next();
    (disk, log, through)
}

/// The process ends, and the next one opens the log.
fn again(disk: &SimulatedDisk, log: Arc<Log>, survives: Survives) -> Arc<Log> {
    drop(log);
    disk.restart(survives);
    open(disk, SMALL).unwrap().0
}

#[test]
fn who_is_in_hand_at_the_end_is_blamed_once_more_each_time() {
    let (disk, mut log, through) = left();
    for times in 0..3 {
        let blame = log.blame(WHO, through).unwrap().unwrap();
        assert_eq!(blame.blamed().get(&4).copied().unwrap_or(0), times);
        blame.note(1, &[3]);
        blame.note(1, &[]);
        blame.note(0, &[4, 4]);
        assert_eq!(blame.alone().is_some(), times > 0);
        drop(blame);
        log = again(&disk, log, Survives::All);
    }
    let blame = log.blame(WHO, through).unwrap().unwrap();
    assert_eq!(blame.blamed().iter().collect::<Vec<_>>(), [(&4, &3)]);
}

#[test]
fn a_power_cut_is_nobodys_fault_and_forgets_nobody() {
    let (disk, mut log, through) = left();
    log.blame(WHO, through).unwrap().unwrap().note(0, &[4]);
    log = again(&disk, log, Survives::All);
    for seed in 0..50 {
        let blame = log.blame(WHO, through).unwrap().unwrap();
        assert_eq!(blame.blamed().iter().collect::<Vec<_>>(), [(&4, &1)]);
        blame.note(0, &[4]);
        blame.note(1, &[5]);
        blame.note(0, &[]);
        drop(blame);
        log = again(&disk, log, if seed == 0 { Survives::Synced } else { Survives::Some(seed) });
    }
}

#[test]
fn once_everything_that_was_left_is_settled_nothing_is_noted_and_nobody_blamed() {
    let (disk, log, through) = left();
    let blame = log.blame(WHO, through).unwrap().unwrap();
    blame.note(0, &[4]);
    drop(blame);
    let log = again(&disk, log, Survives::All);
    let blame = log.blame(WHO, through).unwrap().unwrap();
    assert!(!blame.is_over());
    log.settle(WHO, 5).unwrap();
    assert!(!blame.is_over());
    log.settle(WHO, through).unwrap();
    assert!(blame.is_over());
    drop(blame);
    now(log.flush()).unwrap();
    let log = again(&disk, log, Survives::All);
    assert!(log.blame(WHO, through).unwrap().is_none());
    let last = append_committed(&log, 10, 100).unwrap();
    let log = again(&disk, log, Survives::All);
    assert!(log.blame(WHO, last + 1).unwrap().unwrap().blamed().is_empty(), "who was passed is not blamed");
}

#[test]
fn notes_that_are_damaged_or_of_another_log_blame_nobody_and_a_full_disk_is_written_in_place() {
    let (disk, log, through) = left();
    log.blame(WHO, through).unwrap().unwrap().note(0, &[4]);
    let path = Path::new(DIR).join("in-hand");
    let whole = disk.read(&path, 1 << 20).unwrap();
    for at in 0..20 {
        let file = disk.modify(&path).unwrap();
        file.write_at(at, &[whole[usize::try_from(at).unwrap()] ^ 0x55]).unwrap();
        drop(log.blame(WHO, through).unwrap().unwrap());
        disk.modify(&path).unwrap().write_at(0, &whole).unwrap();
    }
    disk.set_capacity(Some(disk.used()));
    let blame = log.blame(WHO, through).unwrap().unwrap();
    assert_eq!(blame.blamed()[&4], 1);
    let hands = vec![9; 1_000];
    blame.note(0, &hands);
    blame.note(1_000, &[3]);
    drop(blame);
    assert_eq!(log.blame(WHO, through).unwrap().unwrap().blamed().iter().collect::<Vec<_>>(), [(&4, &1), (&9, &1)]);
}
