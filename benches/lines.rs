//! Lines per second of the file tailer, from a real file on a real disk through `file` or `container_logs` to a sink that counts, with and without a journal; and CPU
//! per line of the whole process. `cargo bench --bench lines`; a number after `--` is how many lines are written, 10,000 for a look at whether it runs.
#![expect(clippy::print_stdout, reason = "a table is what it is run for")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "files of our own making, read on a stopwatch")]

use config::{Document, Fault, Graph};
use futures::future::BoxFuture;
use pipeline::{BuildContext, Component, Entry, Parcel, Plan, Refusal, Shape, Sink, World, catalog, settings};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::Kinds;
use std::{
    fmt::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LINES: u64 = 2_000_000;
/// The hundredth of a second in which the system counts a process's time.
const TICKS: f64 = 100.0;

/// Counts what it gets.
#[derive(Deserialize, JsonSchema)]
struct Count {}

impl Component for Count {
    type Runs = dyn Sink;
    const TYPE: &'static str = "count";
    const EXAMPLE: &'static str = "{}";
    fn shape(&self, _: Kinds) -> Shape {
        Shape { acts_on: Kinds::RECORDS, ..Shape::passing(Kinds::NONE) }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        Ok(Box::new(Counting(context.pool.get_or::<AtomicU64, Vec<Fault>>("count", || Ok(Arc::default()))?)))
    }
}

struct Counting(Arc<AtomicU64>);

impl Sink for Counting {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.0.fetch_add(parcel.flow.len() as u64, Ordering::Relaxed);
            Ok(())
        })
    }
}

const OWN: &[Entry] = &[catalog::sink::<Count>()];

/// CPU of this process so far.
fn spent() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

fn plain(n: u64) -> String {
    format!("2026-11-29T12:00:00.000Z INFO shop.cart.Checkout charged the card of customer {n} after 2 attempts, total 129.90 EUR\n")
}

fn json(n: u64) -> String {
    format!(
        "{{\"timestamp\":\"2026-11-29T12:00:00.000Z\",\"level\":\"INFO\",\"logger\":\"shop.cart.Checkout\",\"message\":\"charged the card\",\"customer\":{n}}}\n"
    )
}

fn container(n: u64) -> String {
    format!("2026-11-29T12:00:00.000000000Z stdout F {}", plain(n))
}

/// So many lines at `path` of the folder, read to their end.
async fn measure(what: &str, lines: u64, path: &str, line: impl Fn(u64) -> String, source: &str, journal: bool) {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(path), lines, line);
    let journal_line = if journal { "journal: { path: journal, limit: 64GiB }\n" } else { "" };
    let yaml = format!("{journal_line}sources: {{ in: {source} }}\nsinks: {{ out: {{ type: count, inputs: [in] }} }}\n");
    let document = Document::parse("p.yaml", &yaml, &config::document::Real).unwrap_or_else(|(_, faults)| panic!("{faults:?}"));
    let (graph, _) = Graph::of(Arc::new(document), settings::SETTINGS);
    let (plan, faults) = Plan::of(&graph, &[OWN, sources::ALL]);
    assert!(Plan::may_run(&faults), "{faults:?}");
    let world = World::real(folder.path().to_owned());
    let count = world.pool.get_or::<AtomicU64, ()>("count", || Ok(Arc::default())).unwrap();
    let (began, cpu) = (Instant::now(), spent());
    let running = plan.assemble(&world).unwrap().start().await.unwrap();
    while count.load(Ordering::Relaxed) < lines {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(began.elapsed() < Duration::from_secs(600), "{} of {lines} lines", count.load(Ordering::Relaxed));
    }
    let (took, cpu) = (began.elapsed().as_secs_f64(), spent() - cpu);
    running.drain(Duration::from_secs(10)).await;
    let journal = if journal { "yes" } else { "no" };
    println!("| {what} | {journal} | {:.2} | {:.0} |", lines as f64 / took / 1e6, cpu * 1e9 / lines as f64);
}

fn write(path: &Path, lines: u64, line: impl Fn(u64) -> String) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut text = String::new();
    (0..lines).for_each(|n| text.write_str(&line(n)).unwrap());
    std::fs::write(path, text).unwrap();
}

fn main() {
    let lines = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(LINES);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("| lines | journal | M lines/s | CPU, ns a line |");
    println!("|---|---|--:|--:|");
    runtime.block_on(async {
        for journal in [false, true] {
            let file = "{ type: file, paths: [logs/*.log] }";
            measure("text", lines, "logs/app.log", plain, file, journal).await;
            measure("JSON", lines, "logs/app.log", json, file, journal).await;
            let pods = "{ type: container_logs, path: pods }";
            let path = "pods/shop_cart-6c7d9f8b5d-x2x4z_0b7b1c2e-1d55-4c0e-9d0b-2f8a7a6f1a11/cart/0.log";
            measure("CRI", lines, path, container, pods, journal).await;
        }
    });
}
