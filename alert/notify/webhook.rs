//! Alertmanager's webhook JSON, version 4, with the evidence beside it under `attachments`.

use super::Notice;
use crate::{book::Alert, state::Transition};
use chrono::{DateTime, SecondsFormat};
use query::When;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The body for a notice. `receiver` is the node's name; `external_url` leads to the admin port.
#[must_use]
pub fn body(notice: &Notice, receiver: &str, external_url: &str) -> Value {
    let firing = notice.alerts.iter().any(|a| a.transition != Transition::Resolved);
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname={:?}}}", notice.alertname),
        "truncatedAlerts": 0,
        "status": if firing { "firing" } else { "resolved" },
        "receiver": receiver,
        "groupLabels": { "alertname": notice.alertname },
        "commonLabels": common(notice.alerts.iter().map(|a| &a.labels)),
        "commonAnnotations": common(notice.alerts.iter().map(|a| &a.annotations)),
        "externalURL": external_url,
        "alerts": notice.alerts.iter().map(|a| alert(a, external_url)).collect::<Vec<_>>(),
    })
}

fn alert(alert: &Alert, external_url: &str) -> Value {
    let resolved = alert.transition == Transition::Resolved;
    json!({
        "status": if resolved { "resolved" } else { "firing" },
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": rfc3339(alert.active_since),
        // Go's zero time: what Alertmanager writes for an alert without an end.
        "endsAt": if resolved { rfc3339(alert.at) } else { "0001-01-01T00:00:00Z".to_owned() },
        "generatorURL": alert.annotations.get("trace_id").map_or_else(|| external_url.to_owned(), |id| format!("{external_url}/api/v1/why/{id}")),
        "fingerprint": alert.fingerprint,
        "attachments": { "traces": alert.evidence },
    })
}

fn common<'a>(sets: impl Iterator<Item = &'a BTreeMap<String, String>>) -> Map<String, Value> {
    let same = |mut left: BTreeMap<String, String>, right: &BTreeMap<String, String>| {
        left.retain(|key, value| right.get(key) == Some(value));
        left
    };
    let mut sets = sets;
    let first = sets.next().cloned().unwrap_or_default();
    sets.fold(first, same).into_iter().map(|(key, value)| (key, Value::String(value))).collect()
}

fn rfc3339(time: When) -> String {
    DateTime::from_timestamp_nanos(i64::try_from(time.0).unwrap_or(i64::MAX)).to_rfc3339_opts(SecondsFormat::Millis, true)
}
