//! The oracle of the whole hop, all of it real: clients → a gateway → a Kafka broker → consumers that correlate, sample and store → a next hop. Gateway, broker and
//! consumers are killed -9, consumers are paused and a third one comes and goes under load, and then each record is accounted for.
//!
//! `RECORDS=1000000 KILLS=8 REBALANCES=20 cargo test --test hop -- --nocapture` is the full form: so many records, kills of each of the three (and half as many
//! pauses), and turns of the third consumer. Every run prints its seed; `ORACLE_SEED=N` repeats its choices (what the machine's scheduler adds is its own).
#![cfg(feature = "kafka")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "seeds and verdicts are for whoever runs it")]
#![expect(clippy::disallowed_methods, reason = "a test looks at the real clock and the environment from outside")]

#[path = "hop/clients.rs"]
mod clients;
#[path = "hop/committed.rs"]
mod committed;
#[path = "hop/disturbed.rs"]
mod disturbed;
#[path = "hop/fleet.rs"]
mod fleet;
#[path = "oracle/items.rs"]
#[expect(dead_code, clippy::print_stderr, reason = "only its chance is used here")]
mod items;
#[path = "hop/judge.rs"]
mod judge;
#[path = "hop/next_hop.rs"]
mod next_hop;
#[path = "hop/seen.rs"]
mod seen;
#[path = "hop/traces.rs"]
mod traces;

/// Of the topic, and of the topic of decisions.
const PARTITIONS: i32 = 4;

/// What a run is told by the environment, else this.
fn told(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

/// Waits as long as something moves: two minutes without any change fail.
fn until(what: &str, mut done: impl FnMut() -> bool, mut moves: impl FnMut() -> String) {
    let (mut last, mut since) = (moves(), std::time::Instant::now());
    while !done() {
        let now = moves();
        if now != last {
            (last, since) = (now, std::time::Instant::now());
        }
        assert!(since.elapsed() < std::time::Duration::from_secs(120), "nothing moves any more, and not yet: {what}; it is at {last}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
