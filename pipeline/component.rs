//! A config struct that can become a running part: all that a component offers. Parsing, checking, reference, schema and conformance test follow from it.

use crate::{Clock, Observer, Pool, limits::Memory};
use config::{Fault, Place};
use journal::{Blocking, Disk};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use signal::Kinds;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a config struct implements to be a source, a processor or a sink.
pub trait Component: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// `dyn Source`, `dyn Processor` or `dyn Sink`.
    type Runs: ?Sized;
    /// The word after `type:`.
    const TYPE: &'static str;
    /// A body that must read, build and run; shown in the reference.
    const EXAMPLE: &'static str;
    /// What the plan must know before anything runs, given what flows in (`Kinds::NONE` for a source).
    fn shape(&self, takes: Kinds) -> Shape {
        Shape::passing(takes)
    }
    /// Makes the part, once per lane for a processor. Starts nothing, opens nothing. Every fault at once.
    fn build(&self, context: &BuildContext<'_>) -> Result<Box<Self::Runs>, Vec<Fault>>;
    /// Files that it is made of besides the pipeline file; the last part of a path may hold one `*`. A reload makes it anew when one of them changed.
    fn rests_on(&self, context: &BuildContext<'_>) -> Vec<PathBuf> {
        let _ = context;
        Vec::new()
    }
    /// What a sink has in each lane, made for each anew; what cannot be made is left out, since `build` says why.
    fn observer(&self, context: &BuildContext<'_>) -> Option<Box<dyn Observer>> {
        let _ = context;
        None
    }
    /// What works and is probably not meant; asked by `check` once `build` has succeeded.
    fn warnings(&self, context: &BuildContext<'_>) -> Vec<Fault> {
        let _ = context;
        Vec::new()
    }
}

/// How instances share the work over the cores.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Keyed {
    /// Any record to any lane.
    #[default]
    No,
    /// One trace, one lane.
    Trace,
    /// One value of this key, one lane.
    By(String),
    /// One lane for all.
    Single,
    /// Any record to any lane: what its lanes hold, they hold together.
    Shared,
}

/// What the plan must know of a part before anything runs.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What it does something with. Inputs that together carry none of it are an error; a kind that comes in and is neither acted on nor given
    /// would be dropped silently, which is an error too. Closed traces fall apart into spans and logs before a sink that does not act on them.
    pub acts_on: Kinds,
    /// What comes out, on its main output and on each of `ports`; for a sink, `NONE`.
    pub gives: Kinds,
    /// Outputs besides the main one, named by the user (`route.eu`).
    pub ports: Vec<String>,
    /// How it is spread.
    pub keyed: Keyed,
    /// Keeps records past the call: without a journal its sources answer on arrival.
    pub holds: bool,
    /// A sink that needs one batch in flight per shard.
    pub ordered: bool,
    /// A sink that has stored what it answered for, so that its edge needs no spill.
    pub durable: bool,
    /// A sink that waits for another machine, which may be down for hours.
    pub remote: bool,
    /// Whether a source reads what is somebody else's to keep.
    pub partitioned: Partitioned,
}

/// Whether a source reads partitions of a log which keeps what is not settled. One that does needs no journal, and answers nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Partitioned {
    /// It does not.
    #[default]
    No,
    /// Of one log: records with the same key are in the same partition.
    One,
    /// Of several: records with the same key may be in one partition of each.
    Several,
}

impl Shape {
    /// Acts on everything that comes in and passes it on.
    #[must_use]
    pub fn passing(takes: Kinds) -> Shape {
        Shape {
            acts_on: Kinds::ALL,
            gives: takes,
            ports: Vec::new(),
            keyed: Keyed::No,
            holds: false,
            ordered: false,
            durable: false,
            remote: false,
            partitioned: Partitioned::No,
        }
    }
}

/// What a part may know of the world while it is built. A new field is a change of design.
pub struct BuildContext<'a> {
    /// Its key in the graph.
    pub name: &'a str,
    /// Where the node stands.
    pub place: Place,
    /// What flows in.
    pub takes: Kinds,
    /// The folder of the pipeline file: relative paths start there.
    pub folder: &'a Path,
    /// What outlives a reload.
    pub pool: &'a Pool,
    /// The disk, which a test can make fail.
    pub disk: &'a Arc<dyn Disk>,
    /// Where blocking calls run.
    pub blocking: &'a Blocking,
    /// How much memory it may plan with.
    pub memory: Memory,
    /// The journal's folder, below which a part may keep what has to outlive the process; none where there is no journal.
    pub journal: Option<PathBuf>,
    /// The pipeline's clock, for a sink's own timers; a processor takes its time from `Out::now`.
    pub clock: &'a Clock,
}

impl BuildContext<'_> {
    /// An error of the node as a whole.
    #[must_use]
    pub fn fault(&self, what: impl Into<String>) -> Vec<Fault> {
        vec![Fault::at(self.place, what)]
    }
}

/// What a part has opened, said at start in one line: `otlp  gRPC on 127.0.0.1:4317`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// `listens`, `stores`, `sends`, `tells`: the word the lines are grouped by.
    pub does: &'static str,
    /// The rest of the line.
    pub what: String,
    /// The address, where it is a listener that others may be pointed to.
    pub address: Option<(Speaks, SocketAddr)>,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// OTLP over gRPC.
    OtlpGrpc,
    /// OTLP over HTTP, protobuf and JSON.
    OtlpHttp,
}

impl Opened {
    /// Something that is no listener.
    #[must_use]
    pub fn new(does: &'static str, what: impl Into<String>) -> Opened {
        Opened { does, what: what.into(), address: None }
    }

    /// A listener.
    #[must_use]
    pub fn listener(speaks: Speaks, address: SocketAddr) -> Opened {
        let protocol = match speaks {
            Speaks::OtlpGrpc => "OTLP/gRPC",
            Speaks::OtlpHttp => "OTLP/HTTP",
        };
        Opened { does: "listens", what: format!("{protocol} on {address}"), address: Some((speaks, address)) }
    }
}
