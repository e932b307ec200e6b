//! A sink that is slow or dead spills to disk and holds up nobody; what it missed it gets, in order, also after a restart.

use super::{
    journalled::kill,
    parts::{Trial, peer},
};
use crate::running::Left;
use signal::Signal;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::sleep;

pub(super) const TWO: &str = "
journal: { path: journal, limit: 64MiB }
memory: 16MiB
sources: { in: feed }
sinks:
  slow: { type: probe, inputs: [in] }
  live: { type: probe, inputs: [in] }
";

fn numbers(of: std::ops::Range<usize>) -> Vec<String> {
    of.map(|n| format!("{n:05}")).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_sink_does_not_take_is_settled_and_comes_when_it_is_back_in_order() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(TWO, folder.path()).await;
    *trial.told("slow").dead.lock() = true;
    for text in numbers(0..40) {
        trial.send(&[&text]).await.unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(6)).await;
    let status = trial.running.status();
    assert_eq!(status.journal.unwrap().unsettled, 0, "the journal waits for nobody");
    let spill = status.sinks[0].spill.as_ref().unwrap();
    assert!(spill.spilling && spill.bytes > 2_000 && spill.oldest_seconds > 40.0, "{spill:?}");
    assert_eq!(status.ledger.node("slow").unwrap().signals[&Signal::Logs].held, 40);
    assert_eq!(trial.seen("live"), numbers(0..40));
    *trial.told("slow").dead.lock() = false;
    sleep(Duration::from_secs(40)).await;
    assert_eq!(trial.seen("slow"), numbers(0..40));
    trial.send(&["00040"]).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(trial.seen("slow"), numbers(0..41));
    let spill = trial.running.status().sinks[0].spill.clone().unwrap();
    assert!(!spill.spilling && spill.oldest_seconds == 0.0, "{spill:?}");
    let drained = trial.drain().await;
    assert!(drained.unfinished.is_empty(), "{:?}", drained.unfinished);
    assert_eq!(drained.ledger.sentence(), "41 logs in; nothing was lost");
}

#[tokio::test(start_paused = true)]
async fn a_sink_is_told_that_nothing_comes_again_once_its_own_log_is_empty_too() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(TWO, folder.path()).await;
    let told = |name: &str| *trial.told(name).settled.lock();
    *trial.told("slow").dead.lock() = true;
    for text in numbers(0..40) {
        trial.send(&[&text]).await.unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    assert!(told("live") >= 20, "{}", told("live"));
    assert_eq!(told("slow"), 0, "the journal is settled, and what the sink has not had comes from its own log");
    *trial.told("slow").dead.lock() = false;
    sleep(Duration::from_secs(40)).await;
    trial.send(&["00040"]).await.unwrap();
    sleep(Duration::from_secs(15)).await;
    assert!(told("slow") >= 40, "{}", told("slow"));
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_lies_on_disk_is_delivered_after_a_restart_and_is_held_until_then() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(TWO, folder.path()).await;
    *trial.told("slow").dead.lock() = true;
    for text in numbers(0..20) {
        trial.send(&[&text]).await.unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(10)).await;
    kill(trial).await;

    let trial = Trial::start(TWO, folder.path()).await;
    *trial.told("slow").dead.lock() = true;
    sleep(Duration::from_secs(1)).await;
    let slow = trial.running.status().ledger.node("slow").unwrap().signals[&Signal::Logs].clone();
    assert_eq!((slow.taken, slow.held), (20, 20));
    trial.send(&["00020"]).await.unwrap();
    let drained = trial.drain().await;
    assert_eq!((drained.unfinished[0].node.as_str(), drained.unfinished[0].fate), ("slow", Left::Kept));
    assert_eq!(drained.unfinished[0].records[&Signal::Logs], 21);

    let trial = Trial::start(TWO, folder.path()).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(trial.seen("slow"), numbers(0..21));
    assert!(trial.seen("live").is_empty(), "it had them before");
    assert!(trial.drain().await.unfinished.is_empty());

    let trial = Trial::start(TWO, folder.path()).await;
    sleep(Duration::from_secs(1)).await;
    assert!(trial.seen("slow").is_empty(), "and not twice");
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_over_its_share_spills_before_its_time_and_its_memory_stays_bounded() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(TWO, folder.path()).await;
    *trial.told("slow").dead.lock() = true;
    let large = "x".repeat(200_000);
    for n in 0..100 {
        trial.send(&[&format!("{n:05}{large}")]).await.unwrap();
        sleep(Duration::from_millis(20)).await;
        let queues = trial.running.status().memory.queues;
        assert!(queues < 4 << 20, "{queues}");
    }
    assert_eq!(trial.seen("live").len(), 100, "nobody waited");
    *trial.told("slow").dead.lock() = false;
    sleep(Duration::from_secs(60)).await;
    let seen: Vec<String> = trial.seen("slow").iter().map(|text| text[..5].to_owned()).collect();
    assert_eq!(seen, numbers(0..100));
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_spill_log_blocks_and_nothing_is_lost() {
    let folder = TempDir::new().unwrap();
    let yaml = TWO.replace("slow: { type: probe,", "slow: { type: probe, delivery: { spill_limit: 4MiB },");
    let trial = Trial::start(&yaml, folder.path()).await;
    *trial.told("slow").dead.lock() = true;
    let large = "x".repeat(200_000);
    for n in 0..100 {
        trial.send(&[&format!("{n:05}{large}")]).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    sleep(Duration::from_secs(60)).await;
    let live = trial.seen("live").len();
    assert!((15..60).contains(&live), "{live}");
    *trial.told("slow").dead.lock() = false;
    sleep(Duration::from_secs(120)).await;
    for sink in ["slow", "live"] {
        let seen: Vec<String> = trial.seen(sink).iter().map(|text| text[..5].to_owned()).collect();
        assert_eq!(seen, numbers(0..100), "{sink}");
    }
    assert_eq!(trial.drain().await.ledger.lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_hangs_keeps_nobody_waiting_and_gets_what_it_took_once() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(TWO, folder.path()).await;
    *trial.told("slow").delay.lock() = Duration::from_secs(20);
    trial.begin(&["00000"], peer(1)).await.await.unwrap().unwrap();
    sleep(Duration::from_secs(7)).await;
    assert_eq!(trial.running.status().journal.unwrap().unsettled, 0);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(trial.seen("slow"), ["00000"]);
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_dead_for_an_hour_leaves_the_others_at_their_rate() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(TWO, folder.path()).await;
    *trial.told("slow").dead.lock() = true;
    let (mut latest, mut queues) = (0, 0);
    for n in 0..720 {
        trial.send(&[&format!("{n:05}{}", "x".repeat(10_000))]).await.unwrap();
        sleep(Duration::from_secs(5)).await;
        let status = trial.running.status();
        latest = latest.max(n + 1 - trial.seen("live").len());
        queues = queues.max(status.memory.queues);
    }
    assert_eq!(latest, 0, "the other one was never behind");
    assert!(queues < 2 << 20, "{queues}");
    *trial.told("slow").dead.lock() = false;
    sleep(Duration::from_secs(60)).await;
    let seen: Vec<String> = trial.seen("slow").iter().map(|text| text[..5].to_owned()).collect();
    assert_eq!(seen, numbers(0..720));
    assert_eq!(trial.drain().await.ledger.sentence(), "720 logs in; nothing was lost");
}
