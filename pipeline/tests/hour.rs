//! An hour of the virtual clock beside a sink that is dead, or slow: the others go on as if it were not there.

use super::parts::{Told, Trial};
use crate::testing;
use journal::simulated::SimulatedDisk;
use signal::Time;
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;

const GRAPH: &str = "
journal: { path: journal, limit: 64MiB }
memory: 16MiB
sources: { in: feed }
sinks:
  weak: { type: probe, inputs: [in] }
  well: { type: probe, inputs: [in] }
";
/// Requests in an hour, one every two seconds.
const HOUR: u64 = 1_800;
/// A delivery to the sink that is well: it could take twice as many.
const DELIVERY: Duration = Duration::from_secs(1);

/// What the sink that is well has at the end of the hour. Then the other gets what it missed, in order.
async fn hour(weaken: impl FnOnce(&Told)) -> usize {
    let disk = SimulatedDisk::new();
    let world = testing::world(Time(1_000_000_000_000), Arc::new(disk), 2);
    let trial = Trial::start_in(GRAPH, world).await;
    let (weak, well) = (trial.world.pool.get::<Told>("weak").unwrap(), trial.world.pool.get::<Told>("well").unwrap());
    weaken(&weak);
    *well.delay.lock() = DELIVERY;
    let padding = "x".repeat(2_000);
    for number in 0..HOUR {
        trial.send(&[&format!("{number:04} {padding}")]).await.unwrap();
        sleep(Duration::from_secs(2)).await;
    }
    let delivered = well.seen.lock().len();
    let status = trial.running.status();
    status.ledger.balance().unwrap();
    assert!(status.memory.queues < 4 << 20, "{:?}", status.memory);
    assert!(status.journal.unwrap().bytes < 8 << 20, "it holds no journal");
    (*weak.dead.lock(), *weak.delay.lock()) = (false, Duration::ZERO);
    sleep(Duration::from_secs(120)).await;
    let numbers: Vec<String> = weak.seen.lock().iter().map(|text| text[..4].to_owned()).collect();
    assert_eq!(numbers, (0..HOUR).map(|number| format!("{number:04}")).collect::<Vec<_>>());
    assert_eq!(trial.drain().await.ledger.lost(), 0);
    delivered
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_dead_or_slow_for_an_hour_leaves_the_others_at_95_percent_of_their_rate() {
    let alone = hour(|_| {}).await;
    assert!(alone as u64 >= HOUR - 10, "{alone}");
    let beside_dead = hour(|weak| *weak.dead.lock() = true).await;
    // A tenth of the speed that it would need.
    let beside_slow = hour(|weak| *weak.delay.lock() = Duration::from_secs(10)).await;
    assert!(beside_dead * 100 >= alone * 95 && beside_slow * 100 >= alone * 95, "{alone} alone, {beside_dead}, {beside_slow}");
}
