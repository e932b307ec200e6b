//! The alerts as others see them: what is pending or firing now, and what changed lately. Shared by the alert sink and the admin port.

use crate::{
    evaluate::Seen,
    evidence::Evidence,
    rule::{Rule, hash},
    state::{Phase, Transition},
};
use parking_lot::Mutex;
use query::When;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Transitions that are remembered.
const HISTORY_MAX: usize = 1_000;

/// One alert at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The rule's name.
    pub name: String,
    /// What changed, or what it is.
    pub transition: Transition,
    /// Where it stands.
    pub phase: Phase,
    /// `alertname`, the values of `by`, the rule's and the group's labels.
    pub labels: BTreeMap<String, String>,
    /// Texts for people, with the trace id and the failing path where there is one.
    pub annotations: BTreeMap<String, String>,
    /// How many within the window.
    pub value: f64,
    /// Since when the rule holds.
    pub active_since: When,
    /// When this was so.
    pub at: When,
    /// Alertmanager's identity of the label set, 16 hex digits.
    pub fingerprint: String,
    /// What set it off, the latest first.
    pub evidence: Vec<Evidence>,
}

impl Alert {
    /// The alert that a transition is about, its templates filled.
    #[must_use]
    pub fn of(seen: Seen) -> Alert {
        let rule: &Rule = &seen.rule;
        let mut labels: BTreeMap<String, String> = rule.by.iter().map(|(label, _)| label.clone()).zip(seen.values).collect();
        labels.insert("alertname".to_owned(), rule.name.to_string());
        let fill = |texts: &BTreeMap<String, crate::template::Template>| -> BTreeMap<String, String> {
            texts.iter().map(|(name, text)| (name.clone(), text.fill(&labels, seen.value))).collect()
        };
        let mut annotations = fill(&rule.annotations);
        let own = fill(&rule.labels);
        labels.extend(own);
        labels.retain(|_, value| !value.is_empty());
        let evidence: Vec<Evidence> = seen.evidence.into_iter().rev().collect();
        if let Some(first) = evidence.first() {
            annotate(&mut annotations, first);
        }
        Alert {
            name: rule.name.to_string(),
            transition: seen.transition,
            phase: seen.state.phase,
            fingerprint: fingerprint(&labels),
            labels,
            annotations,
            value: seen.value,
            active_since: When(seen.state.active_since.0),
            at: When(seen.at.0),
            evidence,
        }
    }

    /// One that no rule brings about.
    pub(crate) fn own(
        transition: Transition,
        phase: Phase,
        labels: BTreeMap<String, String>,
        summary: String,
        when: (When, When),
        value: f64,
    ) -> Alert {
        let (active_since, at) = when;
        Alert {
            name: labels.get("alertname").cloned().unwrap_or_default(),
            transition,
            phase,
            fingerprint: fingerprint(&labels),
            labels,
            annotations: BTreeMap::from([("summary".to_owned(), summary)]),
            value,
            active_since,
            at,
            evidence: Vec::new(),
        }
    }
}

/// Puts the evidence where every receiver of Alertmanager's JSON can read it; what the rule wrote stays.
fn annotate(annotations: &mut BTreeMap<String, String>, evidence: &Evidence) {
    let mut absent = |key: &str, text: String| {
        if !text.is_empty() {
            annotations.entry(key.to_owned()).or_insert(text);
        }
    };
    absent("trace_id", evidence.trace_id.clone().unwrap_or_default());
    absent("failing_path", evidence.path.join(" → "));
    absent("error", evidence.error.clone().unwrap_or_default());
    let lines: Vec<String> = evidence.logs.iter().map(|l| format!("{} {}: {}", l.severity, l.service, l.message)).collect();
    absent("logs", lines.join("\n"));
}

/// Over the sorted label set, as Alertmanager computes it (prometheus/common `model`).
fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    format!("{:016x}", hash(labels.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()])))
}

/// What is known of one alert node's alerts.
#[derive(Debug, Default)]
pub struct Book {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    active: Vec<Alert>,
    history: VecDeque<Alert>,
}

impl Book {
    /// Writes down what is active now.
    pub fn write(&self, active: Vec<Alert>) {
        self.pages.lock().active = active;
    }

    /// Adds what changed.
    pub fn note(&self, changed: impl IntoIterator<Item = Alert>) {
        let mut pages = self.pages.lock();
        pages.history.extend(changed);
        let over = pages.history.len().saturating_sub(HISTORY_MAX);
        pages.history.drain(..over);
    }

    /// Pending and firing alerts.
    #[must_use]
    pub fn active(&self) -> Vec<Alert> {
        self.pages.lock().active.clone()
    }

    /// Transitions, the oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Alert> {
        self.pages.lock().history.iter().cloned().collect()
    }
}
