//! Without a journal: backpressure, refusals, drains, panics.

use super::parts::{Trial, peer};
use crate::{Refusal, Why, intake, running::Left};
use signal::Signal;
use std::{path::Path, time::Duration};
use tokio::time::{sleep, timeout};

const PLAIN: &str = "
sources: { in: feed }
processors:
  kept: { type: keep, inputs: [in], with: a }
sinks:
  out: { type: probe, inputs: [kept] }
";

const TWO: &str = "
memory: 16MiB
sources: { in: { type: feed, acknowledge: memory } }
sinks:
  slow: { type: probe, inputs: [in] }
  fast: { type: probe, inputs: [in] }
";

fn here() -> &'static Path {
    Path::new("/")
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_arrives_and_the_rest_is_counted() {
    let trial = Trial::start(PLAIN, here()).await;
    let accepted = trial.send(&["a1", "b1", "a2"]).await.unwrap();
    assert_eq!(accepted.records, 3);
    assert_eq!(trial.seen("out"), ["a1", "a2"], "the yes came after the sink's");
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.sentence(), "3 logs in; 1 discarded on purpose; nothing was lost");
    assert_eq!(drained.ledger.node("out").unwrap().signals[&Signal::Logs].out, 2);
    assert!(drained.unfinished.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_refused_and_counted() {
    let trial = Trial::start(PLAIN, here()).await;
    let bad = trial.running.view();
    let (answer, answered) = tokio::sync::oneshot::channel();
    trial.feed("in").send((Signal::Logs, bytes::Bytes::from_static(b"\xff\xff"), peer(1), answer)).await.unwrap();
    assert!(matches!(answered.await.unwrap(), Err(intake::Refused::Malformed(_))));
    assert_eq!(bad.status().ledger.node("in").unwrap().signals[&Signal::Logs].rejected["malformed"], 1);
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_does_not_slow_another_while_its_queue_has_room() {
    let trial = Trial::start(TWO, here()).await;
    *trial.told("slow").delay.lock() = Duration::from_secs(10);
    for n in 0..20 {
        trial.send(&[&format!("n{n}")]).await.unwrap();
    }
    sleep(Duration::from_secs(1)).await;
    assert_eq!((trial.seen("fast").len(), trial.seen("slow").len()), (20, 0));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(trial.seen("slow").len(), 20);
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_the_source_wait() {
    let trial = Trial::start(TWO, here()).await;
    *trial.told("slow").dead.lock() = true;
    let large = "x".repeat(400_000);
    let mut answers = Vec::new();
    for n in 0..100 {
        answers.push(trial.begin(&[&format!("{n}{large}")], peer(n)).await);
    }
    sleep(Duration::from_secs(1)).await;
    let arrived = trial.seen("fast").len();
    assert!(arrived < 20, "{arrived} of 100 went on though a queue of 1.6 MB was full");
    let refused =
        futures::future::join_all(answers).await.into_iter().filter(|answer| matches!(answer, Ok(Err(intake::Refused::Busy(_))))).count();
    assert!(refused > 0, "the rest was told to come back");
    let told = format!(r#"kansoku_refused_requests_total{{node="in",kind="source",signal="logs",reason="memory"}} {refused}"#);
    assert!(trial.running.metrics().contains(&told), "{}", trial.running.metrics());
    *trial.told("slow").dead.lock() = false;
    let drained = trial.drain().await;
    assert!(drained.unfinished.is_empty(), "{:?}", drained.unfinished);
    assert_eq!(drained.ledger.lost(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_edge_that_may_drop_counts_what_it_dropped_and_holds_nobody_up() {
    let yaml = TWO.replace("slow: { type: probe,", "slow: { type: probe, on_full: drop,");
    let trial = Trial::start(&yaml, here()).await;
    *trial.told("slow").dead.lock() = true;
    let large = "x".repeat(400_000);
    for n in 0..20 {
        trial.send(&[&format!("{n}{large}")]).await.unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(trial.seen("fast").len(), 20);
    let drained = trial.drain().await;
    let lost = &drained.ledger.node("slow").unwrap().signals[&Signal::Logs].lost;
    assert_eq!(lost["queue_full"] + lost["drain_ended"], 20);
}

#[tokio::test(start_paused = true)]
async fn the_culprit_is_found_and_the_others_are_delivered() {
    let trial = Trial::start(PLAIN, here()).await;
    *trial.told("out").poison.lock() = Some("a13".to_owned());
    let texts: Vec<String> = (10..42).map(|n| format!("a{n}")).collect();
    let answers = futures::future::join_all(texts.chunks(4).map(|four| async {
        let four: Vec<&str> = four.iter().map(String::as_str).collect();
        trial.send(&four).await
    }));
    let noted = answers.await.into_iter().filter(|answer| answer.as_ref().unwrap().note.is_some()).count();
    assert_eq!(noted, 1, "only its own client hears that a sink refused a part");
    let mut seen = trial.seen("out");
    seen.sort();
    assert_eq!(seen, texts.iter().filter(|text| *text != "a13").cloned().collect::<Vec<_>>());
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.node("out").unwrap().signals[&Signal::Logs].rejected["refused"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_parcel_that_is_too_large_is_halved_and_the_limit_remembered() {
    let yaml = PLAIN.replace("in: feed", "in: { type: feed, acknowledge: memory }");
    let trial = Trial::start(&yaml, here()).await;
    trial.told("out").answers.lock().push(Refusal::TooLarge { max: Some(10_000) });
    let large = "a".repeat(3_000);
    for _ in 0..2 {
        trial.send(&[&large, &large, &large, &large, &large, &large]).await.unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(trial.seen("out").len(), 12);
    assert!(trial.told("out").parcels.lock()[..2].iter().all(|bytes| *bytes <= 10_000), "{:?}", trial.told("out").parcels);
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_partly_refused_is_neither_sent_again_nor_lost() {
    let trial = Trial::start(PLAIN, here()).await;
    trial.told("out").answers.lock().push(Refusal::Partly { records: 1, why: Why("one is too old".to_owned()) });
    trial.send(&["a1", "a2"]).await.unwrap();
    assert!(trial.seen("out").is_empty());
    let status = trial.running.status();
    assert_eq!(status.sinks[0].health.last_error.as_deref(), Some("one is too old"));
    let drained = trial.drain().await;
    let counts = &drained.ledger.node("out").unwrap().signals[&Signal::Logs];
    assert_eq!((counts.out, counts.rejected["refused"]), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_servers_time_is_honoured() {
    let trial = Trial::start(PLAIN, here()).await;
    trial.told("out").answers.lock().push(Refusal::Later { after: Some(Duration::from_secs(5)), why: Why("busy".to_owned()) });
    let answer = trial.begin(&["a1"], peer(1)).await;
    sleep(Duration::from_millis(4_900)).await;
    assert!(trial.seen("out").is_empty());
    assert!(timeout(Duration::from_secs(1), answer).await.unwrap().unwrap().is_ok());
    trial.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_is_told_to_come_back_when_a_sink_does_not_answer_in_time() {
    let trial = Trial::start(PLAIN, here()).await;
    *trial.told("out").dead.lock() = true;
    assert!(matches!(trial.send(&["a1"]).await, Err(intake::Refused::Unavailable { .. })));
    let drained = trial.drain().await;
    assert_eq!(drained.unfinished[0].fate, Left::Lost);
    assert_eq!(drained.ledger.node("out").unwrap().signals[&Signal::Logs].lost["drain_ended"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_lane_outlives_its_sources() {
    let trial = Trial::start(PLAIN, here()).await;
    trial.send(&["a1"]).await.unwrap();
    trial.end_feeds();
    sleep(Duration::from_secs(5)).await;
    assert!(trial.drain().await.unfinished.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_the_lanes_parts_and_not_the_process() {
    let yaml = PLAIN.replace("type: keep, inputs: [in], with: a", "type: fragile, inputs: [in]");
    let trial = Trial::start(&yaml, here()).await;
    let failed = trial.send(&["panic"]).await;
    assert!(matches!(failed, Err(intake::Refused::Unavailable { .. })), "its client is not told yes: {failed:?}");
    trial.send(&["fine"]).await.unwrap();
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.node("kept").unwrap().signals[&Signal::Logs].lost["panicked"], 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_processor_lets_vanish_is_unaccounted() {
    let yaml = PLAIN.replace("type: keep, inputs: [in], with: a", "type: fragile, inputs: [in]");
    let trial = Trial::start(&yaml, here()).await;
    trial.send(&["vanish", "b"]).await.unwrap();
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.node("kept").unwrap().signals[&Signal::Logs].lost["unaccounted"], 2);
}

#[tokio::test(start_paused = true)]
async fn timers_fire_on_time_and_a_drain_closes_what_is_held() {
    let yaml = PLAIN.replace("type: keep, inputs: [in], with: a", "type: hold, inputs: [in], wait: 2s");
    let trial = Trial::start(&yaml, here()).await;
    trial.send(&["first"]).await.unwrap();
    sleep(Duration::from_millis(1_900)).await;
    assert!(trial.seen("out").is_empty());
    assert!(trial.running.status().memory.window > 0);
    sleep(Duration::from_millis(200)).await;
    assert_eq!(trial.seen("out"), ["first"]);
    trial.send(&["second"]).await.unwrap();
    let told = trial.world.pool.get::<super::parts::Told>("out").unwrap();
    let drained = trial.drain().await;
    assert_eq!(*told.seen.lock(), ["first", "second"]);
    assert!(drained.unfinished.is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_output_goes_to_its_reader_and_what_nobody_reads_is_counted() {
    let yaml = "
sources: { in: feed }
processors:
  by: { type: split, inputs: [in] }
sinks:
  odd: { type: probe, inputs: [by.odd] }
";
    let trial = Trial::start(yaml, here()).await;
    trial.send(&["abc"]).await.unwrap();
    trial.send(&["ab"]).await.unwrap();
    assert_eq!(trial.seen("odd"), ["abc"]);
    let drained = trial.drain().await;
    assert_eq!(drained.ledger.node("by").unwrap().signals[&Signal::Logs].discarded["no_reader"], 1);
}

#[tokio::test(start_paused = true)]
async fn metrics_say_what_the_ledger_says() {
    let trial = Trial::start(PLAIN, here()).await;
    trial.send(&["a1", "b1"]).await.unwrap();
    let text = trial.running.metrics();
    assert!(text.contains(r#"kansoku_in_total{node="in",kind="source",signal="logs"} 2"#), "{text}");
    assert!(text.contains(r#"kansoku_discarded_total{node="kept",kind="processor",signal="logs",reason="filtered"} 1"#), "{text}");
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not explained");
    }
    assert!(trial.running.ready().is_ok());
    trial.drain().await;
}
