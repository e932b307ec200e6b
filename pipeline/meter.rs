//! `/metrics`: what `status` says, as Prometheus reads it. Made anew for each scrape from the ledger, which is the only place that counts.

use crate::{ledger::Counts, running::Inner};
use metrics::{counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::collections::BTreeMap;

const COUNTERS: [(&str, &str); 8] = [
    ("kansoku_in_total", "Records that came in at a node."),
    ("kansoku_made_total", "Records that a node made."),
    ("kansoku_out_total", "Records that went on; at a sink: were delivered."),
    ("kansoku_discarded_total", "Records taken out on purpose, by reason."),
    ("kansoku_rejected_total", "Records refused for good, by reason."),
    ("kansoku_lost_total", "Records that are gone and should not be, by reason. Alert on any increase."),
    ("kansoku_refused_requests_total", "Requests that a source said no to, by reason; their client still has them."),
    ("kansoku_refused_bytes_total", "Bytes of those requests, as far as they were known when the answer was given."),
];

const GAUGES: [(&str, &str); 13] = [
    ("kansoku_held", "Records that are at a node now. In + made = out + discarded + rejected + lost + held."),
    ("kansoku_queue_bytes", "Bytes that wait for a sink."),
    ("kansoku_queue_limit_bytes", "Bytes at which a sink's queue is full."),
    ("kansoku_queue_oldest_seconds", "Age of what waits longest for a sink."),
    ("kansoku_sink_failing", "1 while a sink does not take what it is given."),
    ("kansoku_journal_bytes", "Bytes of the journal on disk."),
    ("kansoku_journal_limit_bytes", "Bytes at which the journal is full and requests are refused."),
    ("kansoku_journal_unsettled", "Requests that were read from the journal and are not settled yet."),
    ("kansoku_journal_unread", "Records in the journal that no lane has read yet."),
    ("kansoku_journal_lag_seconds", "How far what is being read is behind now."),
    ("kansoku_memory_limit_bytes", "The memory budget."),
    ("kansoku_memory_bytes", "What is used of the memory budget, by share."),
    ("kansoku_uptime_seconds", "Seconds since the pipeline began."),
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
        COUNTERS.into_iter().for_each(|(name, help)| describe_counter!(name, help));
        GAUGES.into_iter().for_each(|(name, help)| describe_gauge!(name, help));
        let status = self.status();
        for node in &status.ledger.nodes {
            for (signal, counts) in &node.signals {
                record_node(&node.name, node.kind.word(), signal.word(), counts);
            }
        }
        for sink in status.sinks {
            let labels = [("node", sink.name)];
            gauge!("kansoku_queue_bytes", &labels).set(number(sink.queue.bytes as u64));
            gauge!("kansoku_queue_limit_bytes", &labels).set(number(sink.queue.bytes_max as u64));
            gauge!("kansoku_queue_oldest_seconds", &labels).set(sink.queue.oldest_seconds);
            gauge!("kansoku_sink_failing", &labels).set(f64::from(u8::from(sink.health.failing_since.is_some())));
        }
        if let Some(journal) = status.journal {
            gauge!("kansoku_journal_bytes").set(number(journal.bytes));
            gauge!("kansoku_journal_limit_bytes").set(number(journal.bytes_max));
            gauge!("kansoku_journal_unsettled").set(number(journal.unsettled as u64));
            gauge!("kansoku_journal_unread").set(number(journal.unread));
            gauge!("kansoku_journal_lag_seconds").set(journal.lag_seconds);
        }
        gauge!("kansoku_memory_limit_bytes").set(number(status.memory.bytes_max));
        for (share, used) in [("intake", status.memory.intake), ("window", status.memory.window), ("queues", status.memory.queues)] {
            gauge!("kansoku_memory_bytes", "share" => share).set(number(used as u64));
        }
        gauge!("kansoku_uptime_seconds").set(status.uptime_seconds);
    }
}

fn record_node(node: &str, kind: &'static str, signal: &'static str, counts: &Counts) {
    let labels = [("node", node.to_owned()), ("kind", kind.to_owned()), ("signal", signal.to_owned())];
    counter!("kansoku_in_total", &labels).absolute(counts.taken);
    counter!("kansoku_made_total", &labels).absolute(counts.made);
    counter!("kansoku_out_total", &labels).absolute(counts.out);
    gauge!("kansoku_held", &labels).set(counts.held as f64);
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

/// Gauges are floats; above 2^53 they lose the last digits, which nobody reads.
fn number(value: u64) -> f64 {
    value as f64
}
