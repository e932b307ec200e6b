//! The part of `/metrics` that the pipeline cannot tell: what is in stores, and alerts. Made anew for each scrape.

use crate::alerts;
use alert::{Phase, Ruler};
use metrics::{describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use pipeline::Pool;
use store::Store;

/// Each metric with its labels and what it counts, for `# HELP` and for the reference.
pub const METRICS: [(&str, &str, &str); 8] = [
    ("kansoku_store_rows", "store, table", "Rows in files."),
    ("kansoku_store_files", "store, table", "Files."),
    ("kansoku_store_file_bytes", "store, table", "Their bytes."),
    ("kansoku_store_memory_bytes", "store", "Rows that are in no file yet."),
    ("kansoku_store_log_bytes", "store", "The store's own log."),
    ("kansoku_store_unreadable_entries", "store", "Entries of the log that could not be read at start."),
    ("kansoku_alerts", "phase", "Alerts that are `pending` or `firing`."),
    (
        "kansoku_alert_state_damaged",
        "node",
        "Whether the state of alerts could not be read at start, so that it was set aside and counting began anew.",
    ),
];

/// The text of it.
pub(crate) fn of(pool: &Pool) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    with_local_recorder(&recorder, || record(pool));
    handle.render()
}

fn record(pool: &Pool) {
    METRICS.into_iter().for_each(|(name, _, help)| describe_gauge!(name, help));
    for (key, store) in pool.all::<Store>() {
        let stats = store.stats();
        for table in &stats.tables {
            let labels = [("store", key.clone()), ("table", table.table.word().to_owned())];
            gauge!("kansoku_store_rows", &labels).set(number(table.rows));
            gauge!("kansoku_store_files", &labels).set(number(table.files as u64));
            gauge!("kansoku_store_file_bytes", &labels).set(number(table.bytes));
        }
        let labels = [("store", key)];
        gauge!("kansoku_store_memory_bytes", &labels).set(number(stats.memory_bytes as u64));
        gauge!("kansoku_store_log_bytes", &labels).set(number(stats.log_bytes));
        gauge!("kansoku_store_unreadable_entries", &labels).set(number(stats.unreadable));
    }
    for (node, ruler) in pool.all::<Ruler>() {
        gauge!("kansoku_alert_state_damaged", "node" => node).set(number(ruler.damaged()));
    }
    let active = alerts::active(pool);
    for (word, phase) in [("pending", Phase::Pending), ("firing", Phase::Firing)] {
        let count = active.iter().filter(|alert| alert.phase == phase).count();
        gauge!("kansoku_alerts", "phase" => word).set(number(count as u64));
    }
}

/// Prometheus' numbers are doubles; beyond 2^53 the last digits go.
fn number(n: u64) -> f64 {
    n as f64
}
