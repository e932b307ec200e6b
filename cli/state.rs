//! The state of a pipeline as it is read: the ledger in a sentence and as a table, then what it waits for, keeps and warns of.

use crate::{
    page::{Page, Tone},
    table::{Cell, Column, Table, Wide},
    text,
};
use alert::Phase;
use api::Report;
use pipeline::{GatewayState, ledger::Counts};
use signal::Signal;
use std::collections::BTreeMap;

/// Alerts that are named.
const ALERTS_MAX: usize = 10;
/// Gateways that are.
const GATEWAYS_MAX: usize = 5;

/// Whether nothing was lost, at a node or in a store's log.
pub(crate) fn is_lossless(report: &Report) -> bool {
    report.pipeline.lost == 0 && report.pipeline.unbalanced.is_none() && report.stores.iter().all(|store| store.unreadable == 0)
}

/// All of it.
pub(crate) fn show(report: &Report, page: Page) -> String {
    let tone = if is_lossless(report) { Tone::Strong } else { Tone::Bad };
    let mut lines: Vec<String> =
        text::wrap(&text::inert(&report.pipeline.summary), page.width).iter().map(|l| page.paint(tone, l)).collect();
    let rows = rows(report);
    if !rows.is_empty() {
        lines.push(String::new());
        lines.push(Table::fit(columns(), &rows, page).all(&rows));
    }
    let mut facts: Vec<Fact> = report.pipeline.unbalanced.iter().map(|what| (Tone::Bad, "defect", what.clone())).collect();
    facts.extend(reasons(report));
    facts.extend(refused(report));
    facts.extend(files(report));
    facts.extend(sinks(report));
    facts.extend(gateways(report));
    facts.extend(journal(report));
    facts.extend(gone(report));
    facts.extend(dead_letters(report));
    facts.extend(stores(report));
    facts.extend(alerts(report));
    facts.push(memory(report));
    lines.push(String::new());
    for (tone, head, fact) in facts {
        let indent = 10;
        for (at, piece) in text::wrap(&text::inert(&fact), page.width.saturating_sub(indent)).iter().enumerate() {
            let head = text::fill(if at == 0 { head } else { "" }, indent);
            lines.push(format!("{head}{}", page.paint(tone, piece)));
        }
    }
    lines.join("\n")
}

type Fact = (Tone, &'static str, String);

fn columns() -> Vec<Column> {
    let mut columns = vec![Column::left("NODE", Wide::Content(20)), Column::left("SIGNAL", Wide::Content(7))];
    columns.extend(["IN", "MADE", "OUT", "DISCARDED", "REJECTED", "LOST", "HELD"].map(|head| Column::right(head, Wide::Content(26))));
    columns
}

fn rows(report: &Report) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for node in &report.pipeline.ledger.nodes {
        for (signal, counts) in &node.signals {
            let number = |n: u64| Cell(signal::text::thousands(n), if n == 0 { Tone::Dim } else { Tone::Plain });
            let sum = |reasons: &BTreeMap<String, u64>| reasons.values().fold(0, |sum: u64, n| sum.saturating_add(*n));
            let lost = sum(&counts.lost);
            rows.push(vec![
                Cell::plain(node.name.clone()),
                Cell::plain(signal.word()),
                number(counts.taken),
                number(counts.made),
                number(counts.out),
                number(sum(&counts.discarded)),
                number(sum(&counts.rejected)),
                Cell(signal::text::thousands(lost), if lost == 0 { Tone::Dim } else { Tone::Bad }),
                number(u64::try_from(counts.held).unwrap_or(0)),
            ]);
        }
    }
    rows
}

/// A record of a signal.
fn noun(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "span",
        Signal::Logs => "log",
        Signal::Metrics => "point",
    }
}

/// Records that ended one way, by reason.
type Reasons = fn(&Counts) -> &BTreeMap<String, u64>;

/// Requests that sources said no to. Their clients know; here it is for who wonders why something is not there.
fn refused(report: &Report) -> Option<Fact> {
    let mut told = Vec::new();
    for node in &report.pipeline.ledger.nodes {
        for (signal, counts) in &node.signals {
            let requests = counts.refused.iter().map(|(why, sum)| {
                let size = if sum.bytes > 0 { format!(", {}", text::bytes(sum.bytes)) } else { String::new() };
                format!("{} of {signal}{size} at `{}` ({why})", text::count(sum.requests, "request"), node.name)
            });
            told.extend(requests);
        }
    }
    (!told.is_empty()).then(|| (Tone::Warn, "refused", told.join(", ")))
}

/// Why records ended, by node.
fn reasons(report: &Report) -> Vec<Fact> {
    let mut facts = Vec::new();
    let fates: [(&'static str, Tone, Reasons); 3] = [
        ("lost", Tone::Bad, |counts| &counts.lost),
        ("rejected", Tone::Warn, |counts| &counts.rejected),
        ("discarded", Tone::Plain, |counts| &counts.discarded),
    ];
    for (word, tone, of) in fates {
        let mut told = Vec::new();
        for node in &report.pipeline.ledger.nodes {
            for (signal, counts) in &node.signals {
                let reason = |(why, n): (&String, &u64)| format!("{} at `{}` ({why})", text::count(*n, noun(*signal)), node.name);
                told.extend(of(counts).iter().map(reason));
            }
        }
        if !told.is_empty() {
            facts.push((tone, word, told.join(", ")));
        }
    }
    facts
}

/// How sources that read files get on.
fn files(report: &Report) -> Vec<Fact> {
    let read = report.pipeline.sources.iter().filter_map(|source| Some((&source.name, source.files?)));
    let fact = |(at, (name, files)): (usize, (&String, pipeline::positions::Progress))| {
        let behind = match files.behind_bytes {
            0 => "read to their ends".to_owned(),
            bytes => format!("{} unread, the oldest for {}", text::bytes(bytes), text::duration(files.oldest_seconds * 1e3)),
        };
        (Tone::Plain, if at == 0 { "files" } else { "" }, format!("{name}: {}, {behind}", text::count(files.files as u64, "file")))
    };
    read.enumerate().map(fact).collect()
}

fn sinks(report: &Report) -> Vec<Fact> {
    let fact = |(at, sink): (usize, &pipeline::status::SinkStatus)| {
        let queue = &sink.queue;
        let waiting = match queue.bytes {
            0 => "nothing waits".to_owned(),
            bytes => format!(
                "{} of {} wait, the oldest for {}",
                text::bytes(bytes as u64),
                text::bytes(queue.bytes_max as u64),
                text::duration(queue.oldest_seconds * 1e3)
            ),
        };
        let on_disk = match &sink.spill {
            Some(spill) if spill.spilling => format!(
                "; {} of {} on disk, the oldest for {}",
                text::bytes(spill.bytes),
                text::bytes(spill.bytes_max),
                text::duration(spill.oldest_seconds * 1e3)
            ),
            _ => String::new(),
        };
        let (tone, health) = match &sink.health.failing_since {
            None => (Tone::Plain, String::new()),
            Some(since) => {
                let why = sink.health.last_error.as_deref().unwrap_or("no reason given");
                (Tone::Warn, format!("; failing since {} UTC: {why}", text::day_and_time(query::When(since.0))))
            }
        };
        (tone, if at == 0 { "queues" } else { "" }, format!("{}: {waiting}{on_disk}{health}", sink.name))
    };
    report.pipeline.sinks.iter().enumerate().map(fact).collect()
}

/// Whom sinks spread over; the first few that do not answer are named.
fn gateways(report: &Report) -> Vec<Fact> {
    let spread = report.pipeline.sinks.iter().filter_map(|sink| Some((&sink.name, sink.gateways.as_ref()?)));
    let fact = |(at, (name, gateways)): (usize, (&String, &pipeline::Gateways))| {
        let of = |state: GatewayState| gateways.each.iter().filter(move |gateway| gateway.state == state);
        let count = |state: GatewayState| Some(of(state).count()).filter(|n| *n > 0).map(|n| format!("{n} {}", state.word()));
        let counts: Vec<String> = GatewayState::ALL.into_iter().filter_map(count).collect();
        let mut told = if counts.is_empty() { format!("{name}: none is known") } else { format!("{name}: {}", counts.join(", ")) };
        let down: Vec<&str> = of(GatewayState::Down).map(|gateway| gateway.address.as_str()).take(GATEWAYS_MAX).collect();
        if !down.is_empty() {
            told.push_str(&format!(" ({})", down.join(", ")));
        }
        if gateways.moved_traces > 0 {
            told.push_str(&format!("; {} moved away from one that was down", text::count(gateways.moved_traces, "open trace")));
        }
        let is_well = down.is_empty() && !counts.is_empty();
        (if is_well { Tone::Plain } else { Tone::Warn }, if at == 0 { "gateways" } else { "" }, told)
    };
    spread.enumerate().map(fact).collect()
}

fn journal(report: &Report) -> Option<Fact> {
    let journal = report.pipeline.journal.as_ref()?;
    let mut told = format!("{} of {}", text::bytes(journal.bytes), text::bytes(journal.bytes_max));
    if journal.unsettled > 0 {
        told.push_str(&format!(", {} under way", text::count(journal.unsettled as u64, "request")));
    }
    if journal.unread > 0 {
        told.push_str(&format!(
            ", {} not read yet, {} behind",
            text::count(journal.unread, "record"),
            text::duration(journal.lag_seconds * 1e3)
        ));
    }
    Some((Tone::Plain, "journal", told))
}

/// What waits for sinks that are gone.
fn gone(report: &Report) -> Vec<Fact> {
    let fact = |(at, gone): (usize, &pipeline::spilled::SpilledStatus)| {
        let (records, bytes) = (text::count(gone.records, "record"), text::bytes(gone.bytes));
        let (oldest, name, folder) = (text::duration(gone.oldest_seconds * 1e3), &gone.name, gone.folder.display());
        let told = format!(
            "{records} on disk ({bytes}), the oldest for {oldest}, for a sink `{name}` that is gone: put it back to have them sent, or remove {folder}"
        );
        (Tone::Warn, if at == 0 { "on disk" } else { "" }, told)
    };
    report.pipeline.gone.iter().enumerate().map(fact).collect()
}

fn dead_letters(report: &Report) -> Option<Fact> {
    let letters = report.pipeline.dead_letters.as_ref().filter(|letters| letters.letters > 0)?;
    let kept = format!("{} with {}", text::count(letters.letters, "letter"), text::count(letters.records, "record"));
    let bytes = format!("{} of {}", text::bytes(letters.bytes), text::bytes(letters.bytes_max));
    Some((Tone::Warn, "dead", format!("{kept}, {bytes}; see `kansoku dead-letters ls`")))
}

fn stores(report: &Report) -> Vec<Fact> {
    let fact = |store: &api::StoreReport| {
        let tables = store.tables.iter().filter(|(_, table)| table.rows > 0);
        let rows: Vec<String> = tables.map(|(name, table)| format!("{} {name}", signal::text::thousands(table.rows))).collect();
        let rows = if rows.is_empty() { "empty".to_owned() } else { rows.join(", ") };
        let (files, bytes) = store.tables.values().fold((0, 0_u64), |(files, bytes), t| (files + t.files, bytes.saturating_add(t.bytes)));
        let mut told = format!(
            "{}: {rows}; {} in {}, {} in memory",
            store.key,
            text::bytes(bytes),
            text::count(files as u64, "file"),
            text::bytes(store.memory_bytes as u64)
        );
        if let Some(oldest) = store.oldest {
            told.push_str(&format!("; the oldest of {} UTC", text::day_and_time(oldest)));
        }
        if store.unreadable == 0 {
            return (Tone::Plain, "store", told);
        }
        (Tone::Bad, "store", format!("{told}; {} of its log could not be read back", text::count(store.unreadable, "part")))
    };
    report.stores.iter().map(fact).collect()
}

fn alerts(report: &Report) -> Vec<Fact> {
    let of = |phase: Phase| report.alerts.iter().filter(move |alert| alert.phase == phase);
    let counts = [(Phase::Firing, "firing"), (Phase::Pending, "pending")].map(|(phase, word)| (of(phase).count(), word));
    let counted: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let told = if counted.is_empty() { "none".to_owned() } else { counted.join(", ") };
    let tone = if counts[0].0 > 0 { Tone::Bad } else { Tone::Plain };
    let mut facts = vec![(tone, "alerts", told)];
    for alert in of(Phase::Firing).chain(of(Phase::Pending)).take(ALERTS_MAX) {
        let labels: Vec<String> =
            alert.labels.iter().filter(|(key, _)| *key != "alertname").map(|(key, value)| format!("{key}={value}")).collect();
        let phase = if alert.phase == Phase::Firing { "firing" } else { "pending" };
        facts.push((
            Tone::Plain,
            "",
            format!("{phase} {} since {} UTC  {}", alert.name, text::day_and_time(alert.since), labels.join(" ")),
        ));
    }
    facts
}

fn memory(report: &Report) -> Fact {
    let memory = &report.pipeline.memory;
    let parts = [("intake", memory.intake), ("window", memory.window), ("queues", memory.queues)];
    let told: Vec<String> = parts.into_iter().map(|(word, used)| format!("{word} {}", text::bytes(used as u64))).collect();
    let up = text::duration(report.pipeline.uptime_seconds * 1e3);
    (Tone::Plain, "memory", format!("{} of a budget of {}; up for {up}", told.join(", "), text::bytes(memory.bytes_max)))
}

#[cfg(test)]
#[path = "state_test.rs"]
mod tests;
