//! Readers beside the writer: following, choosing, overtaken by the cursor, on a disk that cannot read.

use super::*;

#[test]
fn a_reader_follows_the_log_over_segments_and_from_any_position() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    let mut reader = log.reader(0);
    let mut changed = log.changed();
    for n in 1..=30 {
        assert_eq!(reader.next().unwrap(), None);
        append_committed(&log, n, 1000).unwrap();
        assert!(changed.has_changed().unwrap());
        assert_eq!(*changed.borrow_and_update(), n + 1);
        assert_eq!(reader.next().unwrap().map(|entry| entry.sequence), Some(n));
        assert_eq!(reader.position(), n + 1);
    }
    for from in 0..=31 {
        assert_eq!(numbers(&log, from), (from.max(1)..=30).collect::<Vec<_>>());
    }
    append(&log, 31, 10).unwrap();
    assert_eq!(reader.next().unwrap(), None, "not durable, not seen");
}

#[test]
fn a_reader_of_decisions_passes_over_the_rest() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    for n in 1..=30 {
        let kind = if n % 10 == 0 { Kind::Decision } else { Kind::Data };
        let sequence = log.append(header(kind), &payload(n, 1000)).unwrap();
        now(log.committed(sequence)).unwrap();
    }
    let decisions = read_all(&mut log.reader(0).only(Kind::Decision));
    assert_eq!(decisions.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [10, 20, 30]);
}

#[test]
fn a_reader_that_segments_are_freed_under_goes_on_at_the_oldest() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    fill(&log, 1..31, 1000);
    let (mut reading, mut waiting) = (log.reader(2), log.reader(0));
    assert_eq!(reading.next().unwrap().map(|entry| entry.sequence), Some(2));
    log.settle("sink", 20).unwrap();
    let left: Vec<u64> = read_all(&mut waiting).iter().map(|entry| entry.sequence).collect();
    assert_eq!(left, (log.first()..=30).collect::<Vec<_>>());
    let left: Vec<u64> = read_all(&mut reading).iter().map(|entry| entry.sequence).collect();
    assert_eq!(left, [3].into_iter().chain(log.first()..=30).collect::<Vec<_>>(), "the file that was open is read to its end");
    assert_eq!(reading.damaged_count(), 0);
}

#[test]
fn who_counts_reads_the_beginning_of_each_record_only() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    fill(&log, 0..3, 3_000);
    append_committed(&log, 3, 8).unwrap();
    let peeked = read_all(&mut log.reader(0).peeking(8));
    assert_eq!(
        peeked.iter().map(|entry| (number(&entry.payload), entry.payload.len())).collect::<Vec<_>>(),
        [(0, 8), (1, 8), (2, 8), (3, 8)]
    );
    assert_eq!(numbers(&log, 0), [0, 1, 2, 3]);
}
