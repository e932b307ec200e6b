//! Rules as written: Prometheus' rule file with `when` (a condition on the stream) in the place of `expr`.

use config::{Document, Fault, Period, Placed};
use expression::{Condition, Field, Getter, Predicate};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::Kinds;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use crate::template::Template;

/// A rule file, with Prometheus' nesting.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct RuleFile {
    /// Groups of rules; a group's labels go to all its rules.
    groups: Vec<Group>,
}

/// Rules that stand together.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
struct Group {
    /// Its name.
    name: Placed<String>,
    /// Labels for every alert of the group.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// How often rules with `expr` would be evaluated; rules with `when` are evaluated as records come in, so that it has no effect on them.
    #[expect(dead_code, reason = "read so that a Prometheus file loads; stream rules do not poll")]
    interval: Option<Period>,
    /// Its rules.
    rules: Vec<Written>,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Closed traces.
    Traces,
    /// Spans one by one.
    Spans,
    /// Log records.
    Logs,
    /// Metric data points.
    Metrics,
}

impl Subject {
    /// The kind of record it looks at.
    #[must_use]
    pub const fn kinds(self) -> Kinds {
        match self {
            Subject::Traces => Kinds::TRACES,
            Subject::Spans => Kinds::SPANS,
            Subject::Logs => Kinds::LOGS,
            Subject::Metrics => Kinds::METRICS,
        }
    }
}

/// One rule as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Written {
    /// The alert's name: its label `alertname`.
    pub(crate) alert: Option<Placed<String>>,
    /// The name of a recorded series; refused until PromQL is there.
    pub(crate) record: Option<Placed<String>>,
    /// A PromQL expression; refused until PromQL is there.
    pub(crate) expr: Option<Placed<String>>,
    /// What is looked at; by default whatever of traces, spans, logs or metrics comes in.
    pub(crate) of: Option<Placed<Subject>>,
    /// What a record or closed trace must meet to be counted.
    pub(crate) when: Option<Condition>,
    /// How far back is counted.
    #[serde(default = "one_minute")]
    pub(crate) window: Placed<Period>,
    /// How many within the window make the rule hold.
    #[serde(default = "once")]
    pub(crate) count: Placed<u64>,
    /// Fields by whose values is counted apart; each becomes a label.
    #[serde(default)]
    pub(crate) by: Vec<Field>,
    /// How long the rule has to hold before the alert fires; until then it is pending.
    #[serde(default, rename = "for")]
    pub(crate) hold: Period,
    /// How long the alert goes on firing after the rule no longer holds.
    #[serde(default)]
    pub(crate) keep_firing_for: Period,
    /// Labels for routing, such as `severity: page`; may hold templates.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, Placed<String>>,
    /// Texts for people; may hold `{{ $labels.x }}` and `{{ $value }}`.
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, Placed<String>>,
}

fn one_minute() -> Placed<Period> {
    Placed::nowhere(Period(Duration::from_secs(60)))
}

fn once() -> Placed<u64> {
    Placed::nowhere(1)
}

/// A rule that can be asked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The alert's name.
    pub name: Arc<str>,
    /// The group it stands in.
    pub group: Arc<str>,
    /// Of all that says what is counted, and under which name and labels it is told: the same in every version, since it stands on disk.
    pub(crate) hash: u64,
    pub(crate) when: Predicate,
    pub(crate) kinds: Kinds,
    pub(crate) window: Duration,
    pub(crate) count: u64,
    pub(crate) by: Vec<(String, Getter)>,
    pub(crate) hold: Duration,
    pub(crate) keep_firing_for: Duration,
    pub(crate) labels: BTreeMap<String, Template>,
    pub(crate) annotations: BTreeMap<String, Template>,
}

impl Rule {
    /// As written, without the template's values: for lists of rules.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{} or more within {:?}", self.count, self.window)
    }
}

/// Reads a rule file for an edge that carries `takes`. Faults name the rule file.
pub fn load(path: &Path, takes: Kinds) -> Result<Vec<Rule>, Vec<Fault>> {
    let in_file = |source, faults: Vec<Fault>| faults.into_iter().map(|f| f.within(&source)).collect::<Vec<_>>();
    let document = Document::load(path).map_err(|(source, faults)| in_file(source, faults))?;
    read(&document, takes).map_err(|faults| in_file(Arc::clone(&document.source), faults))
}

/// Reads rules from a document that was parsed.
pub fn read(document: &Document, takes: Kinds) -> Result<Vec<Rule>, Vec<Fault>> {
    let (file, mut faults) = config::read_around::<RuleFile>(&document.root);
    let Some(file) = file else { return Err(faults) };
    let partly = !faults.is_empty();
    // A `when` that cannot be read is not missing.
    let sure = |fault: &Fault| !partly || (document.root.has_word_at(fault.place) && !document.root.has_beside(fault.place, "when"));
    let mut rules = Vec::new();
    for group in &file.groups {
        for (at, written) in group.rules.iter().enumerate() {
            if let Some(name) = written.alert.as_ref().filter(|_| group.rules.iter().take(at).any(|before| written.same_alert(before))) {
                let what = format!("two rules of group `{}` are called `{}` and have the same labels", *group.name, **name);
                faults.push(name.fault(what).help("give one of them another name, or a label such as severity: page"));
            }
            match written.ready(&group.name, &group.labels, takes) {
                Ok(rule) => rules.push(rule),
                Err(found) => faults.extend(found.into_iter().filter(sure)),
            }
        }
    }
    faults.sort_by_key(|fault| fault.place);
    if faults.is_empty() { Ok(rules) } else { Err(faults) }
}

impl Written {
    /// The rule compiled, or all that is wrong with it.
    pub(crate) fn ready(&self, group: &Placed<String>, group_labels: &BTreeMap<String, String>, takes: Kinds) -> Result<Rule, Vec<Fault>> {
        let (name, when) = self.named(group)?;
        let mut faults = self.bounds(name);
        let kinds = self.kinds(takes).unwrap_or_else(|fault| {
            faults.push(fault);
            Kinds::NONE
        });
        if kinds.is_none() {
            return Err(faults);
        }
        let mut keep = |found: Vec<Fault>| faults.extend(found);
        let when = when.compile(kinds).map_err(&mut keep).ok();
        let by = self.by.iter().filter_map(|f| Some((f.label(), f.compile(kinds).map_err(&mut keep).ok()?))).collect();
        let mut templates = |texts: &BTreeMap<String, Placed<String>>| -> BTreeMap<String, Template> {
            texts.iter().filter_map(|(k, t)| Some((k.clone(), Template::parse(t).map_err(|f| keep(vec![f])).ok()?))).collect()
        };
        let mut labels: BTreeMap<_, _> = group_labels.iter().map(|(k, v)| (k.clone(), Template::literal(v))).collect();
        labels.extend(templates(&self.labels));
        let annotations = templates(&self.annotations);
        let (Some(when), true) = (when, faults.is_empty()) else { return Err(faults) };
        Ok(Rule {
            name: name.as_str().into(),
            group: group.as_str().into(),
            hash: self.hash(group, group_labels, kinds),
            when,
            kinds,
            window: self.window.0.max(Duration::from_secs(1)),
            count: *self.count,
            by,
            hold: self.hold.0,
            keep_firing_for: self.keep_firing_for.0,
            labels,
            annotations,
        })
    }

    /// Thresholds, `for`, `keep_firing_for` and annotations may change without it.
    fn hash(&self, group: &str, group_labels: &BTreeMap<String, String>, kinds: Kinds) -> u64 {
        let name = self.alert.as_ref().map_or("", |name| name.as_str()).to_owned();
        let when = self.when.as_ref().map_or("", Condition::text).to_owned();
        let window = self.window.0.as_nanos().to_string();
        let of = [Subject::Traces, Subject::Spans, Subject::Logs, Subject::Metrics].map(|of| u8::from(kinds.has(of.kinds())).to_string());
        let by = self.by.iter().flat_map(|field| ["by".to_owned(), field.text().to_owned()]);
        let of_group = group_labels.iter().map(|(key, value)| (key, value.clone()));
        let own = self.labels.iter().map(|(key, value)| (key, value.to_string()));
        let labels = of_group.chain(own).flat_map(|(key, value)| ["label".to_owned(), key.clone(), value]);
        let parts: Vec<String> = [group.to_owned(), name, when, window].into_iter().chain(of).chain(by).chain(labels).collect();
        hash(parts.iter().map(String::as_bytes))
    }

    /// What would make the rule hold always or never.
    fn bounds(&self, name: &str) -> Vec<Fault> {
        let none = (*self.count == 0)
            .then(|| self.count.fault(format!("rule `{name}` with `count: 0` would always hold")).help("one is the least: count: 1"));
        let never = self.window.0.is_zero().then(|| {
            self.window
                .fault(format!("rule `{name}` with `window: 0s` would look at no time at all"))
                .help("write how far back is counted: window: 1m")
        });
        none.into_iter().chain(never).collect()
    }

    /// Whether alerts of both would be told as the same one: Alertmanager knows an alert by its name and labels.
    fn same_alert(&self, other: &Written) -> bool {
        let labels = |rule: &Written| rule.labels.iter().map(|(k, v)| (k.clone(), v.to_string())).collect::<Vec<_>>();
        match (&self.alert, &other.alert) {
            (Some(name), Some(before)) => **name == **before && labels(self) == labels(other),
            _ => false,
        }
    }

    fn named(&self, group: &Placed<String>) -> Result<(&Placed<String>, &Condition), Vec<Fault>> {
        if let Some(record) = &self.record {
            let what = format!("`{}` records a series, which needs PromQL; this version has none yet", **record);
            return Err(vec![record.fault(what).help("leave recording rules with Prometheus for now")]);
        }
        let Some(name) = &self.alert else { return Err(vec![group.fault(format!("a rule of group `{}` has no `alert:`", **group))]) };
        match (&self.expr, &self.when) {
            (Some(expr), _) => Err(vec![
                expr.fault(format!("rule `{}` has an `expr`, which needs PromQL; this version has none yet", **name))
                    .help("write a condition on the stream instead, as in when: .error"),
            ]),
            (None, None) => Err(vec![name.fault(format!("rule `{}` has no `when`", **name)).help("as in when: .error")]),
            (None, Some(when)) => Ok((name, when)),
        }
    }

    fn kinds(&self, takes: Kinds) -> Result<Kinds, Fault> {
        // Closed traces also bring their spans and logs, one by one.
        let takes = if takes.has(Kinds::TRACES) { takes.and(Kinds::SPANS).and(Kinds::LOGS) } else { takes };
        let Some(of) = &self.of else { return Ok(if takes.has(Kinds::TRACES) { Kinds::TRACES } else { takes }) };
        let wanted = of.kinds();
        if takes.has(wanted) {
            return Ok(wanted);
        }
        let help = if wanted == Kinds::TRACES { "read a node after `correlate`" } else { "read a node that carries them" };
        Err(of.fault(format!("no {wanted:?} come in here, so that the rule can never hold")).help(help))
    }
}

/// FNV-1a over parts that are each ended by 0xff.
pub(crate) fn hash<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u64 {
    let bytes = parts.flat_map(|part| part.iter().chain(&[0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a group with these rules.
    fn said(rules: &str) -> Vec<String> {
        let text = format!("groups: [{{ name: g, rules: [{rules}] }}]");
        let document = Document::parse("rules.yaml", &text, &config::document::Real).unwrap();
        read(&document, Kinds::ALL).err().into_iter().flatten().map(|fault| fault.what).collect()
    }

    #[test]
    fn a_rule_that_would_hold_always_or_look_at_nothing_is_refused() {
        let found = said("{ alert: a, when: .error, count: 0 }, { alert: b, when: .error, window: 0s }");
        assert_eq!(found, ["rule `a` with `count: 0` would always hold", "rule `b` with `window: 0s` would look at no time at all"]);
    }

    #[test]
    fn two_rules_may_have_one_name_only_if_a_label_tells_them_apart() {
        let found = said("{ alert: a, when: .error }, { alert: a, when: .error, count: 2 }");
        assert_eq!(found, ["two rules of group `g` are called `a` and have the same labels"]);
        assert!(said("{ alert: a, when: .error, labels: { severity: page } }, { alert: a, when: .error }").is_empty());
    }
}
