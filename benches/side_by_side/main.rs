//! Runs the OpenTelemetry Collector and kansoku in turns on the same load and compares CPU seconds per million items, peak memory at an
//! equal rate, and items a second. It counts what came out, and fails when something is missing.
//! `cargo run --release -p side_by_side -- --collector PATH`; how to build a Collector is in `collector/build.sh`.
#![expect(clippy::disallowed_methods, reason = "a stopwatch beside the product, which it starts and whose files it writes")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what it is run for")]

mod client;
mod load;
mod measure;
mod payload;
mod process;
mod report;
mod scan;
mod sink;
mod topic;
mod work;

use clap::Parser;
use measure::Run;
use process::Maker;
use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};
use work::Cell;

/// Compares kansoku with the OpenTelemetry Collector on this machine.
#[derive(Parser)]
struct Words {
    /// A Collector with the parts that `collector/builder.yaml` lists; without one, kansoku is measured alone.
    #[arg(long)]
    collector: Option<PathBuf>,
    /// Kansoku's binary; without one it is built in the profile in which it ships, `dist`.
    #[arg(long)]
    kansoku: Option<PathBuf>,
    /// Only works with this in their name, such as `journal`, `traces-1000` or `gzip`; `all` is every combination. May be repeated.
    #[arg(long)]
    only: Vec<String>,
    /// `HOST:PORT` of a Kafka broker, for the works `kafka_out` and `kafka_in`, which are left out without one: `tests/kafka/broker start FOLDER PORT` starts one.
    #[arg(long)]
    kafka: Option<String>,
    /// Rounds; what is shown is the median over them.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Length of each of the two phases of a run.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// One work, one round, two seconds.
    #[arg(long)]
    quick: bool,
    /// Where all runs and the medians go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = Words::parse();
    if words.quick {
        (words.runs, words.seconds) = (1, 2.0);
        if words.only.is_empty() {
            words.only.push("passthrough-traces-1000-none".to_owned());
        }
    }
    match compare(&words).await {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            eprintln!("\nNOT ALL CAME OUT:\n{}", faults.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// The faults of the runs.
async fn compare(words: &Words) -> Result<Vec<String>, String> {
    let mut cells = work::cells(&words.only);
    cells.retain(|cell| !cell.work.has_topic() || words.kafka.is_some());
    if cells.is_empty() {
        return Err(format!("no work has {:?} in its name", words.only));
    }
    let kansoku = words.kansoku.clone().map_or_else(built, Ok)?;
    let mut servers = vec![(Maker::Kansoku, absolute(&kansoku)?)];
    if let Some(collector) = &words.collector {
        servers.push((Maker::Collector, absolute(collector)?));
    }
    let folder = beside()?.join("side_by_side.runs");
    let (mut lines, mut runs) = (Vec::new(), Vec::new());
    for cell in &cells {
        let of_cell = rounds(cell, &mut servers, &folder, words).await?;
        lines.push(report::line(cell, &of_cell));
        runs.extend(of_cell);
    }
    println!("{}", report::table(&lines));
    if let Some(path) = &words.json {
        let json = serde_json::json!({ "medians": lines, "runs": runs });
        std::fs::write(path, format!("{json:#}\n")).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(runs.iter().filter_map(|run| Some(format!("{} {:?} round {}: {}", run.cell, run.maker, run.round, run.fault.as_ref()?))).collect())
}

/// In turns, and who is first changes from round to round.
async fn rounds(cell: &Cell, servers: &mut [(Maker, PathBuf)], folder: &Path, words: &Words) -> Result<Vec<Run>, String> {
    let mut runs = Vec::new();
    for round in 0..words.runs {
        servers.reverse();
        for (maker, binary) in servers.iter() {
            let folder = folder.join(format!("{maker:?}").to_lowercase());
            let run =
                measure::run(cell, (*maker, binary, &folder), words.kafka.as_deref(), round, Duration::from_secs_f64(words.seconds)).await;
            let run = run.map_err(|e| format!("{} {maker:?}: {e}", cell.name()))?;
            eprintln!(
                "{} {maker:?} {round}: {:.2} CPU s per M ({:.2} paced), {:.0} items/s, {:.0} MiB at {:.0}/s, {} requests refused{}{}",
                run.cell,
                run.cpu_s_per_million,
                run.paced_cpu_s_per_million,
                run.items_per_second,
                run.peak_mib,
                run.paced_items_per_second,
                run.refused_requests,
                run.first_refusal.as_ref().map(|why| format!(" ({why})")).unwrap_or_default(),
                run.fault.as_ref().map(|fault| format!(" -- {fault}")).unwrap_or_default(),
            );
            runs.push(run);
        }
    }
    Ok(runs)
}

/// The folder of this program.
fn beside() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    program.parent().map(Path::to_owned).ok_or_else(|| "this program is nowhere".to_owned())
}

/// Builds kansoku by itself, as it ships: what this program needs is not mixed into it.
fn built() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(["build", "--profile", "dist", "--locked", "--package", "kansoku", "--bin", "kansoku"]).status();
    match status {
        Ok(status) if status.success() => Ok(beside()?.join("../dist/kansoku")),
        Ok(status) => Err(format!("cargo build: {status}")),
        Err(e) => Err(format!("cargo build: {e}; or name a binary with --kansoku")),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))
}
