//! Fields as labels, for `by:`.

use super::{logs, points, rootless, spans, trace};
use crate::Field;
use signal::{Batch, Kinds};

fn got(text: &str, batch: &Batch, at: usize) -> Option<String> {
    let getter = Field::built_in(text).compile(Kinds::RECORDS).unwrap();
    getter.get(&batch.records().nth(at).unwrap()).map(std::borrow::Cow::into_owned)
}

#[test]
fn a_field_is_got_as_text() {
    assert_eq!(got(".service", &spans(), 0).as_deref(), Some("shop"));
    assert_eq!(got(".attributes.n", &spans(), 0).as_deref(), Some("7"));
    assert_eq!(got(".attributes.flag", &spans(), 0).as_deref(), Some("true"));
    assert_eq!(got(".trace_id", &spans(), 0).as_deref(), Some(super::TRACE));
    assert_eq!(got(".start_time", &spans(), 0).as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(got(".http_status", &spans(), 1).as_deref(), Some("404"));
    assert_eq!(got(".severity", &logs(), 0).as_deref(), Some("ERROR"));
    assert_eq!(got(".severity", &spans(), 0), None);
    assert_eq!(got(".attributes.none", &points(), 0), None);
    let getter = Field::built_in(".root.attributes.\"http.route\"").compile(Kinds::TRACES).unwrap();
    assert_eq!(getter.get_trace(&trace()).as_deref(), Some("/cart"));
    assert_eq!(getter.get_trace(&rootless()), None);
}

#[test]
fn a_label_is_the_path_without_the_map_it_is_in() {
    let label = |text: &str| Field::built_in(text).label();
    assert_eq!(label(".service"), "service");
    assert_eq!(label(".attributes.\"http.route\""), "http.route");
    assert_eq!(label(".attributes.http.route"), "http.route");
    assert_eq!(label(".resource.\"k8s.pod.name\""), "k8s.pod.name");
    assert_eq!(label(".root.service"), "root.service");
    assert_eq!(label("nonsense ("), "nonsense (");
}
