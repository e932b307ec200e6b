//! The notification log: what there is to tell of each alert, and who was told of it. An alert's end is told even after its rule is gone, nobody is told
//! twice of the same, and whoever could not be told for a while hears how it stands in the end.

use crate::{book::Alert, state::Transition};
use query::When;
use serde::{Deserialize, Serialize};
use signal::Time;
use std::collections::{BTreeMap, HashSet};

/// Alerts that are known here; beyond it what is over goes first, told or not.
const ENTRIES_MAX: usize = 20_000;

/// One alert of a rule: the rule's hash and the values of `by`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Instance {
    /// Of what is counted, and under which name it is told.
    pub rule: u64,
    /// In the order of `by`.
    pub values: Vec<String>,
}

/// What is known of all alerts that began to fire and of whose end not everybody was told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NotificationLog {
    entries: BTreeMap<Instance, Entry>,
    receivers: Vec<String>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// As it began to fire, or as it ended.
    alert: Alert,
    /// It was seen while the stream lagged.
    delayed: bool,
    /// By receiver: the last thing that it was told.
    told: BTreeMap<String, Sent>,
    /// The change of the state that brought it.
    #[serde(skip)]
    epoch: u64,
}

/// What a receiver was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    transition: Transition,
    /// When that was so.
    of: When,
    /// When it was told.
    at: When,
}

impl Entry {
    fn knows(&self, receiver: &str) -> bool {
        self.told.get(receiver).is_some_and(|sent| (sent.transition, sent.of) == (self.alert.transition, self.alert.at))
    }

    fn is_over(&self) -> bool {
        self.alert.transition == Transition::Resolved
    }
}

/// How an alert was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    InTime,
    Late,
}

impl NotificationLog {
    /// As a checkpoint has it.
    pub(crate) fn of(entries: Vec<(Instance, Entry)>) -> NotificationLog {
        NotificationLog { entries: entries.into_iter().collect(), receivers: Vec::new() }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Instance, &Entry)> {
        self.entries.iter()
    }

    /// Who is told from now on. What others were told is forgotten.
    pub(crate) fn tell(&mut self, receivers: Vec<String>) {
        for entry in self.entries.values_mut() {
            entry.told.retain(|receiver, _| receivers.contains(receiver));
        }
        self.receivers = receivers;
    }

    /// An alert began to fire or is over: that is what there is to tell of it now.
    pub(crate) fn write(&mut self, instance: Instance, mut alert: Alert, seen: Seen, epoch: u64) {
        let before = self.entries.remove(&instance);
        if let Some(before) = before.as_ref().filter(|_| alert.transition == Transition::Resolved) {
            // Told under the labels under which it began: one of them may be made of the count.
            alert.labels.clone_from(&before.alert.labels);
            alert.fingerprint.clone_from(&before.alert.fingerprint);
            alert.active_since = before.alert.active_since;
        }
        let told = before.map(|before| before.told).unwrap_or_default();
        self.entries.insert(instance, Entry { alert, delayed: seen == Seen::Late, told, epoch });
        while self.entries.len() > ENTRIES_MAX {
            let oldest =
                self.entries.iter().min_by_key(|(_, entry)| (!entry.is_over(), entry.alert.at)).map(|(instance, _)| instance.clone());
            let gone = oldest.and_then(|oldest| self.entries.remove(&oldest));
            tracing::error!(alert = gone.map(|entry| entry.alert.name), "too many alerts are to be told: the oldest is not");
        }
    }

    /// Ends what fires according to this log and not any more according to the rules: they are gone or count something else. Returns what ended.
    pub(crate) fn end_all_but(&mut self, firing: &HashSet<Instance>, now: Time, epoch: u64) -> Vec<Alert> {
        let gone = self.entries.iter().filter(|(instance, entry)| !entry.is_over() && !firing.contains(instance));
        let gone: Vec<(Instance, Alert)> = gone.map(|(instance, entry)| (instance.clone(), entry.alert.clone())).collect();
        let end = |(instance, alert): (Instance, Alert)| {
            let ended = Alert { transition: Transition::Resolved, phase: crate::Phase::Inactive, at: When(now.0), ..alert };
            self.write(instance, ended.clone(), Seen::InTime, epoch);
            ended
        };
        gone.into_iter().map(end).collect()
    }

    /// What this receiver has to be told, of changes up to `epoch` that `which` lets pass.
    pub(crate) fn due(&self, receiver: &str, epoch: u64, which: impl Fn(&Instance) -> bool) -> Vec<(Instance, Alert)> {
        let due = self.entries.iter().filter(|(instance, entry)| entry.epoch <= epoch && !entry.knows(receiver) && which(instance));
        due.map(|(instance, entry)| {
            let mut alert = entry.alert.clone();
            if entry.delayed {
                alert.annotations.insert("delayed".to_owned(), "seen late: the stream lagged".to_owned());
            }
            (instance.clone(), alert)
        })
        .collect()
    }

    /// This receiver was told so. What is over leaves once everybody knows.
    pub(crate) fn sent(&mut self, receiver: &str, told: &[(Instance, Alert)], now: Time) {
        for (instance, alert) in told {
            let Some(entry) = self.entries.get_mut(instance) else { continue };
            entry.told.insert(receiver.to_owned(), Sent { transition: alert.transition, of: alert.at, at: When(now.0) });
            if self.receivers.iter().all(|receiver| entry.knows(receiver)) {
                entry.alert.evidence.clear();
                if entry.is_over() {
                    self.entries.remove(instance);
                }
            }
        }
    }
}
