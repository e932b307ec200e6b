//! A record that ends the process: real processes, which the test is itself, on a real disk. After the second time that it ended one while it was read again
//! it goes to the dead letters, and everything else gets through.
#![expect(clippy::disallowed_methods, reason = "the test runs itself, told by a variable what to do")]

use super::{
    journalled::PLAIN,
    letters::letters,
    parts::{Told, Trial},
};
use signal::Signal;
use std::{
    collections::BTreeSet,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Output},
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::sleep;

const FOLDER: &str = "KANSOKU_TEST_FOLDER";
const GRAPH: &str = "KANSOKU_TEST_GRAPH";
const SEND: &str = "KANSOKU_TEST_SEND";
const SIGABRT: i32 = 6;

/// Runs this very test in a process of its own, in which the variable is set.
fn run(test: &str, folder: &Path, graph: &str, send: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("tests::ended::{test}"), "--nocapture"]);
    command.env(FOLDER, folder).env(GRAPH, graph).env(SEND, send).output().unwrap()
}

/// One life: sends what it is told, and is over when everything has arrived, unless it ends before.
async fn live(folder: &Path) {
    let trial = Trial::start(&std::env::var(GRAPH).unwrap(), folder).await;
    for text in std::env::var(SEND).unwrap().split_whitespace() {
        trial.send(&[text]).await.unwrap();
    }
    let told = trial.world.pool.get::<Told>("out").unwrap();
    for _ in 0..1_000 {
        if told.seen.lock().len() >= 4 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let drained = trial.drain().await;
    let counts = &drained.ledger.node("in").unwrap().signals[&Signal::Logs];
    assert_eq!((counts.rejected["ended_process"], counts.held, drained.ledger.lost()), (1, 0, 0), "{counts:?}");
    let seen: BTreeSet<String> = told.seen.lock().iter().cloned().collect();
    assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), ["four", "one", "three", "two"]);
}

/// Sends five requests to a graph that holds them, then has this graph read them again.
fn ends(test: &str, graph: &str) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        return runtime.block_on(live(Path::new(&folder)));
    }
    let folder = TempDir::new().unwrap();
    let said = run(test, folder.path(), &holding(), "one two abort three four");
    assert_eq!(said.status.signal(), Some(SIGABRT), "as it came: {said:?}");
    for _ in 0..2 {
        let said = run(test, folder.path(), graph, "");
        assert_eq!(said.status.signal(), Some(SIGABRT), "as it was read again: {said:?}");
        assert!(letters(folder.path()).is_empty());
    }
    let said = run(test, folder.path(), graph, "");
    assert_eq!(said.status.code(), Some(0), "the third time it is passed: {said:?}");
    let found = letters(folder.path());
    let about = found[0].about.as_ref().unwrap();
    assert_eq!((found.len(), about.node.as_str(), about.reason.as_str(), found[0].records), (1, "in", "ended_process", [0, 1, 0]));
}

fn holding() -> String {
    PLAIN.replace(
        "kept: { type: keep, inputs: [in], with: a }",
        "held: { type: hold, inputs: [in], wait: 1s }\n  kept: { type: fragile, inputs: [held] }",
    )
}

#[test]
fn a_request_that_ends_the_process_twice_as_it_is_read_again_is_a_dead_letter() {
    let graph = PLAIN.replace("type: keep, inputs: [in], with: a", "type: fragile, inputs: [in]");
    ends("a_request_that_ends_the_process_twice_as_it_is_read_again_is_a_dead_letter", &graph);
}

#[test]
fn what_is_held_and_ends_the_process_when_it_goes_on_is_one_too() {
    ends("what_is_held_and_ends_the_process_when_it_goes_on_is_one_too", &holding());
}
