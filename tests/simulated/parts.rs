//! A source that is fed by the test and a sink that does as told, for pipelines of otherwise real parts; and what runs them.

use crate::said::Item;
use bytes::Bytes;
use config::{Document, Fault, Graph};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use pipeline::{
    Accepted, BuildContext, Caller, Component, Drained, Entry, Parcel, Plan, Refusal, Refused, Running, Shape, Sink, Source, SourceContext,
    SourceError, Why, World, catalog, settings,
};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Flow, Kinds, Signal};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

const OWN: &[Entry] = &[catalog::source::<Feed>(), catalog::sink::<Probe>()];

/// What the test shares with the sink of one name.
#[derive(Default)]
pub(crate) struct Told {
    /// How long a delivery takes.
    pub(crate) delay: Mutex<Duration>,
    /// Whether every delivery is put off.
    pub(crate) dead: Mutex<bool>,
    /// Answers for the next deliveries; then all are taken.
    pub(crate) answers: Mutex<Vec<Refusal>>,
    seen: Mutex<Vec<Item>>,
}

impl Told {
    /// What was delivered.
    pub(crate) fn seen(&self) -> Vec<Item> {
        self.seen.lock().clone()
    }
}

pub(crate) type Answer = oneshot::Receiver<Result<Accepted, Refused>>;
type Request = (Signal, Bytes, oneshot::Sender<Result<Accepted, Refused>>);
struct Way(Mutex<Option<mpsc::Receiver<Request>>>);

/// Takes in what the test hands it, each request in a task of its own.
#[derive(Deserialize, JsonSchema)]
struct Feed {}

impl Component for Feed {
    type Runs = dyn Source;
    const TYPE: &'static str = "feed";
    const EXAMPLE: &'static str = "{}";
    fn shape(&self, takes: Kinds) -> Shape {
        Shape { gives: Kinds::RECORDS, ..Shape::passing(takes) }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Source>, Vec<Fault>> {
        Ok(Box::new(Feeding(context.pool.get::<Way>(context.name))))
    }
}

struct Feeding(Option<Arc<Way>>);

impl Source for Feeding {
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let requests = self.0.as_ref().and_then(|way| way.0.lock().take());
            let Some(mut requests) = requests else {
                context.stop.asked().await;
                return Ok(());
            };
            let mut begun = tokio::task::JoinSet::new();
            loop {
                let (signal, raw, answer) = tokio::select! {
                    () = context.stop.asked() => break,
                    request = requests.recv() => match request { Some(request) => request, None => break },
                };
                let intake = context.intake.clone();
                begun.spawn(async move {
                    let answered = match intake.admit(signal, raw.len()) {
                        Ok(admission) => intake.accept(signal, raw, admission, Caller::Here, None).await,
                        Err(busy) => Err(Refused::Busy(busy)),
                    };
                    // An error means that the test stopped waiting.
                    let _unheard = answer.send(answered);
                });
            }
            while begun.join_next().await.is_some() {}
            Ok(())
        })
    }
}

/// Does as it is told.
#[derive(Deserialize, JsonSchema)]
struct Probe {}

impl Component for Probe {
    type Runs = dyn Sink;
    const TYPE: &'static str = "probe";
    const EXAMPLE: &'static str = "{}";
    fn shape(&self, _: Kinds) -> Shape {
        Shape { acts_on: Kinds::RECORDS, ..Shape::passing(Kinds::NONE) }
    }
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        Ok(Box::new(Probing(context.pool.get_or::<Told, Vec<Fault>>(context.name, || Ok(Arc::default()))?)))
    }
}

struct Probing(Arc<Told>);

impl Sink for Probing {
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
            self.0.seen.lock().extend(items(&parcel.flow));
            Ok(())
        })
    }
}

fn items(flow: &Flow) -> Vec<Item> {
    flow.batches().flat_map(|batch| batch.records().map(|record| Item::of(&record)).collect::<Vec<_>>()).collect()
}

pub(crate) fn graph(yaml: &str) -> Graph {
    let document = Document::parse("p.yaml", yaml, &config::document::Real).unwrap_or_else(|(_, faults)| panic!("{faults:?}"));
    Graph::of(Arc::new(document), settings::SETTINGS).0
}

pub(crate) fn plan(graph: &Graph) -> Plan {
    let (plan, faults) = Plan::of(graph, &[OWN, processors::ALL]);
    assert!(Plan::may_run(&faults), "{faults:?}");
    plan
}

/// A pipeline at work and the test's ends of it.
pub(crate) struct Trial {
    pub(crate) running: Running,
    feed: mpsc::Sender<Request>,
    told: [(&'static str, Arc<Told>); 3],
    _way: Arc<Way>,
}

impl Trial {
    pub(crate) async fn start(graph: &Graph, world: World) -> Trial {
        let (feed, requests) = mpsc::channel(1024);
        let way = world.pool.get_or::<Way, ()>("in", || Ok(Arc::new(Way(Mutex::new(Some(requests)))))).unwrap();
        // Also while a sink is in no graph.
        let told = ["store", "out", "more"].map(|name| (name, world.pool.get_or::<Told, ()>(name, || Ok(Arc::default())).unwrap()));
        let assembled = plan(graph).assemble(&world).unwrap_or_else(|faults| panic!("{faults:?}"));
        let running = assembled.start().await.unwrap_or_else(|faults| panic!("{faults:?}"));
        Trial { running, feed, told, _way: way }
    }

    pub(crate) fn told(&self, sink: &str) -> Arc<Told> {
        Arc::clone(&self.told.iter().find(|(name, _)| *name == sink).unwrap().1)
    }

    /// Hands a request in.
    pub(crate) async fn send(&self, signal: Signal, request: Bytes) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.feed.send((signal, request, answer)).await.unwrap();
        answered
    }

    pub(crate) async fn drain(self) -> Drained {
        let drained = self.running.drain(Duration::from_secs(25)).await;
        drained.ledger.balance().unwrap();
        // Virtual time goes on only once the journal's last blocking call is over and its folder free again.
        tokio::time::sleep(Duration::from_millis(100)).await;
        drained
    }
}
