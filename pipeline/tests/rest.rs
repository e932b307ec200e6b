//! A sink of several targets, one of which does not take its part: only that part is sent again.

use super::parts::Trial;
use crate::{Caller, Refusal, Why};
use signal::Signal;
use std::{path::Path, time::Duration};
use tokio::time::sleep;

const DIRECT: &str = "
sources: { in: feed }
sinks:
  out: { type: probe, inputs: [in] }
";

#[tokio::test(start_paused = true)]
async fn the_rest_alone_is_sent_again_and_the_yes_waits_for_it() {
    let trial = Trial::start(DIRECT, Path::new("/")).await;
    let later = Refusal::Later { after: Some(Duration::from_secs(5)), why: Why("later".to_owned()) };
    *trial.told("out").rest.lock() = Some(("b".to_owned(), 1));
    let mut answer = trial.begin(&["a1", "b1", "a2"], Caller::Here).await;
    while trial.seen("out").is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
    trial.told("out").answers.lock().push(later);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(trial.seen("out"), ["a1", "a2"]);
    assert!(answer.try_recv().is_err(), "not all of it is delivered");
    let counts = trial.running.status().ledger.node("out").unwrap().signals[&Signal::Logs].clone();
    assert_eq!((counts.out, counts.held), (2, 1));
    answer.await.unwrap().unwrap();
    assert_eq!(trial.seen("out"), ["a1", "a2", "b1"], "nothing of it twice");
    assert_eq!(trial.drain().await.ledger.node("out").unwrap().signals[&Signal::Logs].out, 3);
}

#[tokio::test(start_paused = true)]
async fn the_culprit_is_looked_for_in_the_rest_alone() {
    let trial = Trial::start(DIRECT, Path::new("/")).await;
    *trial.told("out").rest.lock() = Some(("b".to_owned(), 1));
    *trial.told("out").poison.lock() = Some("b2".to_owned());
    let accepted = trial.send(&["a1", "b1", "b2", "a2", "b3"]).await.unwrap();
    assert!(accepted.note.unwrap().contains("refused part of it for good"));
    assert_eq!(trial.seen("out"), ["a1", "a2", "b1", "b3"]);
    let counts = trial.drain().await.ledger.node("out").unwrap().signals[&Signal::Logs].clone();
    assert_eq!((counts.out, counts.rejected["refused"]), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn the_rest_goes_to_disk_alone_once_it_has_waited() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = DIRECT.replace("in: feed", "in: { type: feed, acknowledge: durable }") + "journal: { path: journal, limit: 64MiB }\n";
    let trial = Trial::start(&yaml, folder.path()).await;
    *trial.told("out").rest.lock() = Some(("b".to_owned(), 1));
    trial.send(&["a1", "b1", "a2"]).await.unwrap();
    while trial.seen("out").is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
    *trial.told("out").dead.lock() = true;
    while trial.running.status().sinks[0].spill.as_ref().is_none_or(|spill| spill.bytes == 0) {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(trial.running.status().journal.unwrap().unsettled, 0, "the disk has it");
    *trial.told("out").dead.lock() = false;
    while trial.seen("out").len() < 3 {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(trial.seen("out"), ["a1", "a2", "b1"]);
    assert_eq!(trial.drain().await.ledger.node("out").unwrap().signals[&Signal::Logs].out, 3);
}
