//! The power goes at every single call to the disk of a scripted run, and again while the log recovers from it.

use super::oracle::Oracle;
use super::*;
use crate::simulated::Survives;
use std::io::ErrorKind;

/// Does a bit of everything, over three lives of the process; stops where the disk stops.
fn script(disk: &SimulatedDisk, oracle: &mut Oracle) {
    for life in 0..3u64 {
        let Ok((log, _)) = open(disk, SMALL) else { return };
        for step in 0..12u64 {
            let sequences: Vec<u64> = (0..=step % 3).filter_map(|n| oracle.append(&log, 300 + 400 * n as usize)).collect();
            for sequence in sequences {
                oracle.commit(&log, sequence);
            }
            if step % 3 == 1 {
                oracle.decide(&log);
            }
            if step % 4 == 3 {
                oracle.settle(&log, log.next().saturating_sub(8));
            }
            if step == 6 + life {
                oracle.mark(&log);
                oracle.flush(&log);
            }
            if disk.is_off() {
                return;
            }
        }
        // Left in memory at the end of this life.
        oracle.append(&log, 200);
        drop(log);
        oracle.restarted();
    }
}

fn recovered(disk: &SimulatedDisk, oracle: &mut Oracle, context: &str) {
    oracle.restarted();
    let (log, opened) = open(disk, SMALL).unwrap_or_else(|error| panic!("{context}: does not start: {error}"));
    oracle.judge(&log, &format!("{context}, {opened:?}"));
    for _ in 0..6 {
        let sequence = oracle.append(&log, 900).unwrap();
        oracle.commit(&log, sequence);
        assert!(oracle.acknowledged.contains(&sequence), "{context}: goes on");
    }
    oracle.judge(&log, context);
}

#[test]
fn nothing_acknowledged_is_lost_wherever_the_power_goes() {
    let whole = SimulatedDisk::new();
    script(&whole, &mut Oracle::default());
    let calls = whole.calls();
    assert!(calls > 150, "{calls}");
    for call in 0..calls {
        for survives in [Survives::Synced, Survives::All].into_iter().chain((0..4).map(|seed| Survives::Some(call * 100 + seed))) {
            let (disk, mut oracle) = (SimulatedDisk::new(), Oracle::default());
            disk.power_off_at(call);
            script(&disk, &mut oracle);
            disk.restart(survives);
            recovered(&disk, &mut oracle, &format!("power off at call {call}, {survives:?} survives"));
            disk.restart(Survives::Synced);
            recovered(&disk, &mut oracle, &format!("once more after call {call}, {survives:?}"));
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_whichever_call_fails() {
    let whole = SimulatedDisk::new();
    script(&whole, &mut Oracle::default());
    for call in 0..whole.calls() {
        for (error, times) in [(ErrorKind::StorageFull, 1), (ErrorKind::StorageFull, 5), (ErrorKind::Other, 1), (ErrorKind::Other, 5)] {
            let (disk, mut oracle) = (SimulatedDisk::new(), Oracle::default());
            disk.fail_at(call..call + times, error);
            script(&disk, &mut oracle);
            disk.heal();
            disk.restart(Survives::Some(call));
            recovered(&disk, &mut oracle, &format!("{error:?} at call {call} and {times} in all"));
        }
    }
}

#[test]
fn nothing_is_lost_when_the_power_goes_again_while_the_log_recovers() {
    let whole = SimulatedDisk::new();
    script(&whole, &mut Oracle::default());
    for call in (0..whole.calls()).step_by(7) {
        for again in 0..8 {
            let (disk, mut oracle) = (SimulatedDisk::new(), Oracle::default());
            disk.power_off_at(call);
            script(&disk, &mut oracle);
            disk.restart(Survives::Some(call));
            disk.power_off_at(disk.calls() + again);
            oracle.restarted();
            drop(open(&disk, SMALL));
            disk.restart(Survives::Some(again));
            recovered(&disk, &mut oracle, &format!("power off at call {call} and {again} calls into recovery"));
        }
    }
}

#[test]
fn what_a_killed_process_left_in_the_page_cache_is_durable_before_anybody_sees_it() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    append_committed(&log, 1, 100).unwrap();
    append(&log, 2, 100).unwrap();
    // The power goes in the sync: the record is written, the process gone, the machine not.
    disk.power_off_at(disk.calls() + 1);
    assert!(now(log.committed(2)).is_err());
    drop(log);
    disk.restart(Survives::All);
    let (log, _) = open(&disk, SMALL).unwrap();
    assert_eq!(numbers(&log, 0), [1, 2]);
    drop(log);
    disk.restart(Survives::Synced);
    let (log, _) = open(&disk, SMALL).unwrap();
    assert_eq!(numbers(&log, 0), [1, 2]);
}
