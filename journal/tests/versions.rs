//! A small folder of every format version that must still be read: `tests/version_N/`, never changed once its version is released.

use super::*;
use crate::{Disk, RealDisk};
use std::path::PathBuf;

/// Three data records of 100 bytes with the numbers 1 to 3, then a decision; the consumer `sink` has settled below 2.
fn fill_sample(log: &Log) {
    fill(log, 1..4, 100);
    let decision = log.append(header(Kind::Decision), &payload(4, 100)).unwrap();
    now(log.committed(decision)).unwrap();
    log.settle("sink", 2).unwrap();
    now(log.flush()).unwrap();
}

fn check_sample(log: &Log) {
    let entries = read_all(&mut log.reader(0));
    let read: Vec<_> = entries.iter().map(|entry| (entry.sequence, entry.header.kind, number(&entry.payload))).collect();
    assert_eq!(read, [(1, Kind::Data, 1), (2, Kind::Data, 2), (3, Kind::Data, 3), (4, Kind::Decision, 4)]);
    assert_eq!((entries[2].header, &entries[2].payload), (header(Kind::Data), &payload(3, 100).concat().into()));
    assert_eq!(log.cursors(), [("sink".to_owned(), 2)]);
}

fn kept(version: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/version_{version}"))
}

fn copy(from: &Path, to: &Path) {
    for found in RealDisk.list(from).unwrap() {
        RealDisk.write_new(&to.join(found.name), &[RealDisk.read(&found.path, 1 << 20).unwrap()]).unwrap();
    }
}

#[test]
fn a_log_of_each_version_that_is_promised_opens() {
    for version in 1..=crate::stamp::FORMAT_VERSION {
        let folder = tempfile::tempdir().unwrap();
        copy(&kept(version), folder.path());
        let (log, opened) = Log::open(Arc::new(RealDisk), folder.path(), SMALL, inline()).unwrap();
        assert_eq!((opened.cut, opened.damaged, log.id()), (None, vec![], 0x5eed_5eed), "version {version}");
        check_sample(&log);
        assert!(append_committed(&log, 5, 100).unwrap() >= 5);
    }
}

#[test]
fn what_this_version_writes_is_what_is_kept_of_it() {
    let folder = tempfile::tempdir().unwrap();
    // A log with the id of the kept one, so that every byte can be the same.
    let meta = Bytes::copy_from_slice(&crate::stamp::encode(crate::stamp::Of::Meta, 0x5eed_5eed, 0));
    let marks = crate::cursors::encode(0x5eed_5eed, 1, &crate::cursors::Marks::new()).unwrap();
    let cursors: Vec<u8> = (0..crate::cursors::SLOT_BYTES).map(|_| 0).chain(marks).collect();
    RealDisk.write_new(&folder.path().join("meta"), &[meta]).unwrap();
    RealDisk.write_new(&folder.path().join("cursors"), &[cursors.into()]).unwrap();
    let (log, _) = Log::open(Arc::new(RealDisk), folder.path(), SMALL, inline()).unwrap();
    fill_sample(&log);
    check_sample(&log);
    drop(log);
    if std::env::var_os("KEEP_VERSION").is_some() {
        RealDisk.create_dir_all(&kept(crate::stamp::FORMAT_VERSION)).unwrap();
        copy(folder.path(), &kept(crate::stamp::FORMAT_VERSION));
    }
    for name in ["meta".to_owned(), crate::stamp::segment_name(1)] {
        let read = |folder: &Path| RealDisk.read(&folder.join(&name), 1 << 20).unwrap();
        assert_eq!(read(folder.path()), read(&kept(crate::stamp::FORMAT_VERSION)), "{name}: raise FORMAT_VERSION and keep a new folder");
    }
}
