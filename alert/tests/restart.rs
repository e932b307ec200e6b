//! A restart: counts and states go on, the time in which nobody was there does not count, and nobody is told twice.

use super::{Node, burst, error};
use journal::simulated::{SimulatedDisk, Survives};

const HOUR: u64 = 3_600;

#[test]
fn what_fires_is_not_told_again_and_its_end_is() {
    let disk = SimulatedDisk::new();
    let node = Node::on(&disk).begin(&burst(2), 0).unwrap();
    node.observe(&error("shop", 1, 1), 1);
    node.observe(&error("shop", 2, 1), 1);
    node.tick(2..=3);
    assert!(node.tell(3).is_empty(), "nothing is told before it is on disk");
    assert!(node.save(3));
    assert_eq!(node.tell(3), ["firing burst shop"]);
    node.tick(4..=300);
    assert!(node.save(300));
    let began = node.book.active()[0].active_since;
    disk.restart(Survives::Synced);

    let node = Node::on(&disk).begin(&burst(2), HOUR).unwrap();
    node.tick(HOUR..=HOUR + 599);
    assert_eq!(node.counts(), [0.0], "its window has passed, but whoever sends may not have found us again yet");
    assert_eq!(node.book.active()[0].active_since, began);
    node.tick(HOUR + 600..=HOUR + 605);
    assert!(node.save(HOUR + 605));
    assert_eq!(node.tell(HOUR + 605), ["resolved burst shop"]);
    assert!(node.save(HOUR + 606));
    disk.restart(Survives::Synced);
    let node = Node::on(&disk).begin(&burst(2), 2 * HOUR).unwrap();
    assert!(node.tell(2 * HOUR).is_empty());
}

#[test]
fn what_was_to_be_told_at_the_end_is_told_after_it() {
    let disk = SimulatedDisk::new();
    let node = Node::on(&disk).begin(&burst(1), 0).unwrap();
    node.observe(&error("shop", 1, 1), 1);
    node.tick(2..=2);
    assert!(node.save(2));
    disk.restart(Survives::Synced);
    assert_eq!(Node::on(&disk).begin(&burst(1), 9).unwrap().tell(9), ["firing burst shop"]);
}

#[test]
fn a_pending_alert_waits_on_where_it_was() {
    let rule = burst(1).replace("count: 1", "count: 1, for: 5m");
    let disk = SimulatedDisk::new();
    let node = Node::on(&disk).begin(&rule, 0).unwrap();
    node.observe(&error("shop", 1, 1), 1);
    node.tick(2..=242);
    assert!(node.save(242));
    disk.restart(Survives::Synced);
    let node = Node::on(&disk).begin(&rule, HOUR).unwrap();
    node.tick(HOUR..=HOUR + 59);
    assert!(node.history().is_empty(), "{:?}", node.history());
    node.tick(HOUR + 60..=HOUR + 60);
    assert_eq!(node.history(), ["firing burst shop"]);
}

#[test]
fn what_the_journal_gives_again_after_a_long_downtime_counts_as_if_there_had_been_none() {
    let disk = SimulatedDisk::new();
    let node = Node::on(&disk).begin(&burst(3), 0).unwrap();
    node.observe(&error("shop", 1, 1), 1);
    assert!(node.save(2));
    disk.restart(Survives::Synced);
    let node = Node::on(&disk).begin(&burst(3), 2 * HOUR).unwrap();
    // The first was counted; the second had been accepted and not counted; the third is new.
    node.observe(&error("shop", 1, 1), 2 * HOUR);
    node.observe(&error("shop", 2, 2), 2 * HOUR);
    node.observe(&error("shop", 3, 2 * HOUR + 1), 2 * HOUR + 1);
    node.tick(2 * HOUR + 1..=2 * HOUR + 1);
    assert_eq!(node.counts(), [3.0]);
}

#[test]
fn what_never_comes_again_is_not_remembered() {
    let disk = SimulatedDisk::new();
    let node = Node::on(&disk).begin(&burst(1), 0).unwrap();
    for n in 0..100 {
        node.observe(&error("shop", n, 1), 1);
    }
    assert!(node.save(1));
    let before = disk.used();
    node.ruler.settled(7, 99);
    node.observe(&error("shop", 100, 1), 1);
    assert!(node.save(1));
    assert!(disk.used() + 1_000 < before, "{} of {before}", disk.used());
}

#[test]
fn without_a_folder_everything_counts_as_delivered_at_once() {
    let node = Node::with(None).begin(&burst(1), 0).unwrap();
    node.observe(&error("shop", 1, 1), 1);
    assert!(node.save(1));
    node.tick(2..=2);
    assert_eq!(node.tell(2), ["firing burst shop"]);
}
