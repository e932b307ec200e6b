//! What is done between, part by part.

use crate::{
    Offers,
    attributes::{self, Whose},
    exporters::batch_size,
    filter,
    nodes::{Body, File, Signal},
    notes::Notes,
    sampling, transform,
    written::Keys,
    yaml::Yaml,
};
use config::{Bytes, Node, Place};

/// What batch processors say of the sinks behind them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batching {
    pub(crate) items: Option<f64>,
    pub(crate) linger: Option<config::Period>,
    /// The last of them.
    pub(crate) said: Option<(Place, String)>,
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
        "groupbytrace" => vec![gathered(Keys::of(node, format!("processors.{id}")), notes)],
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
    let items = batch_size(&mut keys, ["send_batch_max_size", "send_batch_size"], notes);
    let linger = keys.period("timeout", notes);
    if let Some((place, path)) = &batching.said {
        notes.needless(*place, path, "the batch after it in the same pipeline is what the sinks are told");
    }
    (batching.items, batching.linger) = (items, linger);
    batching.said = Some((keys.place, keys.path.clone()));
    if let Some(node) = keys.take("metadata_keys") {
        notes.left_out(node.place, format!("`{}.metadata_keys`: what a client says of itself is not kept here", keys.path), "leave it out");
    }
    keys.needless(&["metadata_cardinality_limit"], "batches are not told apart by what a client says of itself", notes);
    keys.finish(notes, "sinks batch by themselves: delivery: { batch_items: 8192, linger: 200ms }");
}

fn gathered(mut keys: Keys<'_>, notes: &mut Notes) -> Body {
    let wait = keys.period("wait_duration", notes).map(Yaml::plain);
    let why = "the window is bounded in bytes and spread over the cores by itself";
    keys.needless(&["num_traces", "num_workers", "discard_orphans", "store_on_disk"], why, notes);
    keys.finish(notes, "leave it out");
    Body::new("correlate", [("close", wait.map(|wait| Yaml::map([("after_first", Some(wait))])))])
}

/// Says of what a processor does to signals of which no pipeline comes through it that it is not needed.
pub(crate) fn unread(id: &str, node: &Node, signals: &[Signal], notes: &mut Notes) {
    let of_signal: &[(Signal, &[&str])] = match id.split('/').next().unwrap_or_default() {
        "filter" => &[
            (Signal::Traces, &["traces", "spans", "trace_conditions"]),
            (Signal::Logs, &["logs", "log_conditions"]),
            (Signal::Metrics, &["metrics", "metric_conditions"]),
        ],
        "transform" => {
            &[(Signal::Traces, &["trace_statements"]), (Signal::Logs, &["log_statements"]), (Signal::Metrics, &["metric_statements"])]
        }
        _ => return,
    };
    let mut keys = Keys::of(node, format!("processors.{id}"));
    for (signal, names) in of_signal.iter().filter(|(signal, _)| !signals.contains(signal)) {
        keys.needless(names, &format!("no pipeline of {} comes through it", signal.word()), notes);
    }
}

fn memory(mut keys: Keys<'_>, file: &mut File, notes: &mut Notes) {
    if let Some(mib) = keys.number("limit_mib", notes).filter(|mib| *mib >= 1.0) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast stops at the ends of what a u64 holds")]
        let bytes = Bytes((mib * 1024.0 * 1024.0) as u64);
        if !file.set("memory", Yaml::plain(bytes)) {
            notes.differs(keys.place, format!("`{}.limit_mib`: there is one budget for all", keys.path), "memory: 512MiB");
        }
    }
    let why = "without `memory` the budget is a share of what the cgroup or the machine has";
    keys.differs(&["limit_percentage"], why, "memory: 512MiB", notes);
    let why = "each request is admitted or refused by its size, so that nothing has to be checked now and then";
    let own = ["check_interval", "spike_limit_mib", "spike_limit_percentage"];
    keys.needless(&own, why, notes);
    let why = "there is no garbage collector";
    keys.needless(&["min_gc_interval_when_soft_limited", "min_gc_interval_when_hard_limited"], why, notes);
    keys.finish(notes, "memory: 512MiB");
}
