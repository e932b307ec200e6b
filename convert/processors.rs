//! What is done between, part by part.

use crate::{
    Offers,
    attributes::{self, Whose},
    filter,
    nodes::{Body, File, Signal},
    notes::Notes,
    sampling, transform,
    written::Keys,
    yaml::Yaml,
};
use config::{Bytes, Node, Place};

/// What a processor says of the sinks behind it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batching {
    pub(crate) items: Option<f64>,
    pub(crate) linger: Option<config::Period>,
}

/// The nodes that do what it does, one after the other; none where nothing needs to be done, or nothing can, which was said.
pub(crate) fn convert(
    (id, place): (&str, Place),
    node: &Node,
    signals: &[Signal],
    offers: Offers<'_>,
    file: &mut File,
    batching: &mut Batching,
    notes: &mut Notes,
) -> Vec<Body> {
    let bodies = match id.split('/').next().unwrap_or_default() {
        "batch" => {
            batch(Keys::of(node, format!("processors.{id}")), batching, notes);
            Vec::new()
        }
        "memory_limiter" => {
            memory(Keys::of(node, format!("processors.{id}")), file, notes);
            Vec::new()
        }
        "filter" => filter::convert(id, node, signals, notes),
        "attributes" => attributes::convert(id, node, Whose::Record, notes),
        "resource" => attributes::convert(id, node, Whose::Resource, notes),
        "transform" => transform::convert(id, node, signals, notes),
        "tail_sampling" => sampling::tail(id, node, notes),
        "probabilistic_sampler" => sampling::probabilistic(id, node, signals, notes),
        "groupbytrace" => vec![Body::new("correlate", [])],
        kind => {
            notes.left_out(place, format!("`processors.{id}`: there is no processor like `{kind}`"), instead_of(kind));
            Vec::new()
        }
    };
    let (made, missing): (Vec<Body>, Vec<Body>) = bodies.into_iter().partition(|body| offers.processors.contains(&body.type_name));
    for body in missing {
        notes.left_out(
            place,
            format!("`processors.{id}`: this version has no processor `{}`", body.type_name),
            "let a Collector do it before",
        );
    }
    made
}

fn instead_of(kind: &str) -> &'static str {
    match kind {
        "k8sattributes" | "k8s_attributes" => {
            "`container_logs` has namespace, pod and container from the path; for spans let the SDK or a Collector set `k8s.pod.name` and the like"
        }
        "resourcedetection" | "resource_detection" => {
            "set it where it is known: a `transform`, vrl: '.resource.\"host.name\" = \"${env:HOSTNAME}\"', or OTEL_RESOURCE_ATTRIBUTES in the program"
        }
        "redaction" => "a `transform`: vrl: 'del(.attributes.\"secret\")'",
        "cumulativetodelta" | "deltatocumulative" | "metricstransform" | "metrics_transform" | "interval" => {
            "let a Collector change metrics before they come here"
        }
        "logdedup" | "log_dedup" => "leave it out; repeats of whole requests are known by themselves",
        _ => "let a Collector do it before, or write it as a `transform`",
    }
}

fn batch(mut keys: Keys<'_>, batching: &mut Batching, notes: &mut Notes) {
    let (most, least) = (keys.number("send_batch_max_size", notes), keys.number("send_batch_size", notes));
    batching.items = batching.items.or(most.filter(|most| *most > 0.0)).or(least);
    batching.linger = batching.linger.or(keys.period("timeout", notes));
    if let Some(node) = keys.take("metadata_keys") {
        notes.left_out(node.place, format!("`{}.metadata_keys`: what a client says of itself is not kept here", keys.path), "leave it out");
    }
    keys.ignore(&["metadata_cardinality_limit"]);
    keys.finish(notes, "sinks batch by themselves: delivery: { batch_items: 8192, linger: 200ms }");
}

fn memory(mut keys: Keys<'_>, file: &mut File, notes: &mut Notes) {
    if let Some(mib) = keys.number("limit_mib", notes).filter(|mib| *mib >= 1.0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast stops at the ends of what a u64 holds")]
        let bytes = Bytes((mib * 1024.0 * 1024.0) as u64);
        file.set("memory", Yaml::plain(bytes));
    }
    // Without a limit of its own it is a share of what the cgroup has; where it begins to refuse follows from it.
    keys.ignore(&[
        "check_interval",
        "limit_percentage",
        "spike_limit_mib",
        "spike_limit_percentage",
        "min_gc_interval_when_soft_limited",
        "min_gc_interval_when_hard_limited",
    ]);
    keys.finish(notes, "memory: 512MiB");
}
