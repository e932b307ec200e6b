//! The ledger under random flows: whatever is sent, refused, dropped, slow or fallen, every record is accounted for.

use super::parts::Trial;
use crate::{Refusal, Why};
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::sleep;

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<String>),
    Wait(u64),
    Dead(bool),
    Slow(u64),
    Answer(u8),
    Rest(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let word = prop_oneof![8 => "[abc]{1,6}", 1 => Just("poison".to_owned()), 1 => Just("panic".to_owned())];
    prop_oneof![
        6 => prop::collection::vec(word, 1..12).prop_map(Step::Send),
        3 => (0..5_000_u64).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Dead),
        1 => (0..200_u64).prop_map(Step::Slow),
        2 => (0..3_u8).prop_map(Step::Answer),
        1 => (0..4_usize).prop_map(Step::Rest),
    ]
}

fn yaml(on_full: &str, journal: bool) -> String {
    let journal = if journal { "journal: { path: journal, limit: 64MiB }" } else { "" };
    format!(
        "
{journal}
sources: {{ in: {{ type: feed, acknowledge: memory }} }}
processors:
  some: {{ type: keep, inputs: [in], with: a }}
  held: {{ type: hold, inputs: [some], wait: 2s }}
  risky: {{ type: fragile, inputs: [in] }}
sinks:
  one: {{ type: probe, inputs: [held, risky], on_full: {on_full} }}
  two: {{ type: probe, inputs: [in.logs] }}
"
    )
}

async fn play(steps: Vec<Step>, on_full: &str, journal: bool) {
    let folder = tempfile::tempdir().unwrap();
    let trial = Trial::start(&yaml(on_full, journal), folder.path()).await;
    *trial.told("one").poison.lock() = Some("poison".to_owned());
    for step in steps {
        match step {
            Step::Send(texts) => {
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                // Taken or refused: the ledger says which.
                let _answer = trial.begin(&texts, crate::Caller::Here).await;
            }
            Step::Wait(ms) => sleep(Duration::from_millis(ms)).await,
            Step::Dead(dead) => *trial.told("one").dead.lock() = dead,
            Step::Slow(ms) => *trial.told("two").delay.lock() = Duration::from_millis(ms),
            Step::Rest(times) => {
                *trial.told("one").rest.lock() = Some(("b".to_owned(), times));
                *trial.told("two").rest.lock() = Some(("c".to_owned(), times));
            }
            Step::Answer(which) => trial.told("two").answers.lock().push(match which {
                0 => Refusal::Later { after: None, why: Why("later".to_owned()) },
                1 => Refusal::Partly { records: 1, why: Why("partly".to_owned()) },
                _ => Refusal::TooLarge { max: None },
            }),
        }
        trial.running.status().ledger.balance().unwrap();
    }
    let seen = trial.world.pool.get::<super::parts::Told>("two").unwrap();
    let drained = trial.drain().await;
    let two = &drained.ledger.node("two").unwrap();
    let out: u64 = two.signals.values().map(|counts| counts.out + counts.rejected.values().sum::<u64>()).sum();
    assert!(out >= seen.seen.lock().len() as u64);
    for node in &drained.ledger.nodes {
        for counts in node.signals.values() {
            assert!(!counts.lost.contains_key("unaccounted"), "{node:?}");
            assert!(counts.held >= 0, "{node:?}");
        }
    }
    if !journal {
        assert!(drained.ledger.nodes.iter().flat_map(|node| node.signals.values()).all(|counts| counts.held == 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn every_record_is_accounted_for(steps in prop::collection::vec(step(), 1..40), on_full in prop::sample::select(&["drop", "block", "spill"]), journal in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(play(steps, on_full, journal || on_full == "spill"));
    }
}
