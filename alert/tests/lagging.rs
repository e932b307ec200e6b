//! The stream is behind: its time is not the wall's, and only how it stands in the end is told, as delayed; that it lags is told at once.

use super::{MINUTE, Node, burst, error};
use crate::tests::at;
use std::time::Duration;

#[test]
fn while_the_stream_lags_only_the_end_is_told() {
    let node = Node::with(None).begin(&format!("{}, {}", burst(1), burst(1).replace("burst", "again").replace("10m", "1m")), 0).unwrap();
    node.ruler.lags(3 * MINUTE, at(180));
    assert_eq!(node.tell(180), ["firing stream_lag"]);
    node.observe(&error("shop", 1, 2), 181);
    node.tick(181..=183);
    assert_eq!(node.counts()[..2], [1.0, 1.0], "it is counted when it happened, and that is now for the stream");
    assert_eq!(node.history(), ["firing stream_lag", "pending burst shop", "firing burst shop", "pending again shop", "firing again shop"]);
    assert!(node.tell(183).is_empty());
    node.tick(184..=250);
    assert_eq!(node.history().last().unwrap(), "resolved again shop");
    assert!(node.tell(250).is_empty());
    node.ruler.lags(MINUTE / 4, at(251));
    assert_eq!(node.tell(251), ["firing burst shop, delayed", "resolved again shop, delayed", "resolved stream_lag"]);
    assert!(node.tell(252).is_empty());
}

#[test]
fn a_stream_that_stands_still_ends_nothing() {
    let node = Node::with(None).begin(&burst(1).replace("10m", "1m"), 0).unwrap();
    node.observe(&error("shop", 1, 1), 1);
    node.tick(1..=2);
    // Nothing is read for ten minutes, since a sink beside it is full.
    for second in (3..600).step_by(10) {
        node.ruler.lags(MINUTE * u32::try_from(second).unwrap() / 60, at(second));
        node.ruler.tick(at(second));
    }
    assert_eq!(node.counts()[0], 1.0);
    node.ruler.lags(Duration::ZERO, at(600));
    node.ruler.tick(at(600));
    assert!(node.counts().is_empty());
}

#[test]
fn where_the_stream_makes_a_jump_every_second_is_looked_at() {
    let rule = burst(1).replace("10m", "1m").replace("count: 1", "count: 1, for: 30s");
    let node = Node::with(None).begin(&rule, 0).unwrap();
    node.ruler.lags(5 * MINUTE, at(300));
    node.observe(&error("shop", 1, 1), 301);
    // The next parcel is five minutes later on the stream's clock.
    node.observe(&error("other", 2, 301), 301);
    assert_eq!(node.history()[1..], ["pending burst shop", "firing burst shop", "resolved burst shop"]);
}
