//! With a journal and a processor that panics: what it panicked at is given up after two tries, and everything else gets through.

use super::{journalled::PLAIN, parts::Trial};
use signal::Signal;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn a_request_at_which_the_lane_falls_twice_is_given_up_and_the_others_get_through() {
    let folder = TempDir::new().unwrap();
    let yaml = PLAIN.replace("type: keep, inputs: [in], with: a", "type: fragile, inputs: [in]");
    let trial = Trial::start(&yaml, folder.path()).await;
    for text in ["one", "panic", "two"] {
        trial.send(&[text]).await.unwrap();
    }
    sleep(Duration::from_secs(5)).await;
    let mut seen = trial.seen("out");
    seen.dedup();
    assert!(seen.contains(&"one".to_owned()) && seen.contains(&"two".to_owned()), "{seen:?}");
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.node("in").unwrap().signals[&Signal::Logs].lost["panicked"], 1);
    assert!(drained.unfinished.is_empty());

    let trial = Trial::start(&yaml, folder.path()).await;
    sleep(Duration::from_secs(1)).await;
    assert!(trial.seen("out").is_empty());
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_falls_when_something_held_goes_on_gives_that_up_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let holding = "held: { type: hold, inputs: [in], wait: 5s }\n  kept: { type: fragile, inputs: [held] }";
    let yaml = PLAIN.replace("kept: { type: keep, inputs: [in], with: a }", holding);
    let trial = Trial::start(&yaml, folder.path()).await;
    for text in ["one", "panic", "two"] {
        trial.send(&[text]).await.unwrap();
    }
    for n in 0..30 {
        sleep(Duration::from_secs(1)).await;
        trial.send(&[&format!("later {n}")]).await.unwrap();
    }
    sleep(Duration::from_secs(60)).await;
    let mut seen = trial.seen("out");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 32, "{seen:?}");
    let drained = trial.drain().await;
    assert!(drained.unfinished.is_empty(), "{:?}", drained.unfinished);
    assert_eq!(drained.ledger.lost(), 1);
}
