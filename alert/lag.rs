//! How far the stream is behind, and the alert that tells of it: while it lags much, the rules speak of the past, and only how they stand in the end is told.

use crate::{
    book::Alert,
    state::{Phase, Transition},
    told::Instance,
};
use query::When;
use signal::Time;
use std::{collections::BTreeMap, time::Duration};

/// A stream lags when it is behind by more than this.
const BEGINS_OVER: Duration = Duration::from_secs(60);
/// And until it is behind by less than this.
const ENDS_BELOW: Duration = Duration::from_secs(30);
const NAME: &str = "stream_lag";

/// Where the stream is.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    pub(crate) by: Duration,
    since: Option<Time>,
}

impl Lag {
    /// Whether what is seen is late.
    pub(crate) fn is_much(&self) -> bool {
        self.since.is_some()
    }

    /// Whose the alert is: no rule's.
    pub(crate) fn instance() -> Instance {
        Instance { rule: 0, values: vec![NAME.to_owned()] }
    }

    /// It is behind by so much now. The alert, when it begins or ceases to be much.
    pub(crate) fn tell(&mut self, by: Duration, now: Time) -> Option<Alert> {
        self.by = by;
        match self.since {
            None if by > BEGINS_OVER => {
                self.since = Some(now);
                Some(alert(Transition::Firing, by, now, now))
            }
            Some(since) if by < ENDS_BELOW => {
                self.since = None;
                Some(alert(Transition::Resolved, by, since, now))
            }
            _ => None,
        }
    }

    /// The alert, while it is much.
    pub(crate) fn active(&self, now: Time) -> Option<Alert> {
        self.since.map(|since| alert(Transition::Firing, self.by, since, now))
    }
}

fn alert(transition: Transition, by: Duration, since: Time, now: Time) -> Alert {
    let summary = match transition {
        Transition::Resolved => "alerts are in time again".to_owned(),
        _ => format!("alerts are {} s behind: what they say is told once they have caught up", by.as_secs()),
    };
    let labels = [("alertname", NAME), ("severity", "page")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let phase = if transition == Transition::Resolved { Phase::Inactive } else { Phase::Firing };
    Alert::own(transition, phase, BTreeMap::from(labels), summary, (When(since.0), When(now.0)), by.as_secs_f64())
}
