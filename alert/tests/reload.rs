//! Other rules while it runs, or after a restart: what still counts the same goes on, the rest ends.

use super::{Node, burst, error, rules};
use journal::simulated::{SimulatedDisk, Survives};

fn fires() -> (SimulatedDisk, Node) {
    let disk = SimulatedDisk::new();
    let node = Node::on(&disk).begin(&burst(2), 0).unwrap();
    node.observe(&error("shop", 1, 1), 1);
    node.observe(&error("shop", 2, 1), 1);
    node.tick(2..=2);
    assert!(node.save(2));
    assert_eq!(node.tell(2), ["firing burst shop"]);
    assert!(node.save(2));
    (disk, node)
}

/// The same by a reload and by a restart.
fn followed_by(rule: &str) -> Vec<(Vec<f64>, Vec<String>)> {
    let (_, reloaded) = fires();
    reloaded.ruler.change(rules(rule), vec!["console".to_owned()]);
    let (disk, _) = fires();
    disk.restart(Survives::Synced);
    let restarted = Node::on(&disk).begin(rule, 3).unwrap();
    let after = |node: &Node| {
        node.tick(4..=4);
        assert!(node.save(4));
        (node.counts(), node.tell(4))
    };
    [reloaded, restarted].iter().map(after).collect()
}

#[test]
fn a_rule_that_is_the_same_or_has_another_threshold_goes_on() {
    let summary = burst(2).replace("labels:", "annotations: { summary: 'another' }, labels:");
    for rule in [burst(2), burst(1), summary] {
        assert!(followed_by(&rule).iter().all(|after| *after == (vec![2.0], Vec::new())), "{rule}");
    }
}

#[test]
fn a_rule_that_counts_something_else_or_is_gone_ends_what_it_told() {
    let others = [
        burst(2).replace(">= 17", ">= 18"),
        burst(2).replace("10m", "20m"),
        burst(2).replace("alert: burst", "alert: other"),
        burst(2).replace("page", "ticket"),
        burst(2).replace(", by: [.service]", ""),
    ];
    for rule in others {
        assert!(followed_by(&rule).iter().all(|after| *after == (Vec::new(), vec!["resolved burst shop".to_owned()])), "{rule}");
    }
}

#[test]
fn a_new_receiver_is_told_what_fires() {
    let (_, node) = fires();
    node.ruler.change(rules(&burst(2)), vec!["console".to_owned(), "webhook".to_owned()]);
    assert!(node.save(3));
    assert!(node.tell(3).is_empty());
    let teller = node.ruler.teller("webhook").unwrap();
    assert_eq!(node.ruler.due(&teller).len(), 1);
    assert!(node.ruler.teller("webhook").is_none(), "two do not tell one receiver at the same time");
}
