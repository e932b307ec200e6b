//! What every component keeps, whatever it does: found by walking the lists, so that a new one is held to it by its line there.
//! Components are built from their own examples and called as a lane would. Sockets, disks and the runner are not proved here.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "golden/notation.rs"]
mod notation;

use config::{Document, Fault, Node, Place, Value};
use notation::Step;
use pipeline::{
    BuildContext, Clock, Entry, Flush, Held, Keyed, Kind, Pool, Processor, Shape, Spec,
    testing::{self, Collected},
};
use proptest::prelude::*;
use signal::{Ack, Batch, Chunk, Flow, Kinds, Limits, Ordinals, Outcome, Signal, Time, check, codec::json};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const START: Time = Time(1_750_000_000_000_000_000);
const MEMORY: usize = 64 << 20;

fn all() -> impl Iterator<Item = &'static Entry> {
    [sources::ALL, processors::ALL, sinks::ALL].into_iter().flatten()
}

fn example(entry: &Entry) -> Node {
    let parsed = Document::parse(entry.type_name, entry.example, &config::document::Real);
    parsed.unwrap_or_else(|(_, faults)| panic!("the example of `{}`: {faults:?}", entry.type_name)).root
}

/// Builds a node in a folder that does not exist: building opens nothing.
fn build<T>(takes: Kinds, make: impl FnOnce(&BuildContext<'_>) -> T) -> T {
    make(&BuildContext {
        name: "it",
        place: Place::default(),
        takes,
        folder: Path::new("/nowhere"),
        pool: &Pool::default(),
        disk: &(Arc::new(journal::RealDisk) as Arc<dyn journal::Disk>),
        blocking: &testing::inline(),
        memory: pipeline::Memory { intake_bytes_max: MEMORY, window_bytes_max: MEMORY, lanes: 1, store_bytes_max: MEMORY },
        journal: None,
        clock: &Clock::at(START),
    })
}

fn takes(kind: Kind) -> Kinds {
    if kind == Kind::Source { Kinds::NONE } else { Kinds::ALL }
}

fn faults_of(entry: &Entry) -> Vec<Fault> {
    let built = |spec: Spec| match spec {
        Spec::Source(recipe) => build(takes(entry.kind), |context| recipe.build(context).map(drop)),
        Spec::Processor(recipe) => build(takes(entry.kind), |context| recipe.build(context).map(drop)),
        Spec::Sink(recipe) => build(takes(entry.kind), |context| recipe.build(context).map(drop)),
    };
    (entry.read)(&example(entry)).and_then(built).err().unwrap_or_default()
}

fn shape(entry: &Entry, takes: Kinds) -> Shape {
    match (entry.read)(&example(entry)).unwrap() {
        Spec::Source(recipe) => recipe.shape(takes),
        Spec::Processor(recipe) => recipe.shape(takes),
        Spec::Sink(recipe) => recipe.shape(takes),
    }
}

#[test]
fn every_example_is_read_and_built() {
    let wrong: Vec<_> = all().map(|entry| (entry.type_name, faults_of(entry))).filter(|(_, faults)| !faults.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_word_names_one_component() {
    let words: BTreeSet<_> = all().map(|entry| (entry.kind, entry.type_name)).collect();
    assert_eq!(words.len(), all().count(), "a type is listed twice");
}

#[test]
fn an_unknown_key_is_refused_where_it_stands() {
    for entry in all() {
        let mut body = example(entry);
        let place = Place { start: 77, end: 80 };
        let unknown = (("zzz".to_owned(), place), Node { value: Value::Null, place });
        match &mut body.value {
            Value::Map(entries) => entries.push(unknown),
            _ => body.value = Value::Map(vec![unknown]),
        }
        let faults = (entry.read)(&body).err().unwrap_or_else(|| panic!("`{}` takes any key", entry.type_name));
        let told = faults.iter().any(|fault| fault.place == place && fault.what.contains("zzz"));
        assert!(told, "`{}`: {faults:?}", entry.type_name);
    }
}

#[test]
fn sources_give_and_sinks_take() {
    for entry in all() {
        let shape = shape(entry, takes(entry.kind));
        match entry.kind {
            Kind::Source => assert!(!shape.gives.is_none() && Kinds::RECORDS.has(shape.gives), "`{}`", entry.type_name),
            Kind::Processor => assert!(!shape.acts_on.is_none(), "`{}`", entry.type_name),
            Kind::Sink => assert!(shape.gives.is_none() && !shape.acts_on.is_none(), "`{}`", entry.type_name),
        }
    }
}

fn processors() -> impl Iterator<Item = &'static Entry> {
    processors::ALL.iter()
}

fn processor(entry: &Entry) -> Box<dyn Processor> {
    match (entry.read)(&example(entry)).unwrap() {
        Spec::Processor(recipe) => build(Kinds::ALL, |context| recipe.build(context)).unwrap(),
        _ => unreachable!("it is listed among the processors"),
    }
}

/// Counts the promises that were given, and those that were kept.
#[derive(Clone, Default)]
struct Promises {
    given: Arc<AtomicUsize>,
    kept: Arc<AtomicUsize>,
}

impl Promises {
    fn one(&self) -> Ack {
        let promises = self.clone();
        self.given.fetch_add(1, Ordering::SeqCst);
        Ack::new(move |outcome| {
            promises.kept.fetch_add(usize::from(outcome == Outcome::Delivered), Ordering::SeqCst);
        })
    }
}

fn batch(signal: Signal, lines: &[Vec<notation::Word>], now: Time, ack: Ack) -> Batch {
    let (checked, counts) = check(signal, notation::request(signal, lines, now.0).into(), &Limits::default()).unwrap();
    Batch::new(signal, Chunk::new(checked, counts.records, None, Ordinals::From(0), now), ack)
}

/// A story as flows with their times; closed traces among them where `closed`, made by the real `correlate`.
fn flows(story: &str, promises: &Promises, closed: bool) -> Vec<(Time, Flow)> {
    let (mut now, mut flows) = (START, Vec::new());
    for step in notation::steps(story) {
        match step {
            Step::Wait(period) => now = now.plus(period),
            Step::Write { path, line } => unreachable!("no processor reads {path}: {line}"),
            Step::Rename { from, to } => unreachable!("no processor reads {from} or {to}"),
            Step::Request(signal, lines) => flows.push((now, Flow::Batch(batch(signal, &lines, now, promises.one())))),
        }
    }
    if closed {
        let mut correlate = testing::build::<processors::correlate::Correlate>("{}", Kinds::RECORDS).unwrap();
        let calls = called(&mut *correlate, flows);
        return calls.into_iter().flat_map(|(at, call)| call.sent.into_iter().map(move |(_, flow)| (at, flow))).collect();
    }
    flows
}

/// Calls a processor as a lane would, timers and the last flush with it, and holds every call to the ledger.
fn called(processor: &mut dyn Processor, flows: Vec<(Time, Flow)>) -> Vec<(Time, Collected)> {
    let mut calls: Vec<(Time, Collected)> = Vec::new();
    let mut now = START;
    for (at, flow) in flows {
        now = at;
        calls.extend(testing::advance(processor, at).into_iter().map(|call| (at, call)));
        calls.push((at, testing::run(processor, flow, at)));
    }
    now = now.plus(Duration::from_secs(4));
    calls.extend(testing::advance(processor, now).into_iter().map(|call| (now, call)));
    calls.push((now, testing::flush(processor, Flush::Last, now, usize::MAX)));
    for (at, call) in &calls {
        for signal in Signal::ALL {
            assert_eq!(call.unaccounted(signal), 0, "{signal} at {at:?}");
        }
    }
    calls
}

/// All that was sent, as text.
fn sent(calls: &[(Time, Collected)]) -> Vec<(Option<String>, Signal, String)> {
    let flows = calls.iter().flat_map(|(_, call)| &call.sent);
    flows.flat_map(|(port, flow)| flow.batches().map(|batch| (port.clone(), batch.signal(), requests(batch)))).collect()
}

fn requests(batch: &Batch) -> String {
    batch.chunks().iter().map(|chunk| json::of_protobuf(batch.signal(), chunk.bytes())).collect()
}

/// Stories with spans, logs and points of few traces, some of them failed, some late.
fn stories() -> impl Strategy<Value = String> {
    let trace = prop::sample::select(vec!["a1", "a2", "f3"]);
    let line = (0..4_u8, trace, 1..6_u8, any::<bool>(), 0..2_u8).prop_map(|(kind, trace, n, bad, path)| {
        let path = ["/healthz", "/cart"][usize::from(path)];
        match kind {
            0 => format!("span {trace} {n}/{} shop \"GET {path}\" {n}00ms {} url.path={path}", n / 2, if bad { "error" } else { "ok" }),
            1 => format!("log {trace}/{n} shop {} \"said {n}\" url.path={path}", if bad { "error" } else { "info" }),
            2 => format!("log - shop {} \"said {n}\"", if bad { "warn" } else { "debug" }),
            _ => format!("point shop shop.orders {n} url.path={path}"),
        }
    });
    let step = prop_oneof![8 => line, 1 => (0..4_u8).prop_map(|n| format!("+{n}s")), 1 => Just(String::new())];
    prop::collection::vec(step, 1..40).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_balances_and_no_promise_stays_open(story in stories(), closed in any::<bool>()) {
        for entry in processors() {
            let promises = Promises::default();
            let flows = flows(&story, &promises, closed);
            let records: usize = flows.iter().map(|(_, flow)| flow.len()).sum();
            let mut processor = processor(entry);
            let calls = called(&mut *processor, flows);
            prop_assert_eq!(processor.held(), Held::NONE, "`{}` holds something past its last flush", entry.type_name);
            let out: usize = calls.iter().flat_map(|(_, call)| &call.sent).map(|(_, flow)| flow.len()).sum();
            let made: usize = calls.iter().flat_map(|(_, call)| Signal::ALL.map(|signal| call.made(signal))).sum();
            prop_assert!(out <= records + made, "`{}` sent {} of {} records", entry.type_name, out, records);
            drop(calls);
            let [given, kept] = [&promises.given, &promises.kept].map(|count| count.load(Ordering::SeqCst));
            prop_assert_eq!(given, kept, "`{}` keeps a promise open or broke it, though everything it sent was taken", entry.type_name);
        }
    }

    #[test]
    fn the_same_input_at_the_same_time_gives_the_same_output(story in stories(), closed in any::<bool>()) {
        for entry in processors() {
            let [first, second] = [(); 2].map(|()| {
                sent(&called(&mut *processor(entry), flows(&story, &Promises::default(), closed)))
            });
            prop_assert_eq!(first, second, "`{}`", entry.type_name);
        }
    }

    #[test]
    fn what_has_no_key_does_not_mind_how_records_are_batched(story in stories()) {
        for entry in processors().filter(|entry| shape(entry, Kinds::ALL).keyed == Keyed::No) {
            let promises = Promises::default();
            for signal in Signal::ALL {
                let batches = flows(&story, &promises, false).into_iter().filter_map(|(_, flow)| match flow {
                    Flow::Batch(batch) if batch.signal() == signal => Some(batch),
                    _ => None,
                });
                let apart: Vec<Batch> = batches.collect();
                let mut together = Batch::empty(signal);
                apart.iter().for_each(|batch| together.absorb(batch.clone()));
                let apart = apart.into_iter().map(|batch| (START, Flow::Batch(batch))).collect();
                let said = |flows| sent(&called(&mut *processor(entry), flows)).into_iter().map(|(.., text)| text).collect::<String>();
                prop_assert_eq!(said(apart), said(vec![(START, Flow::Batch(together))]), "`{}`", entry.type_name);
            }
        }
    }
}
