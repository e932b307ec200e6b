//! What `drop:` and `keep:` take: a condition, a list of which any counts, or a map with one or a list per kind.

use crate::condition::{Condition, Predicate};
use config::{Fault, Placed, nearest};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use signal::{Kinds, Record, Time, Trace};
use std::{borrow::Cow, fmt};

/// One condition, a list of which any counts, or a map with one (or a list) per kind.
#[derive(Clone, Debug)]
pub struct Conditions {
    all: Vec<(Only, Condition)>,
}

/// Which kinds a condition was written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    /// All that come.
    Any,
    /// Those of a map's key.
    Kind(Kinds, &'static str),
}

/// `traces` is the signal: its spans one by one, or closed traces where they flow.
const KEYS: [(&str, Kinds); 4] =
    [("spans", Kinds::SPANS), ("logs", Kinds::LOGS), ("metrics", Kinds::METRICS), ("traces", Kinds::SPANS.and(Kinds::TRACES))];

impl Conditions {
    /// Compiles all of them; a signal without a condition, or with none of the condition's fields, is not asked.
    pub fn compile(&self, takes: Kinds) -> Result<Predicates, Vec<Fault>> {
        let takes = if takes.is_none() { Kinds::ALL } else { takes };
        let mut faults = Vec::new();
        let mut all = Vec::new();
        for (only, condition) in &self.all {
            let kinds = match only {
                Only::Any => takes,
                Only::Kind(kind, word) if takes.common(*kind).is_none() => {
                    faults.push(condition.0.fault(format!("no {word} come here, so this is never asked")));
                    continue;
                }
                Only::Kind(kind, _) => takes.common(*kind),
            };
            match condition.compile(kinds) {
                Ok(predicate) => all.push(predicate),
                Err(more) => faults.extend(more),
            }
        }
        if faults.is_empty() { Ok(Predicates { all: all.into() }) } else { Err(faults) }
    }

    /// Warns of conditions whose answer does not depend on what is asked.
    #[must_use]
    pub fn warnings(&self, takes: Kinds) -> Vec<Fault> {
        let warn = |(_, condition): &(Only, Condition)| {
            let which = if condition.compile(takes).ok()?.constant()? { "every" } else { "no" };
            let what = format!("`{}` holds for {which} record, whatever is in it", condition.text());
            Some(Fault::warning(condition.0.place(), what).help("ask for a field, as in `.error`"))
        };
        self.all.iter().filter_map(warn).collect()
    }
}

/// Compiled conditions, any of which counts.
#[derive(Clone, Debug)]
pub struct Predicates {
    all: std::sync::Arc<[Predicate]>,
}

impl Predicates {
    /// Whether any condition of the record's signal is met; none if the signal is not asked, so that it passes untouched.
    #[must_use]
    pub fn meets(&self, record: &Record<'_>, now: Time) -> Option<bool> {
        self.any(Kinds::of(record.signal()), |predicate| predicate.meets(record, now))
    }

    /// The same for a closed trace as a whole.
    #[must_use]
    pub fn meets_trace(&self, trace: &Trace, now: Time) -> Option<bool> {
        self.any(Kinds::TRACES, |predicate| predicate.meets_trace(trace, now))
    }

    fn any(&self, kind: Kinds, meets: impl Fn(&Predicate) -> bool) -> Option<bool> {
        let mut asked = self.all.iter().filter(|p| p.concerns().has(kind)).peekable();
        asked.peek()?;
        Some(asked.any(meets))
    }

    /// The kinds that are asked.
    #[must_use]
    pub fn concerns(&self) -> Kinds {
        self.all.iter().fold(Kinds::NONE, |kinds, p| kinds.and(p.concerns()))
    }
}

/// A condition, or several in a list or a map; the place is kept for the case that it is one text.
#[derive(Debug)]
enum Written {
    Text(String),
    List(Vec<Condition>),
    Map(Vec<(Only, Condition)>),
}

const EXPECTED: &str = "a condition, a list of conditions, or a map with `spans`, `logs`, `metrics` or `traces`";

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
        Ok(Written::Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, is: bool) -> Result<Written, E> {
        Ok(Written::Text(is.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Written, E> {
        Err(E::custom("this condition is empty; write one in quotes, as in '!exists(.x)'"))
    }

    fn visit_none<E: Error>(self) -> Result<Written, E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Written, A::Error> {
        let mut all = Vec::new();
        while let Some(condition) = list.next_element::<Condition>()? {
            all.push(condition);
        }
        Ok(Written::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut all = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let Some((word, kind)) = KEYS.into_iter().find(|(word, _)| *word == key) else {
                let near = nearest(&key, KEYS.map(|(word, _)| word)).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                return Err(A::Error::custom(format!("`{key}` is none of `spans`, `logs`, `metrics`, `traces`{near}")));
            };
            let place = map.next_value::<Placed<Written>>()?;
            let only = Only::Kind(kind, word);
            match listed(place) {
                Written::Map(_) | Written::Text(_) => return Err(A::Error::custom("a kind has a condition or a list of them")),
                Written::List(conditions) => all.extend(conditions.into_iter().map(|c| (only, c))),
            }
        }
        Ok(Written::Map(all))
    }
}

/// One text as a list of one, with its place.
fn listed(written: Placed<Written>) -> Written {
    if matches!(*written, Written::Text(_)) {
        let text = written.map(|w| if let Written::Text(text) = w { text } else { String::new() });
        return Written::List(vec![Condition(text)]);
    }
    written.into_inner()
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let all = match listed(Placed::<Written>::deserialize(from)?) {
            Written::Map(all) => all,
            Written::List(all) => all.into_iter().map(|c| (Only::Any, c)).collect(),
            Written::Text(_) => Vec::new(),
        };
        if all.is_empty() {
            return Err(D::Error::custom(format!("there is no condition here; write {EXPECTED}")));
        }
        Ok(Conditions { all })
    }
}

impl JsonSchema for Conditions {
    fn schema_name() -> Cow<'static, str> {
        "Conditions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Condition>();
        let several = || json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] });
        let of = |records: &str| {
            let mut schema = several();
            schema.insert("description".to_owned(), format!("What only {records} are asked.").into());
            schema
        };
        let (spans, logs, metrics, traces) = (of("spans"), of("logs"), of("metric points"), of("closed traces"));
        json_schema!({
            "anyOf": [
                several(),
                {
                    "type": "object",
                    "properties": { "spans": spans, "logs": logs, "metrics": metrics, "traces": traces },
                    "additionalProperties": false,
                    "minProperties": 1
                }
            ]
        })
    }
}
