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
        Some(Value::List(list)) => list.iter().filter_map(|one| scalar(one).or_else(|| Keys::of(one, "dimensions").text("name"))).collect(),
        _ => Vec::new(),
    };
    let interval = keys.period("metrics_flush_interval", notes).map(Yaml::plain);
    let delta = keys.text("aggregation_temporality").is_some_and(|word| word == "AGGREGATION_TEMPORALITY_DELTA");
    let series = keys.number("aggregation_cardinality_limit", notes).filter(|most| *most > 0.0).map(Yaml::plain);
    // Durations are exponential histograms, exemplars are always there, and what is idle ends.
    keys.ignore(&[
        "histogram",
        "exemplars",
        "metrics_expiration",
        "namespace",
        "dimensions_cache_size",
        "resource_metrics_cache_size",
        "store",
        "cache_loop",
        "store_expiration_loop",
    ]);
    keys.ignore(&[
        "latency_histogram_buckets",
        "virtual_node_peer_attributes",
        "virtual_node_extra_label",
        "exponential_histogram_max_size",
        "resource_metrics_key_attributes",
    ]);
    keys.finish(notes, "leave it out");
    let dimensions = (!dimensions.is_empty()).then(|| Yaml::texts(dimensions));
    Body::new(
        type_name,
        [("dimensions", dimensions), ("interval", interval), ("temporality", delta.then(|| Yaml::plain("delta"))), ("series_max", series)],
    )
}
