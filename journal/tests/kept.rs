//! A decision lives a minute, also when what it was made of is settled and gone, and over a restart.

use super::*;
use crate::simulated::Survives;
use tokio::time::advance;

fn decide(log: &Log, n: u64) -> u64 {
    let sequence = log.append(header(Kind::Decision), &payload(n, 100)).unwrap();
    now(log.committed(sequence)).unwrap();
    sequence
}

fn decisions(log: &Log) -> Vec<u64> {
    read_all(&mut log.reader(0).only(Kind::Decision)).iter().map(|entry| number(&entry.payload)).collect()
}

/// Everything is settled, and the cursor saved.
fn settle_all(log: &Log) {
    log.settle("sink", log.next()).unwrap();
    now(log.flush()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_decision_outlives_its_segment_and_the_process_by_a_minute_of_running() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    log.settle("sink", 0).unwrap();
    fill(&log, 1..3, 1000);
    decide(&log, 3);
    fill(&log, 4..30, 1000);
    settle_all(&log);
    assert_eq!(decisions(&log), [3]);
    assert!(log.bytes() < 2 * SMALL.segment_bytes_max, "only the decision is kept: {}", log.bytes());
    assert_eq!(numbers(&log, 0)[0], 3, "telemetry before it is gone");

    advance(Duration::from_secs(40)).await;
    disk.restart(Survives::Synced);
    drop(log);
    // Downtime does not count.
    advance(Duration::from_secs(3600)).await;
    let (log, opened) = open(&disk, SMALL).unwrap();
    assert_eq!((decisions(&log), opened.damaged), (vec![3], vec![]));
    advance(Duration::from_secs(59)).await;
    fill(&log, 30..40, 1000);
    settle_all(&log);
    assert_eq!(decisions(&log), [3]);
    advance(Duration::from_secs(1)).await;
    fill(&log, 40..41, 1000);
    settle_all(&log);
    assert_eq!(decisions(&log), Vec::<u64>::new());
    assert!(log.first() > 3);
}

#[tokio::test(start_paused = true)]
async fn a_reader_of_what_is_not_settled_does_not_meet_what_is_kept() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    log.settle("sink", 0).unwrap();
    let mut following = log.reader(0).only(Kind::Data);
    for n in 1..100 {
        if n % 3 == 0 {
            decide(&log, n);
        } else {
            fill(&log, n..n + 1, 700)
        }
        while following.next().unwrap().is_some() {}
        log.settle("sink", following.position()).unwrap();
    }
    assert_eq!(following.damaged_count(), 0);
    assert_eq!(decisions(&log), (1..100).filter(|n| n % 3 == 0).collect::<Vec<_>>());
    let from = log.cursor("sink");
    assert_eq!(numbers(&log, from).len() as u64, log.next() - from);
}

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_a_segment_with_young_decisions_waits_until_they_are_old() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    log.settle("sink", 0).unwrap();
    decide(&log, 1);
    fill(&log, 2..20, 1000);
    crate::Disk::remove(&disk, &Path::new(DIR).join("reserve")).unwrap();
    disk.set_capacity(Some(disk.used()));
    settle_all(&log);
    assert_eq!(decisions(&log), [1]);
    advance(Duration::from_secs(61)).await;
    drop(append(&log, 21, 10));
    settle_all(&log);
    assert_eq!(decisions(&log), Vec::<u64>::new());
}

#[test]
fn a_log_whose_only_segment_fills_the_disk_gives_it_back_once_all_is_settled() {
    for segment_bytes_max in [64 << 10, 12 << 10] {
        let disk = SimulatedDisk::new();
        let (log, _) = open(&disk, Options { segment_bytes_max, ..SMALL }).unwrap();
        log.settle("sink", 0).unwrap();
        disk.set_capacity(Some(disk.used() + (10 << 10)));
        let mut kept = (0..100).map_while(|n| append_committed(&log, n, 1000).ok()).last().unwrap();
        assert!(kept < 20);
        for cycle in 1..4 {
            log.settle("sink", log.next()).unwrap();
            drop(append(&log, 0, 1000));
            std::thread::sleep(Duration::from_millis(101));
            let more: Vec<u64> = (0..100).map_while(|n| append_committed(&log, cycle * 100 + n, 1000).ok()).collect();
            assert!(more.len() >= 8 && more[0] > kept, "cycle {cycle}: {more:?}");
            kept = more[more.len() - 1];
        }
        disk.restart(Survives::Synced);
        drop(log);
        let (log, opened) = open(&disk, SMALL).unwrap();
        assert_eq!(opened.damaged, []);
        assert!(log.next() > kept && numbers(&log, log.cursor("sink")).len() >= 8);
    }
}

#[test]
fn numbers_whose_write_failed_hold_no_segment() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, Options { segment_bytes_max: 64 << 10, ..SMALL }).unwrap();
    log.settle("sink", 0).unwrap();
    fill(&log, 1..9, 1000);
    let last = log.next() - 1;
    disk.set_capacity(Some(disk.used()));
    for n in 0..5 {
        assert!(append_committed(&log, n, 1000).is_err());
        std::thread::sleep(Duration::from_millis(101));
    }
    // Everything that is there is settled; of what comes after it nobody ever hears.
    log.settle("sink", last + 1).unwrap();
    drop(append(&log, 0, 1000));
    std::thread::sleep(Duration::from_millis(101));
    append_committed(&log, 10, 1000).unwrap();
    assert!(log.first() > last);
}

#[tokio::test(start_paused = true)]
async fn where_there_is_room_what_is_settled_lingers_and_a_start_can_read_it() {
    let disk = SimulatedDisk::new();
    let lingering = Options { linger: Duration::from_secs(60), limit: 64 << 10, ..SMALL };
    let (log, _) = open(&disk, lingering).unwrap();
    log.settle("sink", 0).unwrap();
    fill(&log, 1..20, 1000);
    settle_all(&log);
    disk.restart(Survives::Synced);
    drop(log);
    let (log, opened) = open(&disk, lingering).unwrap();
    assert_eq!((numbers(&log, 0), opened.damaged), ((1..20).collect(), vec![]));
    for n in 20..80 {
        append_committed(&log, n, 1000).unwrap();
        settle_all(&log);
        assert!(log.bytes() < 40 << 10, "half of the limit, and a segment: {}", log.bytes());
    }
    assert!(numbers(&log, 0).len() > 25, "and hardly less");
    advance(Duration::from_secs(60)).await;
    fill(&log, 80..81, 1000);
    settle_all(&log);
    assert!(numbers(&log, 0).len() < 5);
}
