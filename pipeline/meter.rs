//! `/metrics`: what `status` says, as Prometheus reads it. Made anew for each scrape from the ledger, which is the only place that counts.

use crate::{ledger::Counts, running::Inner};
use metrics::{counter, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use std::collections::BTreeMap;

impl Inner {
    /// The text of one scrape.
    pub(crate) fn metrics(&self) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, || self.record());
        handle.render()
    }

    fn record(&self) {
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
}

/// Gauges are floats; above 2^53 they lose the last digits, which nobody reads.
fn number(value: u64) -> f64 {
    value as f64
}
