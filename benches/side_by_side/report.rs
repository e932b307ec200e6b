//! Medians and ratios of the runs, as a table and as JSON.

use crate::{
    measure::Run,
    process::Maker,
    work::{Bound, Cell},
};
use serde::Serialize;

/// The medians of one server's runs on one load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Medians {
    cpu_s_per_million: f64,
    paced_cpu_s_per_million: f64,
    items_per_second: f64,
    p99_ms: f64,
    idle_mib: f64,
    peak_mib: f64,
    peak_full_mib: f64,
    paced_items_per_second: f64,
}

/// Kansoku's against the Collector's of the same round, then the median over the rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Ratios {
    cpu: f64,
    paced_cpu: f64,
    peak: f64,
    items_per_second: f64,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    cell: String,
    rate: f64,
    kansoku: Medians,
    #[serde(skip_serializing_if = "Option::is_none")]
    collector: Option<Medians>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratios: Option<Ratios>,
    /// Bytes of memory above idle for each span that is held, kansoku's and the Collector's.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_per_open: Option<(f64, f64)>,
    #[serde(skip)]
    bound: Option<Bound>,
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

fn medians(runs: &[&Run]) -> Medians {
    let of = |figure: fn(&Run) -> f64| median(runs.iter().map(|run| figure(run)));
    Medians {
        cpu_s_per_million: of(|run| run.cpu_s_per_million),
        paced_cpu_s_per_million: of(|run| run.paced_cpu_s_per_million),
        items_per_second: of(|run| run.items_per_second),
        p99_ms: of(|run| run.p99_ms),
        idle_mib: of(|run| run.idle_mib),
        peak_mib: of(|run| run.peak_mib),
        peak_full_mib: of(|run| run.peak_full_mib),
        paced_items_per_second: of(|run| run.paced_items_per_second),
    }
}

/// The line of a cell from its runs.
pub(crate) fn line(cell: &Cell, runs: &[Run]) -> Line {
    let of = |maker: Maker| runs.iter().filter(|run| run.maker == maker).collect::<Vec<_>>();
    let (ours, theirs) = (of(Maker::Kansoku), of(Maker::Collector));
    let ratio = |figure: fn(&Run) -> f64| median(ours.iter().zip(&theirs).map(|(our, their)| figure(our) / figure(their)));
    let ratios = || Ratios {
        cpu: ratio(|run| run.cpu_s_per_million),
        paced_cpu: ratio(|run| run.paced_cpu_s_per_million),
        peak: ratio(|run| run.peak_mib),
        items_per_second: ratio(|run| run.items_per_second),
    };
    Line {
        cell: cell.name(),
        rate: cell.rate,
        kansoku: medians(&ours),
        collector: (!theirs.is_empty()).then(|| medians(&theirs)),
        ratios: (!theirs.is_empty()).then(ratios),
        bytes_per_open: cell.open().map(|open| {
            let above = |runs: &[&Run]| median(runs.iter().map(|run| (run.peak_mib - run.idle_mib) * 1024.0 * 1024.0 / open));
            (above(&ours), above(&theirs))
        }),
        bound: cell.bound(),
    }
}

const HEAD: &str = "\
| work | CPU s per M: Collector | kansoku | ratio | at most | paced ratio | peak MiB: Collector | kansoku | ratio | at most | at items/s | full speed, items/s: Collector | kansoku | p99 ms | idle MiB |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

/// The lines as a Markdown table.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut table = HEAD.to_owned();
    let none = || "–".to_owned();
    for line in lines {
        let ours = line.kansoku;
        let theirs = |figure: fn(&Medians) -> f64, digits: usize| line.collector.as_ref().map_or_else(none, |m| rounded(figure(m), digits));
        let ratio = |figure: fn(&Ratios) -> f64| line.ratios.as_ref().map_or_else(none, |ratios| format!("{:.3}", figure(ratios)));
        let bound = |figure: fn(&Bound) -> f64| line.bound.as_ref().map_or_else(none, |bound| format!("{:.3}", figure(bound)));
        let cells = [
            line.cell.clone(),
            theirs(|m| m.cpu_s_per_million, 2),
            rounded(ours.cpu_s_per_million, 2),
            ratio(|r| r.cpu),
            bound(|b| b.cpu),
            ratio(|r| r.paced_cpu),
            theirs(|m| m.peak_mib, 0),
            rounded(ours.peak_mib, 0),
            ratio(|r| r.peak),
            bound(|b| b.memory),
            grouped(line.rate),
            line.collector.as_ref().map_or_else(none, |m| grouped(m.items_per_second)),
            grouped(ours.items_per_second),
            format!("{}, {}", theirs(|m| m.p99_ms, 0), rounded(ours.p99_ms, 0)),
            format!("{}, {}", theirs(|m| m.idle_mib, 0), rounded(ours.idle_mib, 0)),
        ];
        table.push_str(&format!("\n| {} |", cells.join(" | ")));
    }
    for line in lines {
        if let Some((ours, theirs)) = line.bytes_per_open {
            table.push_str(&format!(
                "\n{}: {ours:.0} bytes above idle for each open span, the Collector {theirs:.0}: {:.3}",
                line.cell,
                ours / theirs
            ));
        }
    }
    table
}

fn rounded(figure: f64, digits: usize) -> String {
    format!("{figure:.digits$}")
}

/// Whole, with a comma between thousands.
fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
