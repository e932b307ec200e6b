//! `/api/v1/status`: the pipeline's own state, and what is in stores and alerts.

use crate::{alerts, answer::json, routes::Shared};
use alert::Phase;
use axum::{extract::State, response::Response};
use pipeline::{Pool, Status};
use query::When;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt::Write};
use store::Store;

/// Alerts that the status names; `/api/v1/alerts` has all.
const ALERTS_MAX: usize = 100;

/// The answer of `/api/v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of the running process.
    pub version: String,
    /// The ledger, queues, journal and memory.
    #[serde(flatten)]
    pub pipeline: Status,
    /// Every store.
    pub stores: Vec<StoreReport>,
    /// Pending and firing alerts, the oldest first, a hundred at the most.
    pub alerts: Vec<AlertLine>,
}

/// How much is in a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreReport {
    /// Its folder, and the name by which a query asks for it.
    pub key: String,
    /// `spans`, `logs`, `metrics`, `traces`.
    pub tables: BTreeMap<String, TableReport>,
    /// Bytes of rows that are in memory (and in the store's log).
    pub memory_bytes: usize,
    /// Bytes of the store's log.
    pub log_bytes: u64,
    /// The time of the oldest row.
    pub oldest: Option<When>,
    /// Entries of its log that could not be read back; their rows are lost.
    pub unreadable: u64,
}

/// How much is in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableReport {
    /// In memory and in files.
    pub rows: u64,
    /// Parquet files.
    pub files: usize,
    /// Bytes of the files.
    pub bytes: u64,
}

/// An alert in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertLine {
    /// The rule's name.
    pub name: String,
    /// Where it stands.
    pub phase: Phase,
    /// Since when the rule holds.
    pub since: When,
    /// What it is about.
    pub labels: BTreeMap<String, String>,
}

impl Report {
    pub(crate) fn of(pipeline: Status, pool: &Pool) -> Report {
        let alerts = alerts::active(pool).into_iter().take(ALERTS_MAX).map(|alert| AlertLine {
            name: alert.name,
            phase: alert.phase,
            since: alert.active_since,
            labels: alert.labels,
        });
        let stores = pool.all::<Store>().into_iter().map(|(key, store)| StoreReport::of(key, &store)).collect();
        Report { version: env!("CARGO_PKG_VERSION").to_owned(), pipeline, stores, alerts: alerts.collect() }
    }
}

impl StoreReport {
    fn of(key: String, store: &Store) -> StoreReport {
        let stats = store.stats();
        let report = |table: &store::TableStats| {
            (table.table.word().to_owned(), TableReport { rows: table.rows, files: table.files, bytes: table.bytes })
        };
        StoreReport {
            key,
            tables: stats.tables.iter().map(report).collect(),
            memory_bytes: stats.memory_bytes,
            log_bytes: stats.log_bytes,
            oldest: stats.oldest.map(|time| When(time.0)),
            unreadable: stats.unreadable,
        }
    }
}

pub(crate) async fn answer(State(shared): State<Shared>) -> Response {
    json(&Report::of(shared.view.status(), shared.view.pool()))
}

/// What `/readyz?verbose` adds. A sink that fails is told and does not matter: it must not take the app beside it out of service.
pub(crate) fn verbose(status: &Status) -> String {
    let mut told = format!("{}\n", status.summary);
    for sink in &status.sinks {
        let state = match (&sink.health.failing_since, &sink.health.last_error) {
            (Some(since), why) => format!("failing since {}: {}", When(since.0), why.as_deref().unwrap_or("no reason given")),
            (None, _) => "takes what it is given".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ok = writeln!(told, "sink {}: {state}", sink.name);
    }
    if let Some(journal) = &status.journal {
        let _ok = writeln!(told, "journal: {} of {} bytes, {:.1} s behind", journal.bytes, journal.bytes_max, journal.lag_seconds);
    }
    let memory = &status.memory;
    let used = memory.intake.saturating_add(memory.window).saturating_add(memory.queues);
    let _ok = writeln!(told, "memory: {used} of {} bytes", memory.bytes_max);
    told
}
