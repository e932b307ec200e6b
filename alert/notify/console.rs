//! Tells a person at the terminal.

use super::Notice;
use crate::{book::Alert, state::Transition};

/// The lines for a notice, without colour; control characters of telemetry are escaped.
#[must_use]
pub fn text(notice: &Notice) -> String {
    notice.alerts.iter().map(one).collect()
}

fn one(alert: &Alert) -> String {
    let labels: Vec<String> =
        alert.labels.iter().filter(|(name, _)| *name != "alertname").map(|(name, value)| format!("{name}={value}")).collect();
    let word = if alert.transition == Transition::Resolved { "resolved" } else { "ALERT" };
    let mut lines = vec![format!("{word} {} {}", alert.name, labels.join(" "))];
    if alert.transition != Transition::Resolved {
        for key in ["summary", "description", "error", "failing_path"] {
            lines.extend(alert.annotations.get(key).map(|text| format!("  {text}")));
        }
        for line in alert.evidence.first().map(|e| e.logs.as_slice()).unwrap_or_default() {
            lines.push(format!("  {} {}: {}", line.severity, line.service, line.message));
        }
        lines.extend(alert.annotations.get("trace_id").map(|id| format!("  kansoku why {id}")));
    }
    lines.dedup();
    lines.into_iter().map(|line| line.chars().flat_map(escaped).collect::<String>() + "\n").collect()
}

fn escaped(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}
