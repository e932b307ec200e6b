//! A disk that is full, on a virtual clock: who asks is refused at once, what is there drains, and that makes the room in which it goes on by itself.

use super::{
    journalled::PLAIN,
    parts::{Told, Trial},
};
use crate::{intake::Refused, testing};
use journal::simulated::SimulatedDisk;
use signal::Time;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// The longest that a client may wait for a no.
const WITHIN: Duration = Duration::from_millis(100);
const CYCLES: usize = 20;

/// Sends until it is refused, and then some more. What was taken, and what refused in how long.
async fn until_full(trial: &Trial, cycle: usize, large: &str) -> (Vec<String>, Vec<(Refused, Duration)>) {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for number in 0..200 {
        let (text, began) = (format!("a{cycle:02} {number:03} {large}"), Instant::now());
        match trial.send(&[&text]).await {
            Ok(_) => taken.push(text),
            Err(why) => refused.push((why, began.elapsed())),
        }
        if refused.len() == 20 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    (taken, refused)
}

#[tokio::test(start_paused = true)]
async fn who_asks_is_refused_within_100_ms_and_what_is_there_drains_until_it_takes_again() {
    let disk = SimulatedDisk::new();
    let world = testing::world(Time(1_000_000_000_000), Arc::new(disk.clone()), 2);
    let trial = Trial::start_in(PLAIN, world).await;
    let (told, large) = (trial.world.pool.get::<Told>("out").unwrap(), "a".repeat(40_000));
    trial.send(&["a first"]).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    disk.set_capacity(Some(disk.used() + 3_000_000));
    let mut acknowledged = BTreeSet::from(["a first".to_owned()]);
    for cycle in 0..CYCLES {
        // In turns it does not answer, so that what waits for it wants to go to the full disk, too, and is slow.
        *told.dead.lock() = cycle % 2 == 0;
        *told.delay.lock() = Duration::from_secs(if cycle % 2 == 0 { 0 } else { 600 });
        let (taken, refused) = until_full(&trial, cycle, &large).await;
        assert_eq!(refused.len(), 20, "cycle {cycle}: {} were taken", taken.len());
        for (why, waited) in refused {
            assert!(matches!(why, Refused::Busy(_)), "cycle {cycle}: 429 and RESOURCE_EXHAUSTED, and not {why:?}");
            assert!(waited <= WITHIN, "cycle {cycle}: {waited:?}");
        }
        acknowledged.extend(taken);
        (*told.dead.lock(), *told.delay.lock()) = (false, Duration::ZERO);
        let began = Instant::now();
        let text = loop {
            let text = format!("a{cycle:02} again {}", began.elapsed().as_millis());
            if trial.send(&[&text]).await.is_ok() {
                break text;
            }
            sleep(Duration::from_millis(100)).await;
        };
        // A delivery under way takes its 30 s to be given up, and is tried again after up to as much.
        assert!(began.elapsed() < Duration::from_secs(75), "cycle {cycle}: {:?}", began.elapsed());
        acknowledged.insert(text);
        trial.running.status().ledger.balance().unwrap();
    }
    // What was under way when it was slow is given up and tried again.
    sleep(Duration::from_secs(75)).await;
    let drained = trial.drain().await;
    let seen: BTreeSet<String> = told.seen.lock().iter().cloned().collect();
    assert_eq!(acknowledged.difference(&seen).count(), 0, "acknowledged and not delivered");
    assert!(drained.unfinished.is_empty() && drained.ledger.lost() == 0, "{}", drained.ledger.sentence());
}
