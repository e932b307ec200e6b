//! One sampling stage: its rules in their order, and which of them decides.

use super::{
    asked::Asked,
    limiter::Limiter,
    rate::Rate,
    rule::{Against, Candidate, Ready},
    told::Before,
};
use parking_lot::Mutex;
use signal::{Decision, Time};
use std::sync::Arc;

/// Which of the rules that match decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    First,
    Most,
}

/// What all instances of a node decide by.
pub(super) struct Stage {
    pub(super) rules: Vec<Ready>,
    pub(super) choice: Choice,
    pub(super) against: Against,
    /// Over all rules.
    pub(super) limit: Option<(Rate, Arc<Mutex<Limiter>>)>,
}

/// The threshold that decides, and whose it is.
pub(super) struct Verdict<'s> {
    pub(super) threshold: u64,
    pub(super) rule: &'s Arc<str>,
}

impl Stage {
    /// Whether a decision depends on those before it.
    pub(super) fn limits(&self) -> bool {
        self.limit.is_some() || self.rules.iter().any(|rule| rule.at_most.is_some())
    }

    /// Decides; none where no rule matches. `room`: of what chance keeps, the share that there is room for.
    pub(super) fn decide(&self, asked: Asked<'_, '_>, before: Before, room: f64, now: Time) -> Option<Verdict<'_>> {
        let candidate = Candidate { asked, randomness: before.randomness, before: before.threshold, room, now };
        let verdict = self.chosen(&candidate)?;
        let Some((rate, limiter)) = self.limit.as_ref().filter(|_| before.randomness >= verdict.threshold) else { return Some(verdict) };
        let threshold = limiter.lock().threshold(before.randomness, asked.cost(rate.unit), now);
        Some(Verdict { threshold: verdict.threshold.max(threshold), ..verdict })
    }

    fn chosen(&self, candidate: &Candidate<'_, '_>) -> Option<Verdict<'_>> {
        let mut most: Option<Verdict<'_>> = None;
        for rule in &self.rules {
            let Some(threshold) = rule.threshold(candidate, self.against) else { continue };
            let verdict = Verdict { threshold, rule: &rule.name };
            // A rule that keeps nothing wins over all.
            if self.choice == Choice::First || threshold >= Decision::DROP {
                return Some(verdict);
            }
            if most.as_ref().is_none_or(|most| threshold < most.threshold) {
                most = Some(verdict);
            }
        }
        most
    }
}
