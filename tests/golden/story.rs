//! Runs a story: the pipeline as written, its source `otlp` fed by the story, its sinks `debug` and `otlp` collecting what arrives.

use crate::{notation, notation::Step, telling};
use config::{Document, Environment, Fault, Graph, Level, Source as File, show};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use pipeline::{
    BuildContext, Caller, Clock, Component, Entry, Kind, Parcel, Plan, Refusal, Shape, Sink, Source, SourceContext, SourceError, World,
    catalog, intake, plan::PlannedNode,
};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Signal, Time};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

const REAL: [&[Entry]; 3] = [sources::ALL, processors::ALL, sinks::ALL];
const OF_STORIES: &[Entry] = &[catalog::source::<Told>(), catalog::sink::<Collect>()];
const START: Time = Time(1_750_000_000_000_000_000);

/// Has two variables and no files.
struct Environs;

impl Environment for Environs {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HOST" => Some("node-7".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }
    fn file(&self, _: &str) -> Result<String, String> {
        Err("there is no such file".to_owned())
    }
}

/// What `kansoku check` says.
pub(crate) fn said(yaml: &str) -> String {
    let (file, faults) = faults(yaml);
    if faults.is_empty() { "nothing is wrong\n".to_owned() } else { shown(&file, &faults) }
}

fn shown(file: &File, faults: &[Fault]) -> String {
    show::text(file, faults, show::Colour::Never).replace(concat!(env!("CARGO_MANIFEST_DIR"), "/"), "")
}

/// What `kansoku run` says where 127.9.8.7:4317 is in use already. Nothing is opened otherwise: whoever tells such a story sees to that.
pub(crate) fn started(yaml: &str) -> String {
    let _taken = std::net::TcpListener::bind("127.9.8.7:4317");
    let (graph, _) = read(yaml).unwrap_or_else(|(_, faults)| panic!("{faults:?}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let faults = runtime.block_on(async {
        let assembled = Plan::of(&graph, &REAL).0.assemble(&World::real(PathBuf::from("/"))).unwrap_or_else(|faults| panic!("{faults:?}"));
        assembled.start().await.err().expect("the address is in use")
    });
    shown(&graph.document.source, &faults)
}

fn faults(yaml: &str) -> Faulty {
    let (graph, mut faults) = match read(yaml) {
        Ok(read) => read,
        Err(unreadable) => return unreadable,
    };
    let (plan, found) = Plan::of(&graph, &REAL);
    faults.extend(found);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    faults.extend(api::Settings::read(&graph, &folder).err().unwrap_or_default());
    faults.extend(plan.check(&World::real(folder)));
    (Arc::clone(&graph.document.source), faults)
}

/// The file, and all that is wrong with it.
type Faulty = (Arc<File>, Vec<Fault>);

fn read(yaml: &str) -> Result<(Graph, Vec<Fault>), Faulty> {
    Document::parse("pipeline.yaml", yaml, &Environs).map(|document| Graph::of(Arc::new(document), pipeline::settings::SETTINGS))
}

/// What arrived at each sink and when, and what the ledger counts besides.
pub(crate) fn run(yaml: &str, steps: &str) -> String {
    let (_, faults) = faults(yaml);
    if faults.iter().any(|fault| fault.level == Level::Error) {
        return said(yaml);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(happen(yaml, notation::steps(steps)))
}

async fn happen(yaml: &str, steps: Vec<Step>) -> String {
    let (graph, _) = read(yaml).unwrap_or_else(|_| unreachable!("it was read before"));
    let (plan, _) = Plan::of(&graph, &[OF_STORIES, sources::ALL, processors::ALL, sinks::ALL]);
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::with_runtime(START);
    // One lane, so that what arrives together is told in the order in which it came.
    let world = World { clock: clock.clone(), blocking: pipeline::testing::inline(), cores: 1, ..World::real(folder.path().to_owned()) };
    let (feed, requests) = mpsc::channel(1);
    let mut requests = Some(requests);
    let sources = plan.nodes.iter().filter(|node| node.kind == Kind::Source);
    let ways: Vec<Arc<Way>> = sources.map(|node| shared(&world, &node.name, || Way(Mutex::new(requests.take())))).collect();
    let ends: Vec<End> = plan.nodes.iter().filter(|node| node.kind == Kind::Sink).map(|node| End::of(node, &world)).collect();
    rules_into(folder.path());
    let running = plan.assemble(&world).unwrap_or_else(|faults| panic!("{faults:?}"));
    let running = running.start().await.unwrap_or_else(|faults| panic!("{faults:?}"));
    let mut refused = Vec::new();
    for step in steps {
        match step {
            Step::Wait(period) => tokio::time::sleep(period).await,
            Step::Write { path, line } => write(&folder.path().join(path), &line),
            Step::Rename { from, to } => std::fs::rename(folder.path().join(from), folder.path().join(to)).unwrap(),
            Step::Request(signal, lines) => {
                let (answer, answered) = oneshot::channel();
                feed.send((signal, notation::request(signal, &lines, clock.now().0), answer)).await.unwrap();
                refused.extend(answered.await.unwrap().err().map(|why| format!("refused: {why:?}")));
            }
        }
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    ends.iter().for_each(|end| end.shelf.0.lock().push(Arrived::Drain));
    let drained = running.drain(Duration::from_secs(25)).await;
    drained.ledger.balance().unwrap();
    drop(ways);
    let mut told: Vec<String> = ends.iter().flat_map(End::told).collect();
    told.extend(refused);
    told.extend(telling::ledger(&drained.ledger));
    let here = format!("{}/", folder.path().display());
    told.iter().map(|line| format!("{}\n", line.replace(&here, ""))).collect()
}

fn write(path: &Path, line: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

fn shared<T: Send + Sync + 'static>(world: &World, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
    world.pool.get_or::<T, ()>(name, || Ok(Arc::new(make()))).unwrap()
}

/// The rule files of the examples, where relative paths start.
fn rules_into(folder: &Path) {
    std::fs::create_dir(folder.join("rules")).unwrap();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples/rules")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join("rules").join(entry.file_name())).unwrap();
    }
}

/// What a sink leaves behind: what arrived, or the book of alerts.
struct End {
    name: String,
    alerts: bool,
    shelf: Arc<Shelf>,
    book: Arc<alert::Book>,
}

impl End {
    fn of(node: &PlannedNode, world: &World) -> End {
        let (shelf, book) = (shared(world, &node.name, Shelf::default), shared(world, &node.name, alert::Book::default));
        End { name: node.name.clone(), alerts: node.type_name == "alert", shelf, book }
    }

    fn told(&self) -> Vec<String> {
        let mut told = vec![self.name.clone()];
        if self.alerts {
            let history = self.book.history();
            told.extend(history.iter().flat_map(|alert| under(&moment(Time(alert.at.0)), telling::alert(alert))));
        } else {
            told.extend(self.shelf.told());
        }
        if told.len() == 1 {
            told.push("  nothing".to_owned());
        }
        told
    }
}

/// How long after the beginning.
fn moment(at: Time) -> String {
    format!("+{}s", (at.since(START).as_secs_f64() * 10.0).round() / 10.0)
}

/// Lines with what they are under before the first.
fn under(label: &str, lines: Vec<String>) -> Vec<String> {
    lines.iter().enumerate().map(|(n, line)| format!("  {:<6} {line}", if n == 0 { label } else { "" })).collect()
}

type Request = (Signal, Vec<u8>, oneshot::Sender<Result<intake::Accepted, intake::Refused>>);

/// The story's end of its source. Only the first source has one.
struct Way(Mutex<Option<mpsc::Receiver<Request>>>);

/// `otlp` in a story: takes in what is told.
#[derive(Deserialize, JsonSchema)]
struct Told {}

impl Component for Told {
    type Runs = dyn Source;
    const TYPE: &'static str = "otlp";
    const EXAMPLE: &'static str = "{}";
    fn shape(&self, _: Kinds) -> Shape {
        Shape { gives: Kinds::RECORDS, ..Shape::passing(Kinds::NONE) }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Source>, Vec<Fault>> {
        Ok(Box::new(Telling(context.pool.get::<Way>(context.name))))
    }
}

struct Telling(Option<Arc<Way>>);

impl Source for Telling {
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let requests = self.0.and_then(|way| way.0.lock().take());
            let Some(mut requests) = requests else {
                context.stop.asked().await;
                return Ok(());
            };
            loop {
                let (signal, raw, answer) = tokio::select! {
                    () = context.stop.asked() => return Ok(()),
                    Some(request) = requests.recv() => request,
                };
                let admission = context.intake.admit(signal, raw.len()).unwrap();
                let accepted = context.intake.accept(signal, raw.into(), admission, Caller::Here, None).await;
                answer.send(accepted).unwrap();
            }
        })
    }
}

/// What arrived, in order.
#[derive(Default)]
struct Shelf(Mutex<Vec<Arrived>>);

enum Arrived {
    Lines(Time, Vec<String>),
    /// From here on the process drains.
    Drain,
}

impl Shelf {
    fn told(&self) -> Vec<String> {
        let (mut told, mut label, mut draining) = (Vec::new(), String::new(), false);
        for arrived in self.0.lock().iter() {
            let Arrived::Lines(at, lines) = arrived else {
                draining = true;
                continue;
            };
            let now = if draining { "end".to_owned() } else { moment(*at) };
            told.extend(under(if now == label { "" } else { &now }, lines.clone()));
            label = now;
        }
        told
    }
}

/// `debug` in a story: keeps what arrives, closed traces whole.
#[derive(Deserialize, JsonSchema)]
struct Collect {}

impl Component for Collect {
    type Runs = dyn Sink;
    const TYPE: &'static str = "debug";
    const EXAMPLE: &'static str = "{}";
    fn shape(&self, _: Kinds) -> Shape {
        Shape { acts_on: Kinds::ALL, ordered: true, ..Shape::passing(Kinds::NONE) }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        let shelf = context.pool.get::<Shelf>(context.name).ok_or_else(|| context.fault("nobody looks at this sink"))?;
        Ok(Box::new(Collecting { shelf, clock: context.clock.clone() }))
    }
}

struct Collecting {
    shelf: Arc<Shelf>,
    clock: Clock,
}

impl Sink for Collecting {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.shelf.0.lock().push(Arrived::Lines(self.clock.now(), telling::lines(&parcel.flow)));
            Ok(())
        })
    }
}
