//! `/metrics`: what `status` says, as Prometheus reads it. Made anew for each scrape from the ledger, which is the only place that counts.

use crate::{
    GatewayState, GatewayStatus, Gateways,
    ledger::{Counts, NodeCounts},
    partitions::PartitionStatus,
    positions::Progress,
    running::Inner,
};
use metrics::{counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::collections::BTreeMap;

/// Each metric with its labels and what it counts, for `# HELP` and for the reference.
pub const METRICS: [(&str, &str, &str); 54] = [
    ("kansoku_in_total", "node, kind, signal", "Records that came in."),
    ("kansoku_made_total", "node, kind, signal", "Records that the node made itself."),
    ("kansoku_out_total", "node, kind, signal", "Records that went on; at a sink, that were delivered."),
    ("kansoku_held", "node, kind, signal", "Records that are held now: in a window, a queue, a request at work."),
    ("kansoku_discarded_total", "node, kind, signal, reason", "Records taken out on purpose."),
    ("kansoku_rejected_total", "node, kind, signal, reason", "Records refused for good."),
    ("kansoku_lost_total", "node, kind, signal, reason", "Records gone though nobody wanted that. Alert on it."),
    (
        "kansoku_refused_requests_total",
        "node, kind, signal, reason",
        "Requests that a source said no to; their client still has them, so they came in nowhere.",
    ),
    ("kansoku_refused_bytes_total", "node, kind, signal, reason", "Their bytes, as far as they were known when the answer was given."),
    (
        "kansoku_traces_total",
        "node, state",
        "Traces that `correlate` closed, by state: `joined`, `partial`, `orphan`, `late`, `unsampled_upstream`, `split`.",
    ),
    ("kansoku_traces_closed_total", "node, by", "The same by what closed them: `root`, `idle`, `first`, `cap`, `pressure`, `drain`."),
    (
        "kansoku_trace_logs_total",
        "node, state",
        "Logs of traces by state; `ambiguous` is one whose 64-bit id fits several traces, and that passed without one.",
    ),
    (
        "kansoku_split_traces_total",
        "node, service",
        "Traces of a service that lack parents from its own processes, which never come: they go to another gateway, or are lost on their way.",
    ),
    (
        "kansoku_sampler_pressure_total",
        "node, share",
        "What `sample` decided while a trace window was so full that chance kept less, by the least that it kept of its share: `1/2` to `1/64`.",
    ),
    ("kansoku_unaccounted", "node, kind, signal", "In + made − out − discarded − rejected − lost − held: always 0, or there is a defect."),
    ("kansoku_files", "node", "Files that a source follows."),
    ("kansoku_files_open", "node", "Those of them that are open."),
    ("kansoku_files_behind_bytes", "node", "What lies in them unread."),
    ("kansoku_files_oldest_unread_seconds", "node", "How long the file that waits longest was not read to its end."),
    ("kansoku_lines_split_total", "node", "Records that lines too long for one went into, beyond the first."),
    ("kansoku_lines_repaired_total", "node", "Lines that were not UTF-8; what was not stands as U+FFFD in them."),
    ("kansoku_partitions", "node", "Partitions that a source reads."),
    (
        "kansoku_partition_watermark",
        "node, partition",
        "The position in a partition below which everything is settled; no more is committed.",
    ),
    ("kansoku_partition_unsettled", "node, partition", "Messages of it that were read and are not settled yet."),
    ("kansoku_partition_behind", "node, partition", "Messages in it that were not read yet."),
    ("kansoku_partition_lag_seconds", "node, partition", "How far its time is behind the clock."),
    ("kansoku_rebalances_total", "node", "Times that partitions were shared out anew among the members of a group."),
    (
        "kansoku_partition_split_traces_total",
        "node",
        "Messages whose trace has parts in two partitions, which never meet: those who write them place keys differently.",
    ),
    (
        "kansoku_partition_unkeyed_total",
        "node",
        "Messages with spans whose key is not their trace id, read by a source behind which traces are gathered: their traces may be torn over partitions.",
    ),
    ("kansoku_queue_bytes", "node", "What waits for a sink."),
    ("kansoku_queue_limit_bytes", "node", "What may wait for it."),
    ("kansoku_queue_oldest_seconds", "node", "How long the oldest of it has waited."),
    ("kansoku_sink_failing", "node", "1 while a sink's last delivery failed."),
    ("kansoku_spilling", "node", "1 while what comes for a sink goes to disk."),
    ("kansoku_spill_bytes", "node", "What lies on disk for a sink that was slow."),
    ("kansoku_spill_limit_bytes", "node", "What may lie there; beyond it others wait."),
    ("kansoku_spill_oldest_seconds", "node", "How long the oldest of it has waited."),
    (
        "kansoku_gateways",
        "node, state",
        "Gateways that a sink spreads over: `up`, `down`, or `leaving`, which is no longer one of them and still gets the rest of its traces.",
    ),
    ("kansoku_gateway_records_total", "node, gateway", "Records that a gateway took since it became known."),
    (
        "kansoku_moved_traces_total",
        "node",
        "Traces that were begun with a gateway which then was down, so that their rest went to another: they may be split.",
    ),
    (
        "kansoku_unremembered_traces_total",
        "node",
        "Traces that found no room in the memory of who has which: a change of gateways before they end may split them.",
    ),
    ("kansoku_journal_bytes", "", "The journal on disk."),
    ("kansoku_journal_limit_bytes", "", "What it may take; there new data is refused with a time to retry."),
    ("kansoku_journal_unsettled", "", "Requests that were read and are not settled yet."),
    ("kansoku_journal_unread", "", "Requests that no lane has read yet."),
    ("kansoku_journal_lag_seconds", "", "How far the lanes are behind the clock."),
    ("kansoku_dead_letters", "", "Dead letters: records that a sink refused for good, together."),
    ("kansoku_dead_letters_records", "", "Records in them."),
    ("kansoku_dead_letters_bytes", "", "Their bytes on disk."),
    ("kansoku_dead_letters_limit_bytes", "", "What they may take; beyond it the oldest are lost."),
    ("kansoku_memory_bytes", "share", "Bytes charged to `intake`, `window` and `queues`."),
    ("kansoku_memory_limit_bytes", "", "The budget of the process."),
    ("kansoku_uptime_seconds", "", "Since the start."),
    (
        "kansoku_reloads_total",
        "result",
        "Times the file was read again: `applied`, `unchanged`, or `refused` since something in it is wrong.",
    ),
];

impl Inner {
    /// The text of one scrape.
    pub(crate) fn metrics(&self) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, || self.record());
        handle.render()
    }

    fn record(&self) {
        for (name, _, help) in METRICS {
            // The exporter asks for no more than the words.
            describe_gauge!(name, help);
        }
        let status = self.status();
        for node in &status.ledger.nodes {
            for (signal, counts) in &node.signals {
                record_node(&node.name, node.kind.word(), signal.word(), counts);
            }
        }
        status.ledger.nodes.iter().for_each(record_tallies);
        for (name, files) in status.sources.iter().filter_map(|source| Some((&source.name, source.files?))) {
            record_files(name, files);
        }
        for (name, member) in status.sources.iter().filter_map(|source| Some((&source.name, source.member?))) {
            let held = status.partitions.iter().filter(|partition| partition.node == *name).count();
            gauge!("kansoku_partitions", "node" => name.clone()).set(number(held as u64));
            counter!("kansoku_rebalances_total", "node" => name.clone()).absolute(member.rebalances);
            counter!("kansoku_partition_split_traces_total", "node" => name.clone()).absolute(member.split);
            counter!("kansoku_partition_unkeyed_total", "node" => name.clone()).absolute(member.unkeyed);
        }
        status.partitions.iter().for_each(record_partition);
        for sink in status.sinks {
            let labels = [("node", sink.name)];
            gauge!("kansoku_queue_bytes", &labels).set(number(sink.queue.bytes as u64));
            gauge!("kansoku_queue_limit_bytes", &labels).set(number(sink.queue.bytes_max as u64));
            gauge!("kansoku_queue_oldest_seconds", &labels).set(sink.queue.oldest_seconds);
            gauge!("kansoku_sink_failing", &labels).set(f64::from(u8::from(sink.health.failing_since.is_some())));
            if let Some(gateways) = sink.gateways {
                record_gateways(&labels, &gateways);
            }
            if let Some(spill) = sink.spill {
                gauge!("kansoku_spilling", &labels).set(f64::from(u8::from(spill.spilling)));
                gauge!("kansoku_spill_bytes", &labels).set(number(spill.bytes));
                gauge!("kansoku_spill_limit_bytes", &labels).set(number(spill.bytes_max));
                gauge!("kansoku_spill_oldest_seconds", &labels).set(spill.oldest_seconds);
            }
        }
        for gone in status.gone {
            let labels = [("node", gone.name)];
            gauge!("kansoku_spill_bytes", &labels).set(number(gone.bytes));
            gauge!("kansoku_spill_oldest_seconds", &labels).set(gone.oldest_seconds);
        }
        if let Some(journal) = status.journal {
            gauge!("kansoku_journal_bytes").set(number(journal.bytes));
            gauge!("kansoku_journal_limit_bytes").set(number(journal.bytes_max));
            gauge!("kansoku_journal_unsettled").set(number(journal.unsettled as u64));
            gauge!("kansoku_journal_unread").set(number(journal.unread));
            gauge!("kansoku_journal_lag_seconds").set(journal.lag_seconds);
        }
        if let Some(letters) = status.dead_letters {
            gauge!("kansoku_dead_letters").set(number(letters.letters));
            gauge!("kansoku_dead_letters_records").set(number(letters.records));
            gauge!("kansoku_dead_letters_bytes").set(number(letters.bytes));
            gauge!("kansoku_dead_letters_limit_bytes").set(number(letters.bytes_max));
        }
        gauge!("kansoku_memory_limit_bytes").set(number(status.memory.bytes_max));
        for (share, used) in [("intake", status.memory.intake), ("window", status.memory.window), ("queues", status.memory.queues)] {
            gauge!("kansoku_memory_bytes", "share" => share).set(number(used as u64));
        }
        for (result, times) in self.attempts.counts() {
            counter!("kansoku_reloads_total", "result" => result).absolute(times);
        }
        gauge!("kansoku_uptime_seconds").set(status.uptime_seconds);
    }
}

/// An address that is known no more is not told any more, so that there are only so many.
fn record_gateways(node: &[(&'static str, String); 1], gateways: &Gateways) {
    let [(_, name)] = node;
    for state in GatewayState::ALL {
        let count = gateways.each.iter().filter(|gateway| gateway.state == state).count();
        gauge!("kansoku_gateways", "node" => name.clone(), "state" => state.word()).set(number(count as u64));
    }
    for GatewayStatus { address, records, .. } in &gateways.each {
        counter!("kansoku_gateway_records_total", "node" => name.clone(), "gateway" => address.clone()).absolute(*records);
    }
    counter!("kansoku_moved_traces_total", node).absolute(gateways.moved_traces);
    counter!("kansoku_unremembered_traces_total", node).absolute(gateways.unremembered_traces);
}

fn record_files(node: &str, files: Progress) {
    let labels = [("node", node.to_owned())];
    gauge!("kansoku_files", &labels).set(number(files.files as u64));
    gauge!("kansoku_files_open", &labels).set(number(files.open as u64));
    gauge!("kansoku_files_behind_bytes", &labels).set(number(files.behind_bytes));
    gauge!("kansoku_files_oldest_unread_seconds", &labels).set(files.oldest_seconds);
    counter!("kansoku_lines_split_total", &labels).absolute(files.split);
    counter!("kansoku_lines_repaired_total", &labels).absolute(files.repaired);
}

fn record_partition(partition: &PartitionStatus) {
    let labels = [("node", partition.node.clone()), ("partition", partition.partition.clone())];
    gauge!("kansoku_partition_watermark", &labels).set(number(partition.watermark));
    gauge!("kansoku_partition_unsettled", &labels).set(number(partition.unsettled));
    gauge!("kansoku_partition_behind", &labels).set(number(partition.behind));
    gauge!("kansoku_partition_lag_seconds", &labels).set(partition.lag_seconds);
}

fn record_node(node: &str, kind: &'static str, signal: &'static str, counts: &Counts) {
    let labels = [("node", node.to_owned()), ("kind", kind.to_owned()), ("signal", signal.to_owned())];
    counter!("kansoku_in_total", &labels).absolute(counts.taken);
    counter!("kansoku_made_total", &labels).absolute(counts.made);
    counter!("kansoku_out_total", &labels).absolute(counts.out);
    gauge!("kansoku_held", &labels).set(counts.held as f64);
    gauge!("kansoku_unaccounted", &labels).set(counts.difference() as f64);
    let ended = |metric: &'static str, reasons: &BTreeMap<String, u64>| {
        for (reason, records) in reasons {
            let mut labels = labels.to_vec();
            labels.push(("reason", reason.clone()));
            counter!(metric, &labels).absolute(*records);
        }
    };
    ended("kansoku_discarded_total", &counts.discarded);
    ended("kansoku_rejected_total", &counts.rejected);
    ended("kansoku_lost_total", &counts.lost);
    for (reason, sum) in &counts.refused {
        let mut labels = labels.to_vec();
        labels.push(("reason", reason.clone()));
        counter!("kansoku_refused_requests_total", &labels).absolute(sum.requests);
        counter!("kansoku_refused_bytes_total", &labels).absolute(sum.bytes);
    }
}

fn record_tallies(node: &NodeCounts) {
    let ended = |metric: &'static str, label: &'static str| {
        for (word, times) in node.tallies.get(metric).into_iter().flatten() {
            counter!(metric, "node" => node.name.clone(), label => word.clone()).absolute(*times);
        }
    };
    ended("kansoku_traces_total", "state");
    ended("kansoku_traces_closed_total", "by");
    ended("kansoku_trace_logs_total", "state");
    ended("kansoku_split_traces_total", "service");
    ended("kansoku_sampler_pressure_total", "share");
}

/// Gauges are floats; above 2^53 they lose the last digits, which nobody reads.
fn number(value: u64) -> f64 {
    value as f64
}
