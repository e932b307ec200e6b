//! State of earlier formats: each folder `version_N` here was written by a kansoku of format N and must stay readable.
//! The folder of the newest format is written by `VERSION_FOLDER=FOLDER cargo test -p alert writes_the_folder -- --ignored`.

use super::{CONSOLE, Node, PATH, at, burst, error};
use crate::{Book, Folder, Ruler};
use journal::{Disk, RealDisk, simulated::SimulatedDisk};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// One service fires and that was told, another is pending, a third is below its count.
fn fill(node: &Node) {
    for (position, service, second) in [(1, "shop", 1), (2, "shop", 2), (3, "cart", 3)] {
        node.observe(&error(service, position, second), second);
    }
    node.tick(4..=4);
    assert!(node.save(4));
    assert_eq!(node.tell(4), ["firing burst shop"]);
    assert!(node.save(5));
}

#[test]
#[ignore = "writes the folder in VERSION_FOLDER"]
#[expect(clippy::disallowed_methods, reason = "run by hand, which names the folder")]
fn writes_the_folder() {
    let folder = Folder::new(Arc::new(RealDisk), PathBuf::from(std::env::var("VERSION_FOLDER").unwrap()));
    fill(&Node::with(Some(folder)).begin(&burst(2), 0).unwrap());
}

fn copied(version: &str) -> SimulatedDisk {
    let (disk, to) = (SimulatedDisk::new(), Path::new(PATH));
    disk.create_dir_all(to).unwrap();
    for found in RealDisk.list(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(version)).unwrap() {
        disk.write_new(&to.join(&found.name), &[RealDisk.read(&found.path, 1 << 20).unwrap()]).unwrap();
    }
    disk
}

fn reads(version: &str) {
    let disk = copied(version);
    for (life, start) in [("as it was written", 100), ("after a restart", 200)] {
        let node = Node::on(&disk).begin(&burst(2), start).unwrap();
        // It knows what it has, and counts what is new.
        node.observe(&error("shop", 2, 2), start);
        node.observe(&error("cart", if start == 100 { 4 } else { 3 }, start), start);
        node.tick(start..=start + 1);
        assert!(node.save(start + 1));
        assert_eq!(node.counts(), [2.0, 2.0], "{version} {life}");
        let told: &[&str] = if start == 100 { &["firing burst cart"] } else { &[] };
        assert_eq!(node.tell(start + 1), told, "{version} {life}");
        assert!(node.save(start + 1));
        assert_eq!(node.ruler.damaged(), 0, "{version} {life}");
    }
}

#[test]
fn state_of_format_1_is_read() {
    reads("version_1");
}

#[test]
fn state_of_an_unknown_format_is_refused_in_a_sentence_and_left_alone() {
    let disk = copied("version_1");
    let path = Path::new(PATH).join("state");
    disk.damage(&path, |bytes| {
        bytes[8] = 9;
        let sum = crc32c::crc32c(&bytes[..28]);
        bytes[28..32].copy_from_slice(&sum.to_le_bytes());
    });
    let before = disk.read(&path, u64::MAX).unwrap();
    let error = Node::on(&disk).begin(&burst(2), 0).err().unwrap().to_string();
    assert_eq!(
        error,
        "alert state /data/journal/alerts/node/state has format version 9, this kansoku reads version 1; start the kansoku that wrote it, or move the file away to begin without its counts"
    );
    assert_eq!(disk.read(&path, u64::MAX).unwrap(), before);
}

#[test]
fn state_that_is_damaged_is_set_aside_and_counted() {
    let disk = copied("version_1");
    for n in 1..3 {
        let path = Path::new(PATH).join("state");
        disk.damage(&path, |bytes| bytes[40] ^= 1);
        let before = disk.read(&path, u64::MAX).unwrap();
        let node = Node::on(&disk).begin(&burst(2), 0).unwrap();
        assert_eq!(node.ruler.damaged(), 1);
        assert_eq!(disk.read(&Path::new(PATH).join(format!("damaged-{n}")), u64::MAX).unwrap(), before);
        assert!(disk.open(&path).is_err());
        fill(&node);
    }
}

#[test]
fn a_second_beginning_only_says_so() {
    let ruler = Ruler::new(Arc::new(Book::default()), None, Arc::new(|work| work()));
    assert!(ruler.begin(Vec::new(), vec![CONSOLE.to_owned()], at(0)).unwrap().is_some());
    assert!(ruler.begin(Vec::new(), vec![CONSOLE.to_owned()], at(0)).unwrap().is_none());
}
