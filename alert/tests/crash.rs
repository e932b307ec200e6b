//! The power goes at any call to the disk: everything counts once, whatever the journal gives again, and what was told is told again only where that was cut short.

use super::{Node, burst, error};
use journal::simulated::{SimulatedDisk, Survives};

const ERRORS: u64 = 8;

/// What the world outside has seen.
#[derive(Default)]
struct Outside {
    told: Vec<String>,
    /// All of it is known to be on disk as told.
    is_noted: bool,
}

/// Errors come one by one, each delivered once a checkpoint has it, until the disk fails. In the middle it fires, and somebody is told.
fn run(node: &Node, outside: &mut Outside) {
    for n in 0..ERRORS {
        let epoch = node.observe(&error("shop", n, n), n);
        if !node.save(n) {
            return;
        }
        assert!(node.ruler.epoch() >= epoch);
        node.tick(n..=n);
        if !node.save(n) {
            return;
        }
        let told = node.tell(n);
        if !told.is_empty() {
            outside.told.extend(told);
            outside.is_noted = false;
        }
        if !node.save(n) {
            return;
        }
        outside.is_noted = true;
    }
}

fn calls_of_a_whole_run() -> u64 {
    let disk = SimulatedDisk::new();
    run(&Node::on(&disk).begin(&burst(3), 0).unwrap(), &mut Outside::default());
    disk.calls()
}

fn power_goes_at(call: u64, survives: Survives) {
    let (disk, mut outside) = (SimulatedDisk::new(), Outside::default());
    disk.power_off_at(call);
    if let Ok(node) = Node::on(&disk).begin(&burst(3), 0) {
        run(&node, &mut outside);
    }
    let cut_short = !outside.is_noted && !outside.told.is_empty();
    disk.restart(survives);
    let node = Node::on(&disk).begin(&burst(3), 20).unwrap_or_else(|error| panic!("call {call}, {survives:?}: {error}"));
    assert_eq!(node.ruler.damaged(), 0, "call {call}, {survives:?}");
    // The watermark had not moved: the journal gives everything again.
    for n in 0..ERRORS {
        node.observe(&error("shop", n, n), 20);
    }
    node.tick(20..=21);
    assert!(node.save(21), "call {call}, {survives:?}");
    assert_eq!(node.counts(), [ERRORS as f64], "call {call}, {survives:?}");
    outside.told.extend(node.tell(21));
    let firing = outside.told.iter().filter(|told| *told == "firing burst shop").count();
    assert!(firing == 1 || cut_short && firing == 2, "call {call}, {survives:?}: {:?}", outside.told);
    assert_eq!(outside.told.len(), firing, "call {call}, {survives:?}: {:?}", outside.told);
}

#[test]
fn wherever_the_power_goes_everything_counts_once() {
    let calls = calls_of_a_whole_run();
    assert!(calls > 50, "{calls}");
    for call in 0..=calls {
        for survives in [Survives::Synced, Survives::All, Survives::Some(call)] {
            power_goes_at(call, survives);
        }
    }
}

#[test]
fn a_disk_that_fails_for_a_while_only_delays_the_yes() {
    let disk = SimulatedDisk::new();
    let node = Node::on(&disk).begin(&burst(1), 0).unwrap();
    disk.fail(journal::simulated::Call::Sync, std::io::ErrorKind::StorageFull, 2);
    node.observe(&error("shop", 1, 1), 1);
    assert!(!node.save(1) && !node.save(1));
    // Delivered again, it is not counted again.
    node.observe(&error("shop", 1, 1), 1);
    assert!(node.save(2));
    node.tick(2..=2);
    assert_eq!(node.counts(), [1.0]);
}
