//! A next hop that is down for a while, then slow, then well: what was acknowledged meanwhile arrives.

use crate::{
    clients::Clients,
    items::Items,
    judge::Verdict,
    receiver::{Mood, Receiver},
    to_next_hop,
};
use kit::Kansoku;
use std::{thread, time::Duration};

#[test]
fn a_next_hop_that_is_down_and_then_slow_gets_everything_in_the_end() {
    let items = Items::new(21, 2_000);
    let receiver = Receiver::start(items);
    let folder = tempfile::tempdir().unwrap();
    let mut clients = Clients::start(items, 4, Duration::from_millis(5));
    let pipeline = to_next_hop(&receiver);
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    clients.open(&kansoku);
    clients.acknowledge(20);
    receiver.set(Mood::Down);
    // Yes goes on while the sink is down: the journal keeps it.
    clients.acknowledge(100);
    // Killed with a backlog, and while the sink is down.
    kansoku.signal("KILL");
    clients.shut();
    assert_eq!(kansoku.ended().code, 137);
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    clients.open(&kansoku);
    clients.acknowledge(50);
    receiver.set(Mood::Slow(Duration::from_millis(300)));
    clients.acknowledge(50);
    thread::sleep(Duration::from_secs(1));
    receiver.set(Mood::Well);
    clients.acknowledge(20);
    clients.stop();
    Verdict::at_next_hop(&clients.shared, &receiver).is_at_least_once(items.seed);
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

#[test]
fn without_a_kill_and_with_a_sink_that_answers_nothing_arrives_twice() {
    let items = Items::new(22, 400);
    let receiver = Receiver::start(items);
    let folder = tempfile::tempdir().unwrap();
    let mut clients = Clients::start(items, 8, Duration::ZERO);
    let kansoku = Kansoku::run(folder.path(), &to_next_hop(&receiver));
    clients.open(&kansoku);
    clients.acknowledge(300);
    receiver.set(Mood::Down);
    thread::sleep(Duration::from_millis(500));
    receiver.set(Mood::Well);
    clients.acknowledge(50);
    clients.stop();
    Verdict::at_next_hop(&clients.shared, &receiver).is_once(items.seed);
    assert_eq!(kansoku.stop().code, 0);
}
