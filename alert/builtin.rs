//! The rules of the preset, for whoever has written none: known by name, so that a rule file can stand beside them.

use crate::rule::{Rule, read};
use config::{Document, Fault, document::Real, nearest};
use signal::Kinds;

/// Their names, in the order in which they are listed.
pub const NAMES: [&str; 3] = ["error_trace", "slow_trace", "error_log_burst"];

const RULES: &str = r#"
groups:
  - name: builtin
    rules:
      - alert: error_trace
        of: traces
        when: .error
        window: 15s
        by: [.root.service, .root.name]
        for: 3s
        labels: { severity: ticket }
        annotations: { summary: "{{ $value }} failed requests of {{ $labels.root.name }} in {{ $labels.root.service }}" }
      - alert: slow_trace
        of: traces
        when: .duration_ms > 2000
        window: 30s
        count: 3
        by: [.root.service, .root.name]
        for: 5s
        labels: { severity: ticket }
        annotations: { summary: "{{ $value }} requests of {{ $labels.root.name }} took over 2 s" }
      - alert: error_log_burst
        of: logs
        when: .severity >= "ERROR"
        window: 15s
        count: 10
        by: [.service]
        for: 3s
        labels: { severity: page }
        annotations: { summary: "{{ $labels.service }} logged {{ $value }} errors within 15 s" }
"#;

/// The rules of these names that an edge which carries `takes` can feed.
pub fn rules(names: &[&str], takes: Kinds) -> Result<Vec<Rule>, Vec<Fault>> {
    let document = Document::parse("built-in rules", RULES, &Real)
        .map_err(|(source, faults)| faults.into_iter().map(|f| f.within(&source)).collect::<Vec<_>>())?;
    let fed = takes.and(if takes.has(Kinds::TRACES) { Kinds::SPANS.and(Kinds::LOGS) } else { Kinds::NONE });
    let all = read(&document, Kinds::ALL)?;
    Ok(all.into_iter().filter(|rule| names.contains(&&*rule.name) && fed.has(rule.kinds)).collect())
}

/// The built-in name that was probably meant.
#[must_use]
pub fn nearest_name(word: &str) -> Option<&'static str> {
    nearest(word, NAMES)
}
