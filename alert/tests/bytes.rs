//! The bytes of a checkpoint: what is written is read as it was, and whatever is read, nothing panics.

use super::{Node, PATH, burst, error};
use crate::checkpoint::{Checkpoint, Unread};
use journal::{Disk, simulated::SimulatedDisk};
use proptest::prelude::*;
use std::path::Path;

/// The file that a node leaves which saw these errors, by service and second, and told whoever had to be told at some of them.
fn left(errors: &[(u8, u64, bool)]) -> Vec<u8> {
    let disk = SimulatedDisk::new();
    let node = Node::on(&disk).begin(&burst(2), 0).unwrap();
    for (n, (service, second, is_told)) in errors.iter().enumerate() {
        node.observe(&error(&format!("service {service}"), n as u64 / 2, *second), 700);
        node.tick(700 + n as u64..=700 + n as u64);
        assert!(node.save(700));
        if *is_told {
            node.tell(700);
        }
    }
    assert!(node.save(800));
    disk.read(&Path::new(PATH).join("state"), u64::MAX).unwrap().to_vec()
}

/// A stamp that is right for any body.
fn stamped(version: u16, body: &[u8]) -> Vec<u8> {
    let sum = crc32c::crc32c(body);
    let stamp =
        [&b"KANSOKUA"[..], &version.to_le_bytes(), &[0; 2], &sum.to_le_bytes(), &(body.len() as u64).to_le_bytes(), &[0; 4]].concat();
    [&stamp[..], &crc32c::crc32c(&stamp).to_le_bytes(), body].concat()
}

/// Begins from these bytes, counts, and writes again.
fn begins(bytes: Vec<u8>) {
    let disk = SimulatedDisk::new();
    disk.create_dir_all(Path::new(PATH)).unwrap();
    disk.write_new(&Path::new(PATH).join("state"), &[bytes.into()]).unwrap();
    let Ok(node) = Node::on(&disk).begin(&burst(2), 1_000) else { return };
    node.observe(&error("service 1", 1_000, 1_000), 1_000);
    node.tick(1_000..=1_003);
    assert!(node.save(1_003));
    node.tell(1_003);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_as_it_was(errors in prop::collection::vec((0..4_u8, 0..700_u64, any::<bool>()), 0..24)) {
        let bytes = left(&errors);
        let read = Checkpoint::decode(&bytes).unwrap();
        prop_assert_eq!(read.encode().unwrap().to_vec(), bytes);
    }

    #[test]
    fn any_bytes_are_read_or_set_aside(bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0..3_u16) {
        begins(bytes.clone());
        begins(stamped(version, &bytes));
    }

    #[test]
    fn a_body_that_somebody_changed_is_read_or_set_aside(
        errors in prop::collection::vec((0..4_u8, 0..700_u64, any::<bool>()), 1..6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"0123456789-[]{}\",:e."[..])), 1..6),
    ) {
        let mut body = left(&errors).split_off(32);
        for (at, to) in changes {
            let at = at.index(body.len());
            body[at] = to;
        }
        begins(stamped(1, &body));
    }
}

#[test]
fn a_number_as_large_as_can_be_does_no_harm() {
    let body = String::from_utf8(left(&[(1, 699, true), (1, 699, true), (1, 700, false)]).split_off(32)).unwrap();
    let digits = |c: char| c.is_ascii_digit();
    for (at, _) in body.match_indices(digits) {
        let number: String = body[at..].chars().take_while(char::is_ascii_digit).collect();
        for great in ["18446744073709551615", "9223372036854775807", "0", "4294967295"] {
            begins(stamped(1, [&body[..at], great, &body[at + number.len()..]].concat().as_bytes()));
        }
    }
}

#[test]
fn a_flipped_bit_is_noticed() {
    let bytes = left(&[(1, 1, true), (1, 2, true)]);
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        assert!(matches!(Checkpoint::decode(&bytes), Err(Unread::Damaged(_))), "at {at}");
    }
    for length in 0..bytes.len() {
        assert!(Checkpoint::decode(&bytes[..length]).is_err(), "{length}");
    }
}
