//! Torn ends, rotten bytes, lost files, hostile payloads, other versions: always starts, loses only what was damaged, and names it.

use super::*;
use crate::stamp::{self, Of, STAMP_BYTES};
use crate::{Inspected, inspect, record};
use std::path::PathBuf;

const RECORDS: u64 = 5;
const PAYLOAD: usize = 60;
const RECORD: usize = PAYLOAD + record::HEADER_BYTES;

fn written() -> (SimulatedDisk, PathBuf) {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    fill(&log, 1..RECORDS + 1, PAYLOAD);
    (disk, Path::new(DIR).join(stamp::segment_name(1)))
}

#[test]
fn a_torn_end_of_any_length_is_cut_and_what_stands_before_it_stays() {
    let whole = STAMP_BYTES + RECORDS as usize * RECORD;
    for left in 0..=whole {
        let (disk, path) = written();
        disk.damage(&path, |bytes| bytes.truncate(left));
        let (log, opened) = open(&disk, SMALL).unwrap();
        let records = left.saturating_sub(STAMP_BYTES) / RECORD;
        let torn = left.saturating_sub(STAMP_BYTES) % RECORD;
        assert_eq!(numbers(&log, 0), (1..=records as u64).collect::<Vec<_>>(), "{left}");
        assert_eq!(opened.cut.map_or(0, |cut| cut.bytes), torn as u64, "{left}");
        append_committed(&log, 77, PAYLOAD).unwrap();
        assert_eq!(numbers(&log, 0).last(), Some(&77), "{left}");
    }
}

#[test]
fn a_flipped_bit_anywhere_costs_its_own_record_and_no_other() {
    let whole = STAMP_BYTES + RECORDS as usize * RECORD;
    for at in 0..whole {
        let (disk, path) = written();
        disk.damage(&path, |bytes| bytes[at] ^= 0x40);
        let (log, opened) = open(&disk, SMALL).unwrap();
        let mut expected: Vec<u64> = (1..=RECORDS).collect();
        if at >= STAMP_BYTES {
            expected.remove((at - STAMP_BYTES) / RECORD);
        }
        assert_eq!(numbers(&log, 0), expected, "{at}");
        assert_eq!(opened.damaged.len() + usize::from(opened.cut.is_some()), 1, "{at}: {opened:?}");
        let sequence = append_committed(&log, 77, PAYLOAD).unwrap();
        assert!(sequence > RECORDS, "{at}: a number that was given is not given again");
    }
}

#[test]
fn a_damaged_place_is_named_by_readers_and_by_inspect() {
    let (disk, path) = written();
    let offset = (STAMP_BYTES + RECORD) as u64;
    disk.damage(&path, |bytes| bytes[offset as usize + 50] ^= 1);
    let Inspected { segments, .. } = inspect(&disk, Path::new(DIR)).unwrap();
    assert_eq!(segments[0].data, RECORDS - 1);
    assert_eq!(
        segments[0].damaged[0].to_string(),
        format!("{} at byte 132: 100 bytes passed over: the payload's checksum is wrong", path.display())
    );
    let (log, _) = open(&disk, SMALL).unwrap();
    let mut reader = log.reader(0);
    read_all(&mut reader);
    assert_eq!((reader.damaged_count(), reader.take_damaged()), (1, segments[0].damaged.clone()));
    assert_eq!(reader.take_damaged(), []);
}

#[test]
fn a_payload_that_contains_records_of_its_sender_stays_a_payload() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    let hostile: Vec<u8> = (0..20u64)
        .flat_map(|n| {
            let forged = [Bytes::from_static(b"forged")];
            let head = record::encode(0, n, header(Kind::Data), 6, record::payload_sum(0, &forged));
            [&head[..], b"forged"].concat()
        })
        .collect();
    let sequence = log.append(header(Kind::Data), &[hostile.into()]).unwrap();
    now(log.committed(sequence)).unwrap();
    append_committed(&log, 2, 100).unwrap();
    drop(log);
    disk.damage(&Path::new(DIR).join(stamp::segment_name(1)), |bytes| bytes[STAMP_BYTES + 5] ^= 1);
    let (log, opened) = open(&disk, SMALL).unwrap();
    assert_eq!((numbers(&log, 0), opened.damaged.len()), (vec![2], 1));
}

#[test]
fn a_lost_segment_costs_its_records_only() {
    let disk = SimulatedDisk::new();
    let (log, _) = open(&disk, SMALL).unwrap();
    fill(&log, 1..13, 1000);
    drop(log);
    disk.damage(&Path::new(DIR).join(stamp::segment_name(4)), Vec::clear);
    let (log, _) = open(&disk, SMALL).unwrap();
    assert_eq!(numbers(&log, 0), [1, 2, 3, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn damaged_meta_and_cursors_are_named_and_made_again() {
    for (name, from) in [("meta", 4), ("cursors", 1)] {
        let (disk, _) = written();
        let (log, _) = open(&disk, SMALL).unwrap();
        log.settle("sink", 4).unwrap();
        now(log.flush()).unwrap();
        let id = log.id();
        drop(log);
        disk.damage(&Path::new(DIR).join(name), |bytes| bytes.iter_mut().for_each(|byte| *byte ^= 0x55));
        let (log, opened) = open(&disk, SMALL).unwrap();
        assert_eq!(opened.damaged.len(), 1);
        assert!(opened.damaged[0].file.ends_with(name));
        assert_eq!((log.id(), log.cursor("sink")), (id, from), "{name}");
        assert_eq!(numbers(&log, 0).len(), 5);
        drop(log);
        assert_eq!(open(&disk, SMALL).unwrap().1.damaged, []);
    }
}

#[test]
fn a_log_that_lost_all_its_numbers_takes_a_new_id() {
    let (disk, path) = written();
    let id = inspect(&disk, Path::new(DIR)).unwrap().id.unwrap();
    crate::Disk::remove(&disk, &path).unwrap();
    disk.damage(&Path::new(DIR).join("cursors"), Vec::clear);
    let (log, _) = open(&disk, SMALL).unwrap();
    assert_ne!(log.id(), id, "else an old record and a new one would have the same name");
}

#[test]
fn an_unknown_version_is_refused_in_a_sentence_and_nothing_is_changed() {
    let stamped = |of: Of| {
        let mut bytes = stamp::encode(of, 1, 0);
        bytes[8] = 9;
        let sum = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&sum.to_le_bytes());
        bytes
    };
    for (name, stamp) in [("meta".to_owned(), stamped(Of::Meta)), (stamp::segment_name(1), stamped(Of::Segment))] {
        let (disk, _) = written();
        let path = Path::new(DIR).join(name);
        disk.damage(&path, |bytes| bytes[..STAMP_BYTES].copy_from_slice(&stamp));
        let calls = disk.calls();
        let error = open(&disk, SMALL).unwrap_err().to_string();
        assert!(error.contains("has format version 9, this kansoku reads up to 1; start the version that wrote it"), "{error}");
        assert_eq!(disk.calls(), calls);
    }
}

#[test]
fn a_record_of_a_newer_kind_is_passed_over_and_stays() {
    let (disk, path) = written();
    let id = inspect(&disk, Path::new(DIR)).unwrap().id.unwrap();
    disk.damage(&path, |bytes| {
        let last = bytes.len() - RECORD;
        bytes[last + 12] = 9;
        let sum = crc32c::crc32c_append(id, &bytes[last + 4..last + 40]);
        bytes[last..last + 4].copy_from_slice(&sum.to_le_bytes());
    });
    let (log, opened) = open(&disk, SMALL).unwrap();
    assert_eq!((numbers(&log, 0), opened.cut), (vec![1, 2, 3, 4], None));
    assert!(opened.damaged[0].why.contains("kind or version"));
    drop(log);
    let (log, _) = open(&disk, SMALL).unwrap();
    let mut reader = log.reader(0);
    assert_eq!((read_all(&mut reader).len(), reader.take_damaged()), (4, opened.damaged));
}
