//! `drop:` and `keep:` in all their forms, read from YAML.

use super::{logs, points, said, spans};
use crate::Conditions;
use serde::Deserialize;
use signal::{Kinds, Time};

#[derive(Deserialize)]
struct Holder {
    drop: Conditions,
}

fn read(yaml: &str) -> Result<Conditions, Vec<String>> {
    let document = config::Document::parse("p.yaml", yaml, &super::Bare).map_err(|(_, faults)| said(&faults))?;
    document.read::<Holder>().map(|h| h.drop).map_err(|faults| said(&faults))
}

fn meets(yaml: &str) -> [Option<bool>; 3] {
    let predicates = read(yaml).unwrap().compile(Kinds::RECORDS).unwrap();
    [spans(), logs(), points()].map(|batch| predicates.meets(&batch.records().next().unwrap(), Time(0)))
}

#[test]
fn one_a_list_or_a_map_of_conditions_is_read() {
    assert_eq!(meets("drop: .error"), [Some(true), Some(true), None]);
    assert_eq!(meets("drop: .is_root"), [Some(true), None, None]);
    assert_eq!(meets("drop: [.is_root, '.severity < \"WARN\"', '.value > 5']"), [Some(true), Some(false), Some(true)]);
    assert_eq!(meets("drop: { spans: '.duration_ms < 5', metrics: ['.value == 1', '.value == 42'] }"), [Some(false), None, Some(true)]);
    assert_eq!(meets("drop: { traces: .error, logs: '.error' }"), [Some(true), Some(true), None]);
    assert_eq!(meets("drop: 'true'"), [Some(true), Some(true), Some(true)]);
}

#[test]
fn faults_stand_in_the_element_they_are_in() {
    let faults = |yaml: &str| said(&read(yaml).unwrap().compile(Kinds::RECORDS).unwrap_err());
    assert_eq!(faults("drop: .x == 1").len(), 1);
    assert!(faults("drop: .x == 1")[0].starts_with("7-8 `x` is no field"));
    let found = faults("drop: ['.error', '.x == 1', '.y']");
    assert!(found[0].starts_with("19-20 `x`") && found[1].starts_with("30-31 `y`"), "{found:#?}");
    assert!(faults("drop: { spans: .severity == \"WARN\" }")[0].starts_with("16-24 `severity` is no field of a span; logs have it"));
    let none = said(&read("drop: { metrics: .value > 1 }").unwrap().compile(Kinds::LOGS).unwrap_err());
    assert_eq!(none, ["17-27 no metrics come here, so this is never asked"]);
}

#[test]
fn what_is_no_condition_is_refused() {
    for yaml in ["drop:", "drop: ''", "drop: []", "drop: {}", "drop: { span: .error }", "drop: { spans: { a: b } }", "drop: 5"] {
        let said = read(yaml).err().or_else(|| read(yaml).unwrap().compile(Kinds::RECORDS).err().map(|f| said(&f)));
        assert!(said.is_some_and(|s| !s.is_empty()), "{yaml}");
    }
    assert!(read("drop: { span: .error }").unwrap_err()[0].contains("did you mean `spans`?"));
}

#[test]
fn the_schema_knows_all_forms() {
    let schema = schemars::schema_for!(Conditions);
    assert!(schema.as_value().pointer("/anyOf/1/properties/spans").is_some());
}
