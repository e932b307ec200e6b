//! A rule as it is written, and what is wrong with it.

use super::{
    Of,
    balance::{Balance, Goal},
    quantiles::Quantiles,
    rare::Rare,
    rate::{Quantile, Rate, Unit},
    rule::{Learned, Least, Ready},
};
use config::{Fault, Placed, Share};
use expression::{Condition, Field, Getter, Predicate};
use parking_lot::Mutex;
use pipeline::BuildContext;
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, threshold};
use std::sync::Arc;

/// One rule. All that it asks for must hold; a rule that asks for nothing matches everything.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Words")]
pub(super) struct Rule(Words);

/// The words of a rule.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(super) struct Words {
    /// Its name: an attribute of the traces it keeps, and what `kansoku why` tells.
    name: Placed<String>,
    /// What must hold.
    when: Option<Condition>,
    /// What must hold for one of the trace's spans at least.
    any_span: Option<Condition>,
    /// What must hold for one of the trace's log records at least.
    any_log: Option<Condition>,
    /// What may hold for none of the trace's spans.
    no_span: Option<Condition>,
    /// What may hold for none of the trace's log records.
    no_log: Option<Condition>,
    /// Matches what takes longer than this quantile of its kind, such as `p99`, over the last ten minutes. Its kind is told by `by`; without it a trace is compared
    /// with those of the same root service and name. Until twenty of a kind were seen, a hundred for `p99`, none of it is slow.
    slower_than: Option<Placed<Quantile>>,
    /// Matches what has come less often than this, such as `10/h`. Told apart by `by`; without it traces of almost the same operations are of one kind.
    rare: Option<Placed<Rate>>,
    /// The share that is kept, such as `10%`. Which ones follows from the trace id, the same at every stage.
    keep: Option<Placed<Share>>,
    /// What is kept at the most, such as `100/s`, `5000 spans/s` or `1MiB/s`; with `by` of each key. Those above it are left out by the trace id too, so that counts
    /// stay right. Each is decided at once, by what came before it. So where g times as much comes as in the second before, or as fits where nothing came, the limit is
    /// passed: 1 + ln g times as much is kept, 1.7 times for twice as much, 4.9 times for fifty times as much. It is made up for in the seconds after, which keep half at least.
    at_most: Option<Placed<Rate>>,
    /// What is kept at the least, such as `1/s` or `5/h`, whatever `keep` says: the first that come; with `by` of each key. `at_most` limits it still.
    at_least: Option<Placed<Rate>>,
    /// The fields by whose values `slower_than`, `rare`, `at_most` and `at_least` tell apart; 512 keys at the most, all others together are one more.
    #[serde(default)]
    by: Vec<Field>,
    /// The fields over whose values the share is balanced: frequent keys are kept less and rare ones more, so that `keep` is met over all of them; without `keep`,
    /// `at_most`. Learned over a few times 15 s, for 500 keys at the most.
    #[serde(default)]
    balance: Vec<Field>,
}

const EACH_RECORD: &str = "write what must hold for the record in `when`";

/// Checked here so that a word which cannot be read is not taken for one that is missing.
impl TryFrom<Words> for Rule {
    type Error = String;

    fn try_from(words: Words) -> Result<Rule, String> {
        let name = words.name.as_str();
        if words.keep.is_none() && words.at_most.is_none() {
            return Err(format!("rule `{name}` does not say what it keeps; add `keep: 100%`, or a limit such as `at_most: 100/s`"));
        }
        let apart = words.at_most.is_some() || words.at_least.is_some() || words.rare.is_some() || words.slower_than.is_some();
        if !words.by.is_empty() && !apart {
            return Err(format!(
                "rule `{name}` has nothing that `by` could tell apart; for a share that depends on these fields write `balance`"
            ));
        }
        Ok(Rule(words))
    }
}

impl Rule {
    /// Its name.
    pub(super) fn name(&self) -> &Placed<String> {
        &self.0.name
    }

    /// Whether it matches everything that comes.
    pub(super) fn catches_all(&self, of: Of) -> bool {
        let all = |when: &Condition| when.compile(of.kinds()).is_ok_and(|p| p.constant() == Some(true));
        self.asks_of_records().next().is_none()
            && self.0.slower_than.is_none()
            && self.0.rare.is_none()
            && self.0.when.as_ref().is_none_or(all)
    }

    /// Whether a rule before it matches whatever this one could.
    pub(super) fn is_covered_by(&self, before: &Rule, of: Of) -> bool {
        let same = |one: &Option<Condition>, other: &Option<Condition>| {
            one.as_ref().is_none_or(|one| other.as_ref().is_some_and(|other| one.text().trim() == other.text().trim()))
        };
        before.catches_all(of)
            || before.0.slower_than.is_none()
                && before.0.rare.is_none()
                && same(&before.0.when, &self.0.when)
                && same(&before.0.any_span, &self.0.any_span)
                && same(&before.0.any_log, &self.0.any_log)
                && same(&before.0.no_span, &self.0.no_span)
                && same(&before.0.no_log, &self.0.no_log)
    }

    /// The condition that never holds, if there is one.
    pub(super) fn never_holds(&self, of: Of) -> Option<&Condition> {
        self.0.when.as_ref().filter(|when| when.compile(of.kinds()).is_ok_and(|p| p.constant() == Some(false)))
    }

    fn asks_of_records(&self) -> impl Iterator<Item = (&'static str, &Condition)> {
        let all = [("any_span", &self.0.any_span), ("any_log", &self.0.any_log), ("no_span", &self.0.no_span), ("no_log", &self.0.no_log)];
        all.into_iter().filter_map(|(key, condition)| Some((key, condition.as_ref()?)))
    }

    /// Compiles it, or says all that is wrong with it.
    pub(super) fn ready(&self, context: &BuildContext<'_>, of: Of) -> Result<Ready, Vec<Fault>> {
        let mut faults = self.contradictions(of);
        let mut compile = |condition: &Option<Condition>, kinds: Kinds| {
            let compiled = condition.as_ref().map(|condition| condition.compile(kinds)).transpose();
            compiled.unwrap_or_else(|found| {
                faults.extend(found);
                None
            })
        };
        let (spans, logs) = (Kinds::SPANS, Kinds::LOGS);
        let (when, any_span, any_log): (Option<Predicate>, _, _) =
            (compile(&self.0.when, of.kinds()), compile(&self.0.any_span, spans), compile(&self.0.any_log, logs));
        let (no_span, no_log) = (compile(&self.0.no_span, spans), compile(&self.0.no_log, logs));
        let slow_by = match (self.0.by.is_empty(), of) {
            (false, _) => self.0.by.clone(),
            (true, Of::Traces) => [".root.service", ".root.name"].map(Field::built_in).to_vec(),
            (true, Of::Spans) => [".service", ".name"].map(Field::built_in).to_vec(),
            (true, Of::Logs | Of::Metrics) => Vec::new(),
        };
        let slow_by = if self.0.slower_than.is_some() { slow_by } else { Vec::new() };
        let mut getters = |fields: &[Field]| -> Vec<Getter> {
            let (found, wrong): (Vec<_>, Vec<_>) = fields.iter().map(|field| field.compile(of.kinds())).partition(Result::is_ok);
            faults.extend(wrong.into_iter().filter_map(Result::err).flatten());
            found.into_iter().flatten().collect()
        };
        let (by, slow_by, balance) = (getters(&self.0.by), getters(&slow_by), getters(&self.0.balance));
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Ready {
            name: self.0.name.as_str().into(),
            when,
            any_span,
            any_log,
            no_span,
            no_log,
            by,
            slow_by,
            balance,
            keep: threshold::of_share(self.0.keep.as_ref().map_or(1.0, |keep| keep.0)),
            at_most: self.0.at_most.as_deref().copied(),
            learned: self.learned(context),
        })
    }

    /// What does not go together.
    fn contradictions(&self, of: Of) -> Vec<Fault> {
        let mut faults = Vec::new();
        if of != Of::Traces {
            let asks = self.asks_of_records().map(|(key, condition)| {
                condition.fault(format!("`{key}` asks the records of a closed trace; `of: {}` has none", of.word())).help(EACH_RECORD)
            });
            faults.extend(asks);
        }
        faults.extend(self.0.at_most.iter().filter_map(|rate| counts(rate, of)));
        for (key, rate) in [("at_least", &self.0.at_least), ("rare", &self.0.rare)] {
            let other = rate.as_ref().filter(|rate| rate.unit != of.unit() && rate.unit != Unit::Items);
            faults.extend(other.map(|rate| rate.fault(format!("`{key}` counts {}: write it like `10/h`", of.word()))));
        }
        let alike = (&self.0.slower_than, of);
        if let (Some(quantile), Of::Logs | Of::Metrics) = alike {
            faults.push(quantile.fault(format!("{} take no time that could be compared", of.word())));
        }
        if let Some(rate) = self.0.rare.as_ref().filter(|_| of != Of::Traces && self.0.by.is_empty()) {
            faults.push(
                rate.fault("`rare` has nothing that tells one from the other")
                    .help("name the fields that tell: `by: [.service, .attributes.\"http.route\"]`"),
            );
        }
        faults
    }

    /// What the rule learns, the same for every lane, and after a reload that leaves the rule as it was.
    fn learned(&self, context: &BuildContext<'_>) -> Option<Arc<Mutex<Learned>>> {
        let learns = !self.0.balance.is_empty()
            || self.0.at_most.is_some()
            || self.0.at_least.is_some()
            || self.0.slower_than.is_some()
            || self.0.rare.is_some();
        let make = || {
            let goal = match (&self.0.keep, &self.0.at_most) {
                (Some(share), _) => Some((Unit::Items, Goal::Share(share.0))),
                (None, Some(rate)) => Some((rate.unit, Goal::PerSecond(rate.amount as f64 / rate.period.as_secs_f64()))),
                (None, None) => None,
            };
            let learned = Learned {
                slower: self.0.slower_than.as_ref().map(|quantile| Quantiles::new(quantile.0)),
                rare: self.0.rare.as_ref().map(|rate| Rare::new(rate.amount, rate.period)),
                balance: goal.filter(|_| !self.0.balance.is_empty()).map(|(unit, goal)| (unit, Balance::new(goal))),
                least: self.0.at_least.as_deref().map(|rate| Least::new(*rate)),
                limits: self.0.at_most.as_ref().map(|_| Learned::limits()),
            };
            Ok::<_, std::convert::Infallible>(Arc::new(Mutex::new(learned)))
        };
        learns.then(|| context.pool.get_or(&self.signature(context.name), make).unwrap_or_else(|never| match never {}))
    }

    /// Two rules of one signature learn the same.
    fn signature(&self, node: &str) -> String {
        let fields = |fields: &[Field]| fields.iter().map(|field| field.text().to_owned()).collect::<Vec<_>>();
        let rates = [&self.0.at_most, &self.0.at_least, &self.0.rare].map(|rate| rate.as_deref().copied());
        let (share, quantile) = (self.0.keep.as_deref().copied(), self.0.slower_than.as_deref().copied());
        format!("{node} {} {share:?} {rates:?} {quantile:?} {:?} {:?}", *self.0.name, fields(&self.0.by), fields(&self.0.balance))
    }
}

/// What is wrong with a limit that counts what does not come here.
pub(super) fn counts(rate: &Placed<Rate>, of: Of) -> Option<Fault> {
    let fits = match rate.unit {
        Unit::Items | Unit::Bytes => true,
        Unit::Spans | Unit::Logs if of == Of::Traces => true,
        unit => unit == of.unit(),
    };
    let what = format!("`{}` counts what is not sampled here", **rate);
    (!fits).then(|| rate.fault(what).help(format!("with `of: {}` write it like `100/s` or `1MiB/s`", of.word())))
}
