//! What makes metrics between two pipelines.

use crate::{
    nodes::Body,
    notes::Notes,
    written::{Keys, scalar},
    yaml::Yaml,
};
use config::{Node, Value};

/// Settings of the processors that make metrics.
pub(crate) fn convert(id: &str, type_name: &'static str, node: &Node, notes: &mut Notes) -> Body {
    let mut keys = Keys::of(node, format!("connectors.{id}"));
    let dimensions: Vec<String> = match keys.take("dimensions").map(|node| &node.value) {
        Some(Value::List(list)) => list.iter().filter_map(|one| scalar(one).or_else(|| dimension(one, &keys.path, notes))).collect(),
        _ => Vec::new(),
    };
    let interval = keys.period("metrics_flush_interval", notes).map(Yaml::plain);
    let words = ["AGGREGATION_TEMPORALITY_CUMULATIVE", "AGGREGATION_TEMPORALITY_DELTA"];
    let delta = keys.word("aggregation_temporality", &words, notes) == "AGGREGATION_TEMPORALITY_DELTA";
    let stale = keys.period("metrics_expiration", notes).filter(|wait| !wait.0.is_zero()).map(Yaml::plain);
    let series = keys.number("aggregation_cardinality_limit", notes).filter(|most| *most > 0.0).map(Yaml::plain);
    let wait = keys.under("store").and_then(|store| waiting(store, notes));
    let why = "durations are exponential histograms here";
    keys.differs(
        &["histogram", "latency_histogram_buckets", "exponential_histogram_max_size"],
        why,
        "let the backend sum their buckets",
        notes,
    );
    keys.needless(&["exemplars"], "points always have exemplars", notes);
    keys.differs(&["namespace"], "the names are those of Tempo's generator here", "rename them in a `transform`", notes);
    keys.needless(&["dimensions_cache_size", "resource_metrics_cache_size"], "series are bounded by `series_max`", notes);
    keys.needless(&["cache_loop", "store_expiration_loop"], "what waits too long goes at its time", notes);
    let why = "a peer that has no spans is known by the usual attributes here";
    keys.differs(&["virtual_node_peer_attributes", "virtual_node_extra_label"], why, "set `peer.service` in a `transform`", notes);
    let why = "series are told apart by service and dimensions here";
    keys.differs(&["resource_metrics_key_attributes"], why, "dimensions: [service.version]", notes);
    keys.finish(notes, "leave it out");
    let dimensions = (!dimensions.is_empty()).then(|| Yaml::texts(dimensions));
    Body::new(
        type_name,
        [
            ("wait", wait),
            ("dimensions", dimensions),
            ("interval", interval),
            ("temporality", delta.then(|| Yaml::plain("delta"))),
            ("series_max", series),
            ("stale_after", stale),
        ],
    )
}

/// The name of a dimension that says more than that.
fn dimension(one: &Node, path: &str, notes: &mut Notes) -> Option<String> {
    let mut keys = Keys::of(one, format!("{path}.dimensions"));
    let name = keys.text("name");
    keys.finish(notes, "what has no value has no label here; set one in a `transform` before it");
    name
}

/// How long one half of a request waits for the other.
fn waiting(mut store: Keys<'_>, notes: &mut Notes) -> Option<Yaml> {
    let wait = store.period("ttl", notes).map(Yaml::plain);
    store.differs(&["max_items"], "it is bounded for all lanes together here", "edges_max: 10000", notes);
    store.finish(notes, "leave it out");
    wait
}
