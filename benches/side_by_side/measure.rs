//! One run of one server on one load: first at a given rate, for its memory, then at full speed, for its CPU time.

use crate::{
    load::{Pace, Sender, Sent, To},
    process::{Maker, Server},
    sink::{Counts, Sink},
    topic::Topic,
    work::{Cell, Expected, Work},
};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// After this long without anything new nothing more is expected; above any batch's wait and the trace window's.
const QUIET: Duration = Duration::from_millis(3500);
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// By how much chance may miss, in shares of what is expected.
const CHANCE: f64 = 0.1;

/// What one run showed.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Run {
    pub(crate) cell: String,
    pub(crate) maker: Maker,
    pub(crate) round: u32,
    /// At full speed, for a million items that came in, draining included.
    pub(crate) cpu_s_per_million: f64,
    pub(crate) items_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// A second after it listened.
    pub(crate) idle_mib: f64,
    /// The peak at the given rate.
    pub(crate) peak_mib: f64,
    /// The peak at full speed.
    pub(crate) peak_full_mib: f64,
    pub(crate) paced_items_per_second: f64,
    pub(crate) paced_cpu_s_per_million: f64,
    pub(crate) paced_p99_ms: f64,
    /// Of all phases.
    pub(crate) items_in: u64,
    pub(crate) items_out: u64,
    pub(crate) requests_out: u64,
    pub(crate) refused_requests: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_refusal: Option<String>,
    /// What is wrong with what came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
}

/// Starts the server, loads it, judges what came out, and stops it.
pub(crate) async fn run(
    cell: &Cell,
    (maker, binary, folder): (Maker, &Path, &Path),
    kafka: Option<&str>,
    round: u32,
    length: Duration,
) -> Result<Run, String> {
    let sink = Sink::start().await?;
    let topic = match kafka.filter(|_| cell.work.has_topic()) {
        Some(brokers) => Some(Topic::create(brokers).await?),
        None => None,
    };
    let server = Server::start(maker, binary, cell, folder, (sink.port, topic.as_ref())).await?;
    let (reading, to) = match (&topic, cell.work) {
        (Some(topic), Work::KafkaOut) => (Some(topic.count_into(&sink.counts)?), To::Port(server.port)),
        (Some(topic), Work::KafkaIn) => (None, To::Topic(topic.writer()?)),
        _ => (None, To::Port(server.port)),
    };
    sleep(Duration::from_secs(1)).await;
    let idle_mib = server.memory_mib("VmRSS")?;
    let sender = Sender::new(cell.load);
    let paced = Pace::Rate(cell.rate);
    let warm = sender.send(&to, paced, length.min(Duration::from_secs(1))).await?;
    settle(cell, &[&warm], &sink.counts).await;

    let before = server.cpu_seconds()?;
    let slow = sender.send(&to, paced, length).await?;
    settle(cell, &[&warm, &slow], &sink.counts).await;
    let between = server.cpu_seconds()?;
    let peak_mib = server.memory_mib("VmHWM")?;

    let full = if cell.rate_is_all() { slow.clone() } else { sender.send(&to, Pace::Full, length).await? };
    let all: Vec<&Sent> = if cell.rate_is_all() { vec![&warm, &slow] } else { vec![&warm, &slow, &full] };
    settle(cell, &all, &sink.counts).await;
    let after = server.cpu_seconds()?;
    let peak_full_mib = server.memory_mib("VmHWM")?;
    server.stop().await;
    drop(reading);

    let per_million = |cpu: f64, sent: &Sent| cpu * 1e6 / sent.items.max(1) as f64;
    Ok(Run {
        cell: cell.name(),
        maker,
        round,
        cpu_s_per_million: per_million(if cell.rate_is_all() { between - before } else { after - between }, &full),
        items_per_second: full.items as f64 / full.seconds,
        p50_ms: full.quantile_ms(0.5),
        p99_ms: full.quantile_ms(0.99),
        idle_mib,
        peak_mib,
        peak_full_mib,
        paced_items_per_second: slow.items as f64 / slow.seconds,
        paced_cpu_s_per_million: per_million(between - before, &slow),
        paced_p99_ms: slow.quantile_ms(0.99),
        items_in: all.iter().map(|sent| sent.items).sum(),
        items_out: sink.counts.items(),
        requests_out: sink.counts.requests(),
        refused_requests: all.iter().map(|sent| sent.refused_requests).sum(),
        first_refusal: all.iter().find_map(|sent| sent.first_refusal.clone()),
        fault: fault(cell, expected(cell, &all), &sink.counts),
    })
}

fn expected(cell: &Cell, sent: &[&Sent]) -> Expected {
    let mut all = Sent::default();
    for part in sent {
        all.items += part.items;
        all.unfiltered += part.unfiltered;
        all.remarkable += part.remarkable;
    }
    cell.work.expected(&all)
}

/// Waits until everything has come, or nothing new comes.
async fn settle(cell: &Cell, sent: &[&Sent], counts: &Arc<Counts>) {
    let expected = expected(cell, sent);
    let (began, mut last, mut seen) = (Instant::now(), Instant::now(), counts.items());
    while last.elapsed() < QUIET && began.elapsed() < DRAIN_MAX {
        if matches!(expected, Expected::AtLeast(items) if seen >= items) {
            return;
        }
        sleep(Duration::from_millis(10)).await;
        let now = counts.items();
        if now != seen {
            (seen, last) = (now, Instant::now());
        }
    }
}

fn fault(cell: &Cell, expected: Expected, counts: &Counts) -> Option<String> {
    let came = counts.items();
    if counts.malformed() > 0 {
        return Some(format!("{} malformed requests came out", counts.malformed()));
    }
    if cell.work.sets() && counts.set() != came {
        return Some(format!("of {came} items that came out {} have the attribute", counts.set()));
    }
    match expected {
        Expected::AtLeast(items) if came < items => Some(format!("{} of {items} items are missing", items - came)),
        Expected::About(items) if (came as f64 - items as f64).abs() > items as f64 * CHANCE => {
            Some(format!("{came} items came out where about {items} should"))
        }
        _ => None,
    }
}
