//! With a journal on a real disk: what was acknowledged survives, what was settled does not come again.

use super::parts::{Told, Trial, peer, world};
use crate::{Refusal, Why, World, intake::Refused, running::Left};
use parking_lot::Mutex;
use signal::{Signal, Time};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::time::sleep;

pub(super) const PLAIN: &str = "
journal: { path: journal, limit: 256MiB }
memory: 16MiB
sources: { in: feed }
processors:
  kept: { type: keep, inputs: [in], with: a }
sinks:
  out: { type: probe, inputs: [kept] }
";

fn holding() -> String {
    PLAIN.replace("type: keep, inputs: [in], with: a", "type: hold, inputs: [in], wait: 10s")
}

/// Ends a pipeline as kill -9 would: nothing is told to anybody.
pub(super) async fn kill(trial: Trial) {
    drop(trial);
    // The tasks are cut off at their next turn, and the journal's directory is free again.
    sleep(Duration::from_millis(100)).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_survives_and_what_was_settled_does_not_come_again() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(PLAIN, folder.path()).await;
    trial.send(&["a1", "b1"]).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(trial.seen("out"), ["a1"]);
    *trial.told("out").dead.lock() = true;
    for text in ["a2", "a3", "a4"] {
        trial.send(&[text]).await.unwrap();
    }
    sleep(Duration::from_secs(5)).await;
    kill(trial).await;

    let trial = Trial::start(PLAIN, folder.path()).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(trial.seen("out"), ["a2", "a3", "a4"]);
    trial.send(&["a5"]).await.unwrap();
    let told = trial.world.pool.get::<Told>("out").unwrap();
    let drained = trial.drain().await;
    assert_eq!(told.seen.lock().last().unwrap(), "a5");
    assert_eq!(drained.ledger.sentence(), "4 logs in; nothing was lost");

    let trial = Trial::start(PLAIN, folder.path()).await;
    sleep(Duration::from_secs(1)).await;
    assert!(trial.seen("out").is_empty());
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_with_a_dead_sink_keeps_everything_for_the_next_start() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(PLAIN, folder.path()).await;
    *trial.told("out").dead.lock() = true;
    trial.send(&["a1", "a2"]).await.unwrap();
    let drained = trial.drain().await;
    assert_eq!((drained.unfinished[0].node.as_str(), drained.unfinished[0].fate), ("out", Left::Kept));
    assert_eq!(drained.unfinished[0].records[&Signal::Logs], 2);
    assert_eq!(drained.ledger.lost(), 0);

    let trial = Trial::start(PLAIN, folder.path()).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(trial.seen("out"), ["a1", "a2"]);
    assert!(trial.drain().await.unfinished.is_empty());
}

#[tokio::test(start_paused = true)]
async fn overload_becomes_lag_and_is_read_back_from_disk_in_order() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(&PLAIN.replace("inputs: [kept]", "inputs: [kept], on_full: block"), folder.path()).await;
    *trial.told("out").dead.lock() = true;
    let large = "a".repeat(300_000);
    for n in 0..80 {
        trial.send(&[&format!("{n:03}{large}")]).await.unwrap();
    }
    let status = trial.running.status();
    let journal = status.journal.unwrap();
    assert!(journal.unread > 40, "{journal:?}");
    assert!(status.memory.intake + status.memory.queues < 8 << 20, "{:?}", status.memory);
    *trial.told("out").dead.lock() = false;
    sleep(Duration::from_secs(120)).await;
    let seen: Vec<String> = trial.seen("out").iter().map(|text| text[..3].to_owned()).collect();
    assert_eq!(seen, (0..80).map(|n| format!("{n:03}")).collect::<Vec<_>>());
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.sentence(), "80 logs in; nothing was lost");
}

#[tokio::test(start_paused = true)]
async fn a_replay_follows_the_decisions_made_before() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(&holding(), folder.path()).await;
    trial.send(&["decided"]).await.unwrap();
    *trial.told("out").dead.lock() = true;
    sleep(Duration::from_secs(11)).await;
    trial.send(&["open"]).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    kill(trial).await;

    let trial = Trial::start(&holding(), folder.path()).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(trial.seen("out"), ["decided"], "passed at once, not held again");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(trial.seen("out"), ["decided", "open"]);
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_discarded_settles_only_when_the_decision_is_on_disk() {
    let folder = TempDir::new().unwrap();
    let yaml = holding().replace("wait: 10s", "wait: 10s, discard: true");
    let (real, gate) = (world(folder.path(), Time(0)), Arc::new(Mutex::new(None::<Vec<Box<dyn FnOnce() + Send>>>)));
    let (blocking, held_back) = (real.blocking.clone(), Arc::clone(&gate));
    let gated: journal::Blocking = Arc::new(move |work| match held_back.lock().as_mut() {
        Some(waiting) => waiting.push(work),
        None => blocking(work),
    });
    let trial = Trial::start_in(&yaml, World { blocking: gated, ..real }).await;
    trial.send(&["a1"]).await.unwrap();
    *gate.lock() = Some(Vec::new());
    sleep(Duration::from_secs(11)).await;
    let unsettled = || trial.running.status().journal.unwrap().unsettled;
    assert_eq!(unsettled(), 1);
    let waiting = gate.lock().take().unwrap();
    waiting.into_iter().for_each(|work| work());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(unsettled(), 0);
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn downtime_does_not_count() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start_in(&holding(), world(folder.path(), Time(1_000_000_000_000))).await;
    trial.send(&["first"]).await.unwrap();
    sleep(Duration::from_secs(6)).await;
    trial.send(&["second"]).await.unwrap();
    kill(trial).await;

    // Started again an hour later, twice.
    for hour in [1, 2] {
        let now = Time(1_000_000_000_000).plus(Duration::from_secs(3600 * hour));
        let trial = Trial::start_in(&holding(), world(folder.path(), now)).await;
        sleep(Duration::from_millis(3_500)).await;
        assert!(trial.seen("out").is_empty(), "hour {hour}: {:?}", trial.seen("out"));
        if hour == 2 {
            sleep(Duration::from_secs(1)).await;
            assert_eq!(trial.seen("out"), ["first"]);
            sleep(Duration::from_secs(6)).await;
            assert_eq!(trial.seen("out"), ["first", "second"]);
            trial.drain().await;
        } else {
            kill(trial).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_journal_refuses_and_recovers() {
    let folder = TempDir::new().unwrap();
    let yaml = PLAIN.replace("256MiB", "8MiB");
    let trial = Trial::start(&yaml, folder.path()).await;
    *trial.told("out").dead.lock() = true;
    let large = "a".repeat(300_000);
    let mut taken = 0;
    while trial.send(&[&format!("{taken:03}{large}")]).await.is_ok() {
        taken += 1;
        assert!(taken < 100, "8 MiB do not hold 30 MB");
    }
    *trial.told("out").dead.lock() = false;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(trial.seen("out").len(), taken);
    trial.send(&[&format!("{taken:03}{large}")]).await.unwrap();
    let drained = trial.drain().await;
    assert!(drained.unfinished.is_empty() && drained.ledger.lost() == 0);
}

#[tokio::test(start_paused = true)]
async fn delivered_is_answered_only_after_the_sink_even_with_a_journal() {
    let folder = TempDir::new().unwrap();
    let yaml = PLAIN.replace("in: feed", "in: { type: feed, acknowledge: delivered }");
    let trial = Trial::start(&yaml, folder.path()).await;
    let later = Refusal::Later { after: Some(Duration::from_secs(3)), why: Why("busy".to_owned()) };
    trial.told("out").answers.lock().push(later);
    let mut answer = trial.begin(&["a1"], peer(1)).await;
    sleep(Duration::from_secs(2)).await;
    assert!(answer.try_recv().is_err());
    answer.await.unwrap().unwrap();
    assert_eq!(trial.seen("out"), ["a1"]);
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_not_new_data_to_the_next_process_either() {
    let folder = TempDir::new().unwrap();
    for acknowledge in ["durable", "delivered"] {
        let yaml = PLAIN.replace("in: feed", &format!("in: {{ type: feed, acknowledge: {acknowledge} }}"));
        let trial = Trial::start(&yaml, folder.path()).await;
        *trial.told("out").dead.lock() = true;
        let text = format!("a {acknowledge}");
        let unheard = trial.begin(&[&text], peer(1)).await;
        sleep(Duration::from_secs(1)).await;
        drop(unheard);
        kill(trial).await;

        let trial = Trial::start(&yaml, folder.path()).await;
        *trial.told("out").delay.lock() = Duration::from_secs(2);
        let early = trial.begin(&[&text], peer(2)).await.await.unwrap();
        assert_eq!(early.is_ok(), acknowledge == "durable", "{early:?}");
        sleep(Duration::from_secs(5)).await;
        assert!(trial.begin(&[&text], peer(3)).await.await.unwrap().is_ok());
        sleep(Duration::from_secs(5)).await;
        assert_eq!(trial.seen("out"), [text]);
        trial.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_of_what_is_on_its_way_to_a_sink_is_told_so_however_often_it_comes() {
    let folder = TempDir::new().unwrap();
    let yaml = PLAIN.replace("in: feed", "in: { type: feed, acknowledge: delivered }");
    let trial = Trial::start(&yaml, folder.path()).await;
    *trial.told("out").delay.lock() = Duration::from_secs(5);
    let first = trial.begin(&["a1"], peer(1)).await;
    sleep(Duration::from_secs(1)).await;
    for port in [2, 3, 4] {
        let answer = trial.begin(&["a1"], peer(port)).await.await.unwrap();
        assert!(matches!(answer, Err(Refused::Unavailable { .. })), "{answer:?}");
    }
    assert!(first.await.unwrap().is_ok());
    for port in [5, 6, 7] {
        assert!(trial.begin(&["a1"], peer(port)).await.await.unwrap().is_ok());
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!(trial.seen("out"), ["a1"]);
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_journal_refuses_also_whoever_waits_for_delivery() {
    let folder = TempDir::new().unwrap();
    let yaml = PLAIN.replace("256MiB", "1MiB").replace("in: feed", "in: { type: feed, acknowledge: delivered }");
    let trial = Trial::start(&yaml, folder.path()).await;
    *trial.told("out").dead.lock() = true;
    let large = "a".repeat(100_000);
    let mut waiting = Vec::new();
    for n in 0..12 {
        waiting.push(trial.begin(&[&format!("{n:03}{large}")], peer(1)).await);
    }
    let mut refused = 0;
    for answer in waiting {
        refused += usize::from(matches!(answer.await.unwrap(), Err(Refused::Busy(_))));
    }
    assert!((1..=4).contains(&refused), "{refused}");
    *trial.told("out").dead.lock() = false;
    let drained = trial.drain().await;
    assert!(drained.unfinished.is_empty());
    let counts = &drained.ledger.node("in").unwrap().signals[&Signal::Logs];
    let sum = counts.refused["journal_full"];
    assert_eq!((sum.requests, counts.taken), (refused as u64, 12 - refused as u64), "what was refused did not come in");
    assert!((100_000..110_000).contains(&(sum.bytes / sum.requests)), "{sum:?}");
    assert_eq!((drained.ledger.balance(), drained.ledger.lost()), (Ok(()), 0));
}

#[tokio::test(start_paused = true)]
async fn sinks_are_told_what_is_settled_for_good_and_no_more() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(&PLAIN.replace("inputs: [kept]", "inputs: [kept], on_full: block"), folder.path()).await;
    for text in ["a1", "a2", "b3"] {
        trial.send(&[text]).await.unwrap();
    }
    sleep(Duration::from_secs(12)).await;
    let told = *trial.told("out").settled.lock();
    assert!(told >= 3, "{told}");
    *trial.told("out").dead.lock() = true;
    for text in ["a4", "a5"] {
        trial.send(&[text]).await.unwrap();
    }
    sleep(Duration::from_secs(30)).await;
    assert_eq!(*trial.told("out").settled.lock(), told);
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_opened_is_one_clear_fault() {
    let folder = TempDir::new().unwrap();
    let first = Trial::start(PLAIN, folder.path()).await;
    let (plan, _) = super::parts::plan(PLAIN);
    let world = world(folder.path(), Time(0));
    let _told: Arc<Told> = world.pool.get_or::<Told, ()>("out", || Ok(Arc::default())).unwrap();
    let faults = plan.assemble(&world).unwrap_or_else(|faults| panic!("{faults:?}")).start().await.err().unwrap();
    assert!(faults[0].what.contains("in use"), "{faults:?}");
    first.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_not_new_data() {
    let folder = TempDir::new().unwrap();
    let trial = Trial::start(PLAIN, folder.path()).await;
    for port in [1, 2, 3] {
        assert!(trial.begin(&["a1"], peer(port)).await.await.unwrap().is_ok());
    }
    sleep(Duration::from_secs(61)).await;
    assert_eq!(trial.seen("out"), ["a1"]);
    assert!(trial.begin(&["a1"], peer(4)).await.await.unwrap().is_ok());
    sleep(Duration::from_secs(1)).await;
    assert_eq!(trial.seen("out").len(), 2, "after a minute it is");
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.node("in").unwrap().signals[&Signal::Logs].discarded["repeat"], 2);
}
