//! A rule that can be asked: what must hold for it, and the threshold of what it keeps.

use super::{asked::Asked, balance::Balance, by_key::ByKey, limiter::Limiter, quantiles::Quantiles, rare::Rare, rate::Rate, rate::Unit};
use expression::{Getter, Predicate};
use parking_lot::Mutex;
use signal::{Batch, Decision, Time, threshold};
use std::{sync::Arc, time::Duration};

/// Keys of a rule that are limited or guaranteed apart.
const KEYS_MAX: usize = 512;

/// A rule, once per lane; what it learned all lanes share.
pub(super) struct Ready {
    pub(super) name: Arc<str>,
    pub(super) when: Option<Predicate>,
    pub(super) any_span: Option<Predicate>,
    pub(super) any_log: Option<Predicate>,
    pub(super) no_span: Option<Predicate>,
    pub(super) no_log: Option<Predicate>,
    pub(super) by: Vec<Getter>,
    /// The key by which something is slow.
    pub(super) slow_by: Vec<Getter>,
    pub(super) balance: Vec<Getter>,
    /// The threshold of `keep`.
    pub(super) keep: u64,
    pub(super) at_most: Option<Rate>,
    pub(super) learned: Option<Arc<Mutex<Learned>>>,
}

/// What a rule learns from what comes.
#[derive(Debug, Default)]
pub(super) struct Learned {
    pub(super) slower: Option<Quantiles>,
    pub(super) rare: Option<Rare>,
    pub(super) balance: Option<(Unit, Balance)>,
    pub(super) least: Option<Least>,
    pub(super) limits: Option<ByKey<Limiter>>,
}

/// What is asked about, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'r, 'a> {
    pub(super) asked: Asked<'r, 'a>,
    pub(super) randomness: u64,
    /// What was rejected before it came here.
    pub(super) before: u64,
    /// Of what `keep` would keep, the share that there is room for.
    pub(super) room: f64,
    pub(super) now: Time,
}

/// Whether what was sampled before is sampled to the same share, or by the same share again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// A share is one of all that there ever was.
    All,
    /// A share is one of what comes in.
    Incoming,
}

impl Ready {
    /// The threshold by which the rule decides, which is never below that of before; none where it does not match.
    pub(super) fn threshold(&self, candidate: &Candidate<'_, '_>, against: Against) -> Option<u64> {
        if !self.matches(candidate) {
            return None;
        }
        let Some(learned) = &self.learned else { return Some(self.chance(self.keep, candidate, against)) };
        let (asked, now) = (candidate.asked, candidate.now);
        let key = asked.key(&self.by);
        let balanced = asked.key(&self.balance);
        let mut learned = learned.lock();
        let Learned { balance, least, limits, .. } = &mut *learned;
        let share = balance.as_mut().map_or(self.keep, |(unit, balance)| balance.threshold(balanced, asked.cost(*unit) as f64, now));
        let guaranteed = least.as_mut().is_some_and(|least| least.takes(key, now));
        let chance = if guaranteed { candidate.before } else { self.chance(share, candidate, against) };
        let (Some(limits), Some(rate)) = (limits, self.at_most) else { return Some(chance) };
        // What is not kept anyway takes no room.
        if candidate.randomness < chance {
            return Some(chance);
        }
        let limiter = limits.of(key, |limiter| limiter.is_idle(now), || rate.limiter());
        Some(chance.max(limiter.threshold(candidate.randomness, asked.cost(rate.unit), now)))
    }

    /// A share as a threshold, less where there is not room for all: a rule that keeps everything is not touched.
    fn chance(&self, share: u64, candidate: &Candidate<'_, '_>, against: Against) -> u64 {
        let yields = share > 0 || self.at_most.is_some() || !self.balance.is_empty();
        let share = if yields { threshold::scaled(share, candidate.room) } else { share };
        match against {
            _ if share >= Decision::DROP => Decision::DROP,
            Against::All => share.max(candidate.before),
            Against::Incoming => threshold::scaled(candidate.before, threshold::share(share)),
        }
    }

    fn matches(&self, candidate: &Candidate<'_, '_>) -> bool {
        let Candidate { asked, now, .. } = *candidate;
        self.when.as_ref().is_none_or(|when| asked.meets(when, now)) && self.records_match(asked, now) && self.unusual(candidate)
    }

    fn records_match(&self, asked: Asked<'_, '_>, now: Time) -> bool {
        let Asked::Trace(trace) = asked else { return true };
        let any = |of: &Batch, condition: &Predicate| of.records().any(|record| condition.meets(&record, now));
        self.any_span.as_ref().is_none_or(|c| any(&trace.spans, c))
            && self.any_log.as_ref().is_none_or(|c| any(&trace.logs, c))
            && self.no_span.as_ref().is_none_or(|c| !any(&trace.spans, c))
            && self.no_log.as_ref().is_none_or(|c| !any(&trace.logs, c))
    }

    /// Whether it is as slow and as rare as the rule wants. Everything else about the rule holds already: it learns only of such.
    fn unusual(&self, candidate: &Candidate<'_, '_>) -> bool {
        let Some(learned) = &self.learned else { return true };
        let Candidate { asked, now, .. } = *candidate;
        let mut learned = learned.lock();
        if learned.slower.is_none() && learned.rare.is_none() {
            return true;
        }
        let slow = learned.slower.as_mut().is_none_or(|slower| slower.exceeds(asked.key(&self.slow_by), asked.duration_ms(), now));
        let kind = || if self.by.is_empty() { asked.likeness() } else { asked.key(&self.by) };
        let rare = learned.rare.as_mut().is_none_or(|rare| rare.is_rare(kind(), now));
        slow && rare
    }
}

impl Rate {
    pub(super) fn limiter(&self) -> Limiter {
        Limiter::new(self.amount, self.period, self.unit == Unit::Bytes)
    }
}

/// The first few of each key in a period, which are kept whatever their R.
#[derive(Debug)]
pub(super) struct Least {
    amount: u64,
    period: Duration,
    taken: ByKey<(u64, u64)>,
}

impl Least {
    pub(super) fn new(rate: Rate) -> Least {
        Least { amount: rate.amount, period: rate.period, taken: ByKey::new(KEYS_MAX) }
    }

    fn takes(&mut self, key: u64, now: Time) -> bool {
        let at = super::limiter::number(now, self.period);
        let (period, taken) = self.taken.of(key, |(period, _)| *period < at, || (at, 0));
        if *period < at {
            (*period, *taken) = (at, 0);
        }
        *taken = taken.saturating_add(1);
        *taken <= self.amount
    }
}

impl Learned {
    pub(super) fn limits() -> ByKey<Limiter> {
        ByKey::new(KEYS_MAX)
    }
}
