//! What became of every record. One account per node, posted to once per call and under one lock, so that it balances whenever it is looked at:
//! in + made = out + discarded + rejected + lost + held.

use crate::{Held, Kind, Reason, Tally};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use signal::{Signal, text};
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// A number per signal, in the order of `Signal::ALL`.
pub(crate) type PerSignal<T> = [T; 3];

/// How a record ended at a node other than by going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fate {
    /// Taken out on purpose.
    Discarded,
    /// Refused for good.
    Rejected,
    /// Gone, and nobody wanted that.
    Lost,
}

/// What one call did, posted to an account at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Posting {
    pub(crate) taken: PerSignal<u64>,
    pub(crate) made: PerSignal<u64>,
    pub(crate) out: PerSignal<u64>,
    pub(crate) held: PerSignal<i64>,
    pub(crate) ended: Vec<(Fate, Signal, Reason, u64)>,
    pub(crate) tallies: Vec<(Tally, Cow<'static, str>, u64)>,
}

impl Posting {
    pub(crate) fn taking(taken: PerSignal<u64>) -> Posting {
        Posting { taken, ..Posting::default() }
    }

    pub(crate) fn end(&mut self, fate: Fate, signal: Signal, why: Reason, records: u64) {
        if records > 0 {
            self.ended.push((fate, signal, why, records));
        }
    }

    /// Ends all of these records the same way.
    pub(crate) fn end_all(&mut self, fate: Fate, why: Reason, records: PerSignal<u64>) {
        Signal::ALL.into_iter().for_each(|signal| self.end(fate, signal, why, records[signal.number()]));
    }

    /// Notes that what is held changed.
    pub(crate) fn hold(&mut self, before: PerSignal<u64>, after: PerSignal<u64>) {
        for at in 0..3 {
            self.held[at] += signed(after[at]) - signed(before[at]);
        }
    }

    /// What came in or was made and is not accounted for: positive is missing, negative came from nowhere.
    pub(crate) fn difference(&self) -> PerSignal<i64> {
        let mut missing = [0; 3];
        for (at, missing) in missing.iter_mut().enumerate() {
            *missing = signed(self.taken[at]) + signed(self.made[at]) - signed(self.out[at]) - self.held[at];
        }
        for (_, signal, _, records) in &self.ended {
            missing[signal.number()] -= signed(*records);
        }
        missing
    }
}

fn signed(records: u64) -> i64 {
    i64::try_from(records).unwrap_or(i64::MAX)
}

impl Held {
    /// As a number per signal.
    pub(crate) fn per_signal(self) -> PerSignal<u64> {
        [self.spans as u64, self.logs as u64, self.points as u64]
    }
}

/// The counters of one node.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    sums: Posting,
    ended: BTreeMap<(Fate, Signal, Reason), u64>,
    refused: BTreeMap<(Signal, Reason), Requests>,
    tallies: BTreeMap<(Tally, Cow<'static, str>), u64>,
}

impl Account {
    pub(crate) fn new(name: &str, kind: Kind) -> Arc<Account> {
        Arc::new(Account { name: name.to_owned(), kind, books: Mutex::default() })
    }

    /// Adds what a call did.
    pub(crate) fn post(&self, posting: &Posting) {
        let mut books = self.books.lock();
        let sums = &mut books.sums;
        for at in 0..3 {
            sums.taken[at] += posting.taken[at];
            sums.made[at] += posting.made[at];
            sums.out[at] += posting.out[at];
            sums.held[at] += posting.held[at];
        }
        for (fate, signal, why, records) in &posting.ended {
            *books.ended.entry((*fate, *signal, *why)).or_default() += records;
        }
        for (what, word, times) in &posting.tallies {
            *books.tallies.entry((*what, word.clone())).or_default() += times;
        }
    }

    /// Counts a request of which nothing was taken in.
    pub(crate) fn refuse(&self, signal: Signal, why: Reason, bytes: usize) {
        let mut books = self.books.lock();
        let sum = books.refused.entry((signal, why)).or_default();
        sum.requests += 1;
        sum.bytes += bytes as u64;
    }

    /// Whether nothing was ever posted.
    fn is_empty(&self) -> bool {
        let books = self.books.lock();
        books.sums == Posting::default() && books.ended.is_empty() && books.refused.is_empty() && books.tallies.is_empty()
    }

    /// What is held now.
    pub(crate) fn held(&self) -> PerSignal<u64> {
        self.books.lock().sums.held.map(|held| u64::try_from(held).unwrap_or(0))
    }

    /// Ends everything that is held.
    pub(crate) fn end_held(&self, fate: Fate, why: Reason) {
        let held = self.held();
        let mut posting = Posting::default();
        posting.hold(held, [0; 3]);
        posting.end_all(fate, why, held);
        self.post(&posting);
    }

    fn snapshot(&self) -> NodeCounts {
        let books = self.books.lock();
        let mut signals = BTreeMap::new();
        for signal in Signal::ALL {
            let at = signal.number();
            let mut counts = Counts {
                taken: books.sums.taken[at],
                made: books.sums.made[at],
                out: books.sums.out[at],
                held: books.sums.held[at],
                ..Counts::default()
            };
            for ((fate, _, why), records) in books.ended.iter().filter(|((_, of, _), _)| *of == signal) {
                let words = match fate {
                    Fate::Discarded => &mut counts.discarded,
                    Fate::Rejected => &mut counts.rejected,
                    Fate::Lost => &mut counts.lost,
                };
                words.insert(why.0.to_owned(), *records);
            }
            let refused = books.refused.iter().filter(|((of, _), _)| *of == signal);
            counts.refused = refused.map(|((_, why), requests)| (why.0.to_owned(), *requests)).collect();
            if counts != Counts::default() {
                signals.insert(signal, counts);
            }
        }
        let mut tallies = BTreeMap::<_, BTreeMap<_, _>>::new();
        for ((what, word), times) in &books.tallies {
            tallies.entry(what.metric().to_owned()).or_default().insert(word.to_string(), *times);
        }
        NodeCounts { name: self.name.clone(), kind: self.kind, signals, tallies }
    }
}

/// The accounts of all nodes, in the order of the plan; then those of nodes that a reload took out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(pub(crate) Vec<Arc<Account>>);

impl Ledger {
    /// The ledger of a graph with these nodes that follows on this one: a node of the same name and kind goes on with its account, and accounts of nodes that are
    /// gone stay, if anything is in them.
    pub(crate) fn after<'a>(&self, nodes: impl Iterator<Item = (&'a str, Kind)>) -> Ledger {
        let same = |name: &str, kind: Kind| self.0.iter().find(|account| account.name == name && account.kind == kind).cloned();
        let mut accounts: Vec<_> = nodes.map(|(name, kind)| same(name, kind).unwrap_or_else(|| Account::new(name, kind))).collect();
        let gone = self.0.iter().filter(|account| !accounts.iter().any(|other| Arc::ptr_eq(account, other)) && !account.is_empty());
        let gone: Vec<_> = gone.cloned().collect();
        accounts.extend(gone);
        Ledger(accounts)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { nodes: self.0.iter().map(|account| account.snapshot()).collect() }
    }
}

/// The ledger at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// One per node, sources first, in written order.
    pub nodes: Vec<NodeCounts>,
}

/// One node's counters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCounts {
    /// Its key in the graph.
    pub name: String,
    /// Which map it stands in.
    pub kind: Kind,
    /// Only signals of which anything was seen.
    pub signals: BTreeMap<Signal, Counts>,
    /// What it counted besides records: by metric, by word.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tallies: BTreeMap<String, BTreeMap<String, u64>>,
}

/// One node's counters of one signal, in records since the process began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Came in.
    #[serde(rename = "in")]
    pub taken: u64,
    /// Made here.
    pub made: u64,
    /// Went on; for a sink: delivered.
    pub out: u64,
    /// Is here now.
    pub held: i64,
    /// Taken out on purpose, by reason.
    pub discarded: BTreeMap<String, u64>,
    /// Refused for good, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Gone, by reason.
    pub lost: BTreeMap<String, u64>,
    /// Requests that a source said no to, by reason. Nobody knows how many records are in them, and their client still has them: they came in nowhere, so no
    /// part of the equation counts them. A client that tries again may be counted again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: BTreeMap<String, Requests>,
}

/// How many requests, and how large they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// How many.
    pub requests: u64,
    /// Their bytes as far as they were known when the answer was given: 0 for one whose body was not read.
    pub bytes: u64,
}

impl Counts {
    /// In + made − out − discarded − rejected − lost − held: zero, or the ledger is broken.
    #[must_use]
    pub fn difference(&self) -> i128 {
        let ended: u64 = [&self.discarded, &self.rejected, &self.lost].into_iter().flat_map(BTreeMap::values).sum();
        i128::from(self.taken) + i128::from(self.made) - i128::from(self.out) - i128::from(ended) - i128::from(self.held)
    }
}

impl Snapshot {
    /// The counters of a node, if there is one of that name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeCounts> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Whether every account adds up; else the first that does not, in words.
    pub fn balance(&self) -> Result<(), String> {
        for node in &self.nodes {
            for (signal, counts) in &node.signals {
                let difference = counts.difference();
                if difference != 0 {
                    return Err(format!("`{}` does not balance: {difference} {signal} are unaccounted for ({counts:?})", node.name));
                }
            }
        }
        Ok(())
    }

    /// Records lost at any node.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.nodes.iter().flat_map(|node| node.signals.values()).flat_map(|counts| counts.lost.values()).sum()
    }

    /// The ledger in one sentence: what came in, what was taken out or is still here, and whether anything was lost.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut taken = [0; 3];
        let mut others: BTreeMap<(usize, &str), u64> = BTreeMap::new();
        let mut lost = Vec::new();
        let mut refused = 0;
        for node in &self.nodes {
            for (signal, counts) in &node.signals {
                if node.kind == Kind::Source {
                    taken[signal.number()] += counts.taken;
                }
                refused += counts.refused.values().map(|sum| sum.requests).sum::<u64>();
                *others.entry((0, "discarded on purpose")).or_default() += counts.discarded.values().sum::<u64>();
                *others.entry((1, "rejected")).or_default() += counts.rejected.values().sum::<u64>();
                *others.entry((2, "held")).or_default() += u64::try_from(counts.held).unwrap_or(0);
                lost.extend(
                    counts.lost.iter().map(|(why, n)| format!("{} {} at `{}` ({why})", text::thousands(*n), noun(*signal, *n), node.name)),
                );
            }
        }
        let came = Signal::ALL.into_iter().filter(|s| taken[s.number()] > 0).map(|s| {
            let records = taken[s.number()];
            format!("{} {}", text::thousands(records), noun(s, records))
        });
        let came: Vec<String> = came.collect();
        let mut parts = vec![if came.is_empty() { "nothing came in".to_owned() } else { format!("{} in", came.join(", ")) }];
        let others: Vec<String> =
            others.iter().filter(|(_, n)| **n > 0).map(|((_, word), n)| format!("{} {word}", text::thousands(*n))).collect();
        if !others.is_empty() {
            parts.push(others.join(", "));
        }
        if refused > 0 {
            let noun = if refused == 1 { "request" } else { "requests" };
            parts.push(format!("{} {noun} refused", text::thousands(refused)));
        }
        parts.push(if lost.is_empty() { "nothing was lost".to_owned() } else { format!("LOST: {}", lost.join(", ")) });
        parts.join("; ")
    }
}

/// What records of a signal are called: `span`, `logs`, `points`.
fn noun(signal: Signal, records: u64) -> &'static str {
    match (signal, records) {
        (Signal::Traces, 1) => "span",
        (Signal::Traces, _) => "spans",
        (Signal::Logs, 1) => "log",
        (Signal::Logs, _) => "logs",
        (Signal::Metrics, 1) => "point",
        (Signal::Metrics, _) => "points",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_told_in_one_sentence() {
        let source = Account::new("otlp", Kind::Source);
        source.post(&Posting { taken: [12_034, 5_000, 0], out: [12_034, 5_000, 0], ..Posting::default() });
        let ledger = Ledger(vec![Arc::clone(&source)]);
        assert_eq!(ledger.snapshot().sentence(), "12,034 spans, 5,000 logs in; nothing was lost");
        let mut posting = Posting::taking([1, 0, 0]);
        posting.end(Fate::Lost, Signal::Traces, Reason::QUEUE_FULL, 1);
        source.post(&posting);
        assert_eq!(ledger.snapshot().sentence(), "12,035 spans, 5,000 logs in; LOST: 1 span at `otlp` (queue_full)");
        assert_eq!(ledger.snapshot().balance(), Ok(()));
        assert_eq!(ledger.snapshot().lost(), 1);
        source.refuse(Signal::Logs, Reason::MEMORY, 20);
        source.refuse(Signal::Logs, Reason::MEMORY, 22);
        assert_eq!(ledger.snapshot().sentence(), "12,035 spans, 5,000 logs in; 2 requests refused; LOST: 1 span at `otlp` (queue_full)");
        assert_eq!(ledger.snapshot().nodes[0].signals[&Signal::Logs].refused["memory"], Requests { requests: 2, bytes: 42 });
        assert_eq!(ledger.snapshot().balance(), Ok(()), "what was refused came in nowhere");
    }

    #[test]
    fn an_account_that_does_not_add_up_is_named() {
        let account = Account::new("kept", Kind::Processor);
        account.post(&Posting::taking([0, 3, 0]));
        let said = Ledger(vec![account]).snapshot().balance();
        assert!(said.is_err_and(|said| said.contains("`kept`") && said.contains("3 logs")));
    }
}
