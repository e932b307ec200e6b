//! For the tests of sources: a source in a real pipeline whose only sink keeps what it gets.

use config::{Document, Fault, Graph, document::Real};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use pipeline::{BuildContext, Component, Drained, Parcel, Plan, Refusal, Running, Shape, Sink, Speaks, World, catalog, settings::SETTINGS};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Flow, Kinds, Signal};
use std::{convert::Infallible, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// A sink that keeps what it gets, for the test to look at.
#[derive(Debug, Deserialize, JsonSchema)]
struct Keep {}

#[derive(Default)]
struct Kept(Mutex<Vec<Flow>>);

impl Component for Keep {
    type Runs = dyn Sink;
    const TYPE: &'static str = "keep";
    const EXAMPLE: &'static str = "{}";

    fn shape(&self, _: Kinds) -> Shape {
        Shape { acts_on: Kinds::RECORDS, ..Shape::passing(Kinds::NONE) }
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        let kept = context.pool.get_or("kept", || Ok::<_, Infallible>(Arc::new(Kept::default())));
        Ok(Box::new(Keeping(kept.unwrap_or_else(|never| match never {}))))
    }
}

struct Keeping(Arc<Kept>);

impl Sink for Keeping {
    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        self.0.0.lock().push(parcel.flow.clone());
        Box::pin(async { Ok(()) })
    }
}

/// A pipeline at work.
pub(crate) struct Trial {
    pub(crate) running: Running,
    kept: Arc<Kept>,
}

/// Starts these sources, with these settings, before the sink that keeps.
pub(crate) async fn start(settings: &str, sources: &str) -> Result<Trial, Vec<Fault>> {
    let yaml = format!("{settings}\nsources: {{ {sources} }}\nsinks: {{ keep: {{ inputs: [{}] }} }}\n", name_of(sources));
    let document = Document::parse("trial.yaml", &yaml, &Real).map_err(|(_, faults)| faults)?;
    let (graph, mut faults) = Graph::of(Arc::new(document), SETTINGS);
    let (plan, found) = Plan::of(&graph, &[crate::ALL, &[catalog::sink::<Keep>()]]);
    faults.extend(found);
    if !Plan::may_run(&faults) {
        return Err(faults);
    }
    let world = World::real(PathBuf::from("/"));
    let running = plan.assemble(&world)?.start().await?;
    let kept = running.pool().get::<Kept>("kept").expect("the sink holds it");
    Ok(Trial { running, kept })
}

fn name_of(sources: &str) -> &str {
    sources.split(':').next().unwrap_or_default()
}

impl Trial {
    /// Where the source listens.
    pub(crate) fn address(&self, speaks: Speaks) -> SocketAddr {
        let protocol = if speaks == Speaks::OtlpGrpc { "OTLP/gRPC on " } else { "OTLP/HTTP on " };
        let found = self.running.opened().iter().find_map(|(_, opened)| opened.what.strip_prefix(protocol)?.parse().ok());
        found.expect("it listens")
    }

    /// Records of a signal that the sink has, waiting for so many for up to three seconds.
    pub(crate) async fn kept(&self, signal: Signal, records: usize) -> usize {
        let count = || self.kept.0.lock().iter().map(|flow| flow.count(signal)).sum::<usize>();
        for _ in 0..300 {
            if count() >= records {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        count()
    }

    /// Drains it; the ledger must balance and nothing be lost.
    pub(crate) async fn end(self) -> Drained {
        let drained = self.running.drain(Duration::from_secs(10)).await;
        drained.ledger.balance().unwrap_or_else(|what| panic!("{what}"));
        assert_eq!(drained.ledger.lost(), 0);
        drained
    }
}
