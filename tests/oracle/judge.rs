//! Says of every item what became of it.

use crate::{
    clients::Shared,
    items::Items,
    receiver::{Arrived, Receiver},
};
use kit::Kansoku;
use std::{
    collections::{BTreeSet, HashMap},
    thread,
    time::{Duration, Instant},
};

/// How long what was acknowledged may take to arrive once nothing is in its way.
const WITHIN: Duration = Duration::from_secs(60);
/// Items that a complaint names.
const NAMED_MAX: usize = 8;

/// What became of the items of a run.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Items that were acknowledged.
    pub(crate) acknowledged: usize,
    /// Of those, the ones that did not arrive.
    pub(crate) lost: Vec<u64>,
    /// Items that arrived and were never offered.
    pub(crate) invented: Vec<u64>,
    /// Items that are not what they should be.
    pub(crate) changed: Vec<String>,
    /// Items that arrived more than once.
    pub(crate) repeated: Vec<u64>,
    /// Of those, the ones whose client had sent them more than once.
    pub(crate) sent_again: usize,
}

impl Verdict {
    /// By what arrived.
    pub(crate) fn of(items: &Items, acknowledged: &BTreeSet<u64>, offered: u64, arrived: Arrived) -> Verdict {
        let wanted: Vec<u64> = acknowledged.iter().flat_map(|block| items.numbers(*block)).collect();
        let is_offered = |number: u64| {
            let block = Items::block(number);
            block < offered && items.numbers(block).contains(&number)
        };
        let numbers = |wanted: &dyn Fn(u64, u32) -> bool| -> Vec<u64> {
            arrived.times.iter().filter(|(number, times)| wanted(**number, **times)).map(|(number, _)| *number).collect()
        };
        Verdict {
            acknowledged: wanted.len(),
            invented: numbers(&|number, _| !is_offered(number)),
            repeated: numbers(&|_, times| times > 1),
            lost: wanted.into_iter().filter(|number| !arrived.times.contains_key(number)).collect(),
            changed: arrived.changed,
            sent_again: 0,
        }
    }

    /// Waits until everything that was acknowledged is at the receiver, then judges.
    pub(crate) fn at_next_hop(shared: &Shared, receiver: &Receiver) -> Verdict {
        Verdict::once_complete(shared, || receiver.arrived())
    }

    /// The same for a store that is asked through the query API. Asks by service, so that no answer is cut off.
    pub(crate) fn in_store(shared: &Shared, kansoku: &Kansoku) -> Verdict {
        Verdict::once_complete(shared, || stored(shared, kansoku))
    }

    fn once_complete(shared: &Shared, mut look: impl FnMut() -> Arrived) -> Verdict {
        let (acknowledged, offered) = (shared.acknowledged(), shared.offered());
        let end = Instant::now() + WITHIN;
        loop {
            let verdict = Verdict::of(&shared.items, &acknowledged, offered, look());
            if verdict.lost.is_empty() || Instant::now() > end {
                let again = shared.again();
                let sent_again = verdict.repeated.iter().filter(|number| again.contains(&Items::block(**number))).count();
                return Verdict { sent_again, ..verdict };
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Nothing lost, invented or changed; repeats are of no account.
    pub(crate) fn is_at_least_once(&self, seed: u64) {
        let Verdict { acknowledged, lost, invented, changed, repeated, sent_again } = self;
        println!(
            "seed {seed}: {acknowledged} items acknowledged, {} lost, {} repeated, {sent_again} of them sent again",
            lost.len(),
            repeated.len()
        );
        assert!(*acknowledged > 0, "nothing was acknowledged");
        assert!(lost.is_empty(), "seed {seed}: lost {} of {acknowledged}: {:?}…", lost.len(), first(lost));
        assert!(invented.is_empty(), "seed {seed}: invented {:?}…", first(invented));
        assert!(changed.is_empty(), "seed {seed}: changed {:?}…", first(changed));
    }

    /// And nothing twice.
    pub(crate) fn is_once(&self, seed: u64) {
        self.is_at_least_once(seed);
        let (count, some) = (self.repeated.len(), first(&self.repeated));
        assert!(count == 0, "seed {seed}: {count} are there more than once ({} were sent again): {some:?}…", self.sent_again);
    }
}

fn first<T>(all: &[T]) -> &[T] {
    all.get(..NAMED_MAX).unwrap_or(all)
}

/// Logs by their text, spans by what their traces say of them.
fn stored(shared: &Shared, kansoku: &Kansoku) -> Arrived {
    let mut arrived = Arrived::default();
    let mut spans: HashMap<String, (u64, u64)> = HashMap::new();
    let offered = shared.offered();
    for block in (0..offered).filter(|block| Items::is_spans(*block)) {
        let first = shared.items.numbers(block).start;
        spans.extend(shared.items.traces(block).enumerate().map(|(at, (id, count))| (id, (first + 4 * at as u64, count))));
    }
    for service in Items::services(offered) {
        for line in asked(kansoku, "logs", &service) {
            let body = line["message"].as_str().unwrap();
            match Items::number_in(body) {
                Some(number) if shared.items.body(number) == body => *arrived.times.entry(number).or_default() += 1,
                _ => arrived.changed.push(body.to_owned()),
            }
        }
        for trace in asked(kansoku, "traces", &service) {
            let Some((first, count)) = trace["trace_id"].as_str().and_then(|id| spans.get(id)) else {
                arrived.changed.push(format!("a trace that nobody sent: {trace}"));
                continue;
            };
            // A trace is in one request, so all of it is there, or it is not what it should be.
            let there = trace["span_count"].as_u64().unwrap();
            (*first..first + there.min(*count)).for_each(|number| *arrived.times.entry(number).or_default() += 1);
            (*first..first + there.saturating_sub(*count)).for_each(|number| *arrived.times.entry(number).or_default() += 1);
        }
    }
    arrived
}

fn asked(kansoku: &Kansoku, what: &str, service: &str) -> Vec<serde_json::Value> {
    let said = kansoku.ask(&["query", what, "--service", service, "--since", "24h", "--limit", "10000", "--json"]);
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
