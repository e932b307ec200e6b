//! Telling somebody: one file per receiver. A notice holds every alert of one name that began to fire or was resolved at one tick.

pub mod console;
pub mod webhook;

use crate::{book::Alert, state::Transition};
use std::collections::BTreeMap;

/// What is told at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The label by which the alerts are grouped.
    pub alertname: String,
    /// The alerts, firing first.
    pub alerts: Vec<Alert>,
}

/// What has to be told of these changes: firing and resolved alerts, grouped by their name.
#[must_use]
pub fn notices(changed: &[Alert]) -> Vec<Notice> {
    let mut groups: BTreeMap<&str, Vec<Alert>> = BTreeMap::new();
    for alert in changed.iter().filter(|a| matches!(a.transition, Transition::Firing | Transition::Resolved)) {
        groups.entry(&alert.name).or_default().push(alert.clone());
    }
    let notice = |(name, mut alerts): (&str, Vec<Alert>)| {
        alerts.sort_by_key(|a| a.transition == Transition::Resolved);
        Notice { alertname: name.to_owned(), alerts }
    };
    groups.into_iter().map(notice).collect()
}

/// Where people reach the admin port, for links: who starts the pipeline puts it into the pool under [`AdminUrl::KEY`]. Without a slash at its end.
#[derive(Debug, PartialEq, Eq)]
pub struct AdminUrl(pub String);

impl AdminUrl {
    /// Its key in the pool.
    pub const KEY: &str = "admin";
}
