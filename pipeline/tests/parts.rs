//! The tiny parts: a source that is fed by the test, processors that hold, drop or panic, a sink that does as told; and what runs them.

use super::partitions::Shelf;
use crate::{
    BuildContext, Caller, Clock, Component, Drained, Entry, Flush, Held, Kind, Out, Parcel, Plan, Processor, Reason, Refusal, Running,
    Shape, Sink, Source, SourceContext, SourceError, State, Why, World, catalog, intake,
};
use bytes::Bytes;
use config::{Document, Fault, Graph, Period};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Flow, Kinds, Signal, Time, view::Item};
use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

pub(super) const CATALOGUE: &[&[Entry]] = &[&[
    catalog::source::<Feed>(),
    catalog::source::<super::partitions::Topic>(),
    catalog::processor::<Keep>(),
    catalog::processor::<Hold>(),
    catalog::processor::<Fragile>(),
    catalog::processor::<Split>(),
    catalog::processor::<super::gather::Gather>(),
    catalog::sink::<Probe>(),
]];

/// What the test shares with the parts of one name.
#[derive(Default)]
pub(super) struct Told {
    /// How long a delivery takes.
    pub(super) delay: Mutex<Duration>,
    /// Answers for the next deliveries; then all are taken.
    pub(super) answers: Mutex<Vec<Refusal>>,
    /// Logs whose text has this in it are refused for good.
    pub(super) poison: Mutex<Option<String>>,
    /// Logs whose text has this in it make the sink panic, so many times.
    pub(super) panics: Mutex<Option<(String, usize)>>,
    /// Logs whose text has this in it are the rest of what is delivered, so many times.
    pub(super) rest: Mutex<Option<(String, usize)>>,
    /// Whether every delivery is put off.
    pub(super) dead: Mutex<bool>,
    /// The last position that it was told is settled.
    pub(super) settled: Mutex<u64>,
    /// Texts of what was delivered, in order.
    pub(super) seen: Mutex<Vec<String>>,
    /// Bytes of each parcel delivered.
    pub(super) parcels: Mutex<Vec<usize>>,
}

pub(super) type Request = (Signal, Bytes, Caller, oneshot::Sender<Result<intake::Accepted, intake::Refused>>);

/// The test's end of a `Feed`.
pub(super) struct Way(Mutex<Option<mpsc::Receiver<Request>>>);

/// `feed`: takes in what the test hands it, each request in a task of its own.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Feed {
    /// Tells one feed from another.
    #[serde(default)]
    tag: String,
}

impl Component for Feed {
    type Runs = dyn Source;
    const TYPE: &'static str = "feed";
    const EXAMPLE: &'static str = "{}";
    fn shape(&self, _: Kinds) -> Shape {
        Shape { gives: Kinds::RECORDS, ..Shape::passing(Kinds::NONE) }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Source>, Vec<Fault>> {
        assert!(self.tag.len() < 9, "tags are short");
        Ok(Box::new(Feeding(context.pool.get::<Way>(context.name))))
    }
}

struct Feeding(Option<Arc<Way>>);

impl Source for Feeding {
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let Some(way) = self.0 else {
                context.stop.asked().await;
                return Ok(());
            };
            // A feed that is being replaced gives it back when it stops.
            let mut requests = loop {
                if let Some(requests) = way.0.lock().take() {
                    break requests;
                }
                tokio::select! {
                    () = context.stop.asked() => return Ok(()),
                    () = tokio::time::sleep(Duration::from_millis(1)) => {}
                }
            };
            let mut begun = tokio::task::JoinSet::new();
            loop {
                let (signal, raw, from, answer) = tokio::select! {
                    () = context.stop.asked() => break,
                    request = requests.recv() => match request { Some(request) => request, None => break },
                };
                let intake = context.intake.clone();
                begun.spawn(async move {
                    let answered = match intake.admit(signal, raw.len()) {
                        Ok(admission) => intake.accept(signal, raw, admission, from, None).await,
                        Err(busy) => Err(intake::Refused::Busy(busy)),
                    };
                    // An error means that the test stopped waiting.
                    let _unheard = answer.send(answered);
                });
            }
            *way.0.lock() = Some(requests);
            while begun.join_next().await.is_some() {}
            Ok(())
        })
    }
}

/// `keep`: passes records whose text has `with` in it.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Keep {
    with: String,
}

impl Component for Keep {
    type Runs = dyn Processor;
    const TYPE: &'static str = "keep";
    const EXAMPLE: &'static str = "with: a";
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        if self.with.is_empty() {
            return Err(context.fault("`with` is empty"));
        }
        Ok(Box::new(Keep { with: self.with.clone() }))
    }
}

impl Processor for Keep {
    fn process(&mut self, mut flow: Flow, out: &mut Out<'_>) {
        let gone = flow.retain(|record| text(&record.item).contains(&self.with));
        out.discarded(Signal::Logs, gone, Reason::FILTERED);
        out.send(flow);
    }
}

/// `hold`: keeps each flow for a while and decides on it when it goes; panics then at one with `burst` in it.
#[derive(Clone, Deserialize, JsonSchema)]
pub(super) struct Hold {
    wait: Period,
    /// Whether what it decided on is let go instead of sent.
    #[serde(default)]
    discard: bool,
}

impl Component for Hold {
    type Runs = dyn Processor;
    const TYPE: &'static str = "hold";
    const EXAMPLE: &'static str = "wait: 1s";
    fn shape(&self, takes: Kinds) -> Shape {
        Shape { holds: true, ..Shape::passing(takes) }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        if let Some(shelf) = context.pool.get::<Shelf>("topic") {
            shelf.windows.lock().push(context.memory.window_bytes_max);
        }
        Ok(Box::new(Holding { wait: self.wait.0, discard: self.discard, held: Vec::new(), recalled: 0 }))
    }
}

struct Holding {
    wait: Duration,
    discard: bool,
    held: Vec<(Time, Flow)>,
    recalled: usize,
}

impl Processor for Holding {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        if self.recalled > 0 {
            self.recalled -= 1;
            return out.send(flow);
        }
        self.held.push((out.now().plus(self.wait), flow));
    }
    fn due(&self) -> Option<Time> {
        self.held.first().map(|(due, _)| *due)
    }
    fn flush(&mut self, why: Flush, out: &mut Out<'_>) {
        while !out.full() && self.due().is_some_and(|due| why == Flush::Last || due <= out.now()) {
            let (_, flow) = self.held.remove(0);
            assert!(!texts(&flow).iter().any(|text| text.contains("burst")), "told to");
            let promise = flow.batches().next().map(|batch| batch.ack().clone()).unwrap_or_default();
            out.decide(decision(out.now()), promise);
            if self.discard {
                out.discarded(Signal::Logs, flow.len(), Reason::SAMPLED);
            } else {
                out.send(flow);
            }
        }
    }
    fn held(&self) -> Held {
        let logs = self.held.iter().map(|(_, flow)| flow.len()).sum();
        Held { logs, bytes: self.held.iter().map(|(_, flow)| flow.bytes()).sum(), ..Held::NONE }
    }
    fn recall(&mut self, _: &signal::Decision) {
        self.recalled += 1;
    }
    fn release(&mut self) -> Option<State> {
        let since: Vec<(Time, Flow)> = std::mem::take(&mut self.held).into_iter().map(|(due, flow)| (due.minus(self.wait), flow)).collect();
        Some(Box::new(since))
    }
    fn adopt(&mut self, state: State) -> Result<(), State> {
        let since = *state.downcast::<Vec<(Time, Flow)>>()?;
        self.held = since.into_iter().map(|(since, flow)| (since.plus(self.wait), flow)).collect();
        Ok(())
    }
}

pub(crate) fn decision(at: Time) -> signal::Decision {
    signal::Decision {
        trace_id: signal::TraceId([1; 16]),
        threshold: 0,
        node: "hold".into(),
        rule: "rest".into(),
        through: None,
        pinned: false,
        at,
        randomness: None,
    }
}

/// `fragile`: panics at a record with `panic` in it, ends the process at `abort`, and lets records vanish at `vanish`.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Fragile {}

impl Component for Fragile {
    type Runs = dyn Processor;
    const TYPE: &'static str = "fragile";
    const EXAMPLE: &'static str = "{}";
    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        Ok(Box::new(Fragile {}))
    }
}

impl Processor for Fragile {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        for text in texts(&flow) {
            assert!(!text.contains("panic"), "told to");
            if text.contains("abort") {
                std::process::abort();
            }
            if text.contains("vanish") {
                return;
            }
        }
        out.send(flow);
    }
}

/// `split`: sends to the output `odd` or `even` by the length of the first text.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Split {}

impl Component for Split {
    type Runs = dyn Processor;
    const TYPE: &'static str = "split";
    const EXAMPLE: &'static str = "{}";
    fn shape(&self, takes: Kinds) -> Shape {
        Shape { ports: vec!["odd".to_owned(), "even".to_owned()], ..Shape::passing(takes) }
    }
    fn build(&self, _: &BuildContext<'_>) -> Result<Box<dyn Processor>, Vec<Fault>> {
        Ok(Box::new(Split {}))
    }
}

impl Processor for Split {
    fn process(&mut self, flow: Flow, out: &mut Out<'_>) {
        let odd = texts(&flow).first().is_some_and(|text| text.len() % 2 == 1);
        out.send_to(if odd { "odd" } else { "even" }, flow);
    }
}

/// `probe`: a sink that does as it is told.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Probe {
    /// Only these; all three if nothing is said.
    #[serde(default)]
    signals: Vec<String>,
}

impl Component for Probe {
    type Runs = dyn Sink;
    const TYPE: &'static str = "probe";
    const EXAMPLE: &'static str = "{}";
    fn shape(&self, _: Kinds) -> Shape {
        let named = self.signals.iter().fold(Kinds::NONE, |kinds, word| kinds.and(Signal::of_word(word).map_or(Kinds::NONE, Kinds::of)));
        Shape {
            acts_on: if named.is_none() { Kinds::RECORDS } else { named },
            gives: Kinds::NONE,
            ordered: true,
            ..Shape::passing(Kinds::NONE)
        }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        let told = context.pool.get_or::<Told, Vec<Fault>>(context.name, || Ok(Arc::default()))?;
        Ok(Box::new(Probing(told)))
    }
}

struct Probing(Arc<Told>);

impl Sink for Probing {
    fn settled(&self, _: u32, position: u64) {
        *self.0.settled.lock() = position;
    }
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            let delay = *self.0.delay.lock();
            tokio::time::sleep(delay).await;
            if *self.0.dead.lock() {
                return Err(Refusal::Later { after: None, why: Why("dead".to_owned()) });
            }
            if let Some(answer) = self.0.answers.lock().pop() {
                return Err(answer);
            }
            let texts = texts(&parcel.flow);
            if let Some((word, times)) = self.0.panics.lock().as_mut()
                && *times > 0
                && let Some(text) = texts.iter().find(|text| text.contains(word.as_str()))
            {
                *times -= 1;
                panic!("cannot bear `{text}`");
            }
            if let Some((word, times)) = self.0.rest.lock().as_mut()
                && *times > 0
                && texts.iter().any(|text| text.contains(word.as_str()))
                && texts.iter().any(|text| !text.contains(word.as_str()))
            {
                *times -= 1;
                let mut rest = parcel.clone();
                rest.flow.retain(|record| self::text(&record.item).contains(word.as_str()));
                self.0.seen.lock().extend(texts.into_iter().filter(|text| !text.contains(word.as_str())));
                return Err(Refusal::Rest { rest: Box::new(rest), rejected: 0, after: None, why: Why("not all of it".to_owned()) });
            }
            if self.0.poison.lock().as_ref().is_some_and(|poison| texts.iter().any(|text| text.contains(poison))) {
                return Err(Refusal::Never { why: Why("poison".to_owned()) });
            }
            self.0.parcels.lock().push(parcel.flow.bytes());
            self.0.seen.lock().extend(texts);
            Ok(())
        })
    }
}

fn text(item: &Item<'_>) -> String {
    match item {
        Item::Log(log) => log.message().unwrap_or_default().to_owned(),
        Item::Span(span) => span.name().to_owned(),
        Item::Point(metric, _) => metric.name().to_owned(),
    }
}

pub(super) fn texts(flow: &Flow) -> Vec<String> {
    flow.batches().flat_map(|batch| batch.records().map(|record| text(&record.item)).collect::<Vec<_>>()).collect()
}

/// A request with one log record per text.
pub(crate) fn logs(texts: &[&str]) -> Bytes {
    let records: Vec<String> = texts.iter().map(|text| format!(r#"{{"body":{{"stringValue":"{text}"}}}}"#)).collect();
    let json = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#, records.join(","));
    signal::codec::json::to_protobuf(Signal::Logs, json.as_bytes()).unwrap()
}

pub(super) fn graph(yaml: &str) -> Graph {
    let document = Document::parse("p.yaml", yaml, &config::document::Real).unwrap_or_else(|(_, faults)| panic!("{faults:?}"));
    Graph::of(Arc::new(document), crate::settings::SETTINGS).0
}

pub(super) fn plan(yaml: &str) -> (Plan, Vec<Fault>) {
    let document = Document::parse("p.yaml", yaml, &config::document::Real).unwrap_or_else(|(_, faults)| panic!("{faults:?}"));
    let (graph, mut faults) = Graph::of(Arc::new(document), crate::settings::SETTINGS);
    let (plan, found) = Plan::of(&graph, CATALOGUE);
    faults.extend(found);
    (plan, faults)
}

/// A pipeline at work and the test's ends of it.
pub(super) struct Trial {
    pub(super) running: Running,
    feeds: Mutex<BTreeMap<String, mpsc::Sender<Request>>>,
    pub(super) world: World,
    told: BTreeMap<String, Arc<Told>>,
    /// Keeps the feeds' ends alive.
    _ways: Vec<Arc<Way>>,
}

/// A clock that goes with tokio's.
pub(super) fn world(folder: &Path, start: Time) -> World {
    World { clock: Clock::with_runtime(start), cores: 2, ..World::real(folder.to_owned()) }
}

impl Trial {
    pub(super) async fn start(yaml: &str, folder: &Path) -> Trial {
        Trial::start_in(yaml, world(folder, Time(1_000_000_000_000))).await
    }

    pub(super) async fn start_in(yaml: &str, world: World) -> Trial {
        let (plan, faults) = plan(yaml);
        assert!(Plan::may_run(&faults), "{faults:?}");
        let (mut feeds, mut ways, mut told) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for node in &plan.nodes {
            if node.kind == Kind::Source {
                let (feed, requests) = mpsc::channel(1024);
                feeds.insert(node.name.clone(), feed);
                ways.push(world.pool.get_or::<Way, ()>(&node.name, || Ok(Arc::new(Way(Mutex::new(Some(requests)))))).unwrap());
            } else if node.kind == Kind::Sink {
                let shared: Arc<Told> = world.pool.get_or::<Told, ()>(&node.name, || Ok(Arc::default())).unwrap();
                told.insert(node.name.clone(), shared);
            }
        }
        let running =
            plan.assemble(&world).unwrap_or_else(|faults| panic!("{faults:?}")).start().await.unwrap_or_else(|faults| panic!("{faults:?}"));
        Trial { running, feeds: Mutex::new(feeds), world, told, _ways: ways }
    }

    /// Hands a request to the source `in` and waits for its answer.
    pub(super) async fn send(&self, texts: &[&str]) -> Result<intake::Accepted, intake::Refused> {
        self.begin(texts, Caller::Here).await.await.unwrap()
    }

    pub(super) async fn begin(&self, texts: &[&str], from: Caller) -> oneshot::Receiver<Result<intake::Accepted, intake::Refused>> {
        let (answer, answered) = oneshot::channel();
        self.feed("in").send((Signal::Logs, logs(texts), from, answer)).await.unwrap();
        answered
    }

    pub(super) fn feed(&self, name: &str) -> mpsc::Sender<Request> {
        self.feeds.lock()[name].clone()
    }

    /// All sources end by themselves.
    pub(super) fn end_feeds(&self) {
        self.feeds.lock().clear();
    }

    pub(super) fn told(&self, sink: &str) -> &Told {
        &self.told[sink]
    }

    pub(super) fn seen(&self, sink: &str) -> Vec<String> {
        self.told(sink).seen.lock().clone()
    }

    /// Drains and checks what must hold of every run: the ledger balances.
    pub(super) async fn drain(self) -> Drained {
        let drained = self.running.drain(Duration::from_secs(25)).await;
        drained.ledger.balance().unwrap();
        // Virtual time goes on only once the journal's last blocking call is over and its folder free again.
        tokio::time::sleep(Duration::from_millis(100)).await;
        drained
    }
}

pub(super) fn peer(port: u16) -> Caller {
    Caller::Peer(SocketAddr::from(([127, 0, 0, 1], port)))
}
