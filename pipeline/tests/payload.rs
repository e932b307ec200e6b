//! What goes through a log comes out as it went in; whatever else lies there is refused and never panics.

use super::parts::logs;
use crate::letter::{self, About};
use bytes::Bytes;
use proptest::prelude::*;
use signal::{
    Ack, Batch, Chunk, ClosedBy, Decision, Facts, FirstError, Flow, Limits, Ordinals, Origin, Part, Root, Signal, SpanId, Time, Trace,
    TraceId, check,
    codec::flow::{VERSION, counts, decode, encode},
};
use std::sync::Arc;

fn chunk(texts: &[&str], origin: Option<Origin>, ordinals: Ordinals, arrived: u64) -> Chunk {
    let (checked, counts) = check(Signal::Logs, logs(texts), &Limits::default()).unwrap();
    Chunk::new(checked, counts.records, origin, ordinals, Time(arrived))
}

fn whole(parts: &[Bytes]) -> Bytes {
    parts.concat().into()
}

/// A flow in words: `Ack` aside, all of it.
fn told(flow: &Flow) -> String {
    let batch = |batch: &Batch| format!("{:?} {:?}", batch.signal(), batch.chunks());
    match flow {
        Flow::Batch(one) => batch(one),
        Flow::Traces(traces) => traces
            .iter()
            .map(|t| {
                format!("{:?} {:?} {:?} {:?} {} {} {}\n", t.id, t.part, t.facts, t.decision, t.pinned, batch(&t.spans), batch(&t.logs))
            })
            .collect(),
    }
}

fn trace(duration_ms: f64) -> Trace {
    let mut logs = Batch::empty(Signal::Logs);
    logs.absorb(Batch::new(Signal::Logs, chunk(&["a"], None, Ordinals::From(3), 9), Ack::none()));
    let facts = Facts {
        first_arrival: Time(1),
        last_arrival: Time(2),
        start: Time(3),
        end: Time(4),
        span_count: 0,
        log_count: 1,
        error_span_count: 0,
        error_log_count: 1,
        services: vec!["shop".into()],
        root: Some(Root {
            service: "shop".into(),
            name: "GET".to_owned(),
            kind: signal::view::SpanKind::Server,
            status: signal::view::Status::Error,
            duration_ms,
            span_id: SpanId([7; 8]),
        }),
        first_error: Some(FirstError { service: "shop".to_owned(), span: String::new(), message: None }),
        closed_by: ClosedBy::Cap,
    };
    let decision = Decision { through: Some(Origin { log: 5, position: 6 }), pinned: true, ..crate::tests::parts::decision(Time(8)) };
    let (spans, decision) = (Batch::empty(Signal::Traces), Some(Arc::new(decision)));
    Trace { id: TraceId([9; 16]), part: Part::Late, spans, logs, facts: Arc::new(facts), decision, pinned: true, stateless: false }
}

proptest! {
    #[test]
    fn a_batch_keeps_its_bytes_and_identities(
        chunks in prop::collection::vec((1..4_usize, any::<Option<(u32, u64)>>(), any::<bool>(), any::<u32>(), any::<u64>()), 0..5)
    ) {
        let mut batch = Batch::empty(Signal::Logs);
        for (records, origin, listed, first, arrived) in chunks {
            let texts = vec!["text"; records];
            let ordinals = if listed { Ordinals::These((0..records).map(|n| first ^ n as u32).collect()) } else { Ordinals::From(first) };
            let origin = origin.map(|(log, position)| Origin { log, position });
            batch.absorb(Batch::new(Signal::Logs, chunk(&texts, origin, ordinals, arrived), Ack::none()));
        }
        let flow = Flow::Batch(batch);
        let payload = whole(&encode(&flow));
        prop_assert_eq!(counts(&payload), Some(flow.counts()));
        prop_assert_eq!(told(&decode(payload).unwrap()), told(&flow));
    }

    #[test]
    fn closed_traces_keep_what_was_learned_and_decided(quarters in any::<u32>()) {
        let duration_ms = f64::from(quarters) / 4.0;
        let flow = Flow::Traces(vec![trace(duration_ms), trace(0.5)]);
        let payload = whole(&encode(&flow));
        prop_assert_eq!(counts(&payload), Some([0, 2, 0]));
        prop_assert_eq!(told(&decode(payload).unwrap()), told(&flow));
    }

    #[test]
    fn damage_is_refused_and_never_panics(at in any::<prop::sample::Index>(), bit in 0..8_u32, cut in any::<prop::sample::Index>()) {
        let mut payload = encode(&Flow::Traces(vec![trace(1.5)])).concat();
        let kept = cut.index(payload.len());
        prop_assert!(decode(Bytes::copy_from_slice(&payload[..kept])).is_err());
        payload[at.index(kept.max(1))] ^= 1 << bit;
        let _whatever = decode(payload.into());
    }
}

#[test]
fn another_version_is_named() {
    let mut payload = encode(&Flow::Traces(Vec::new())).concat();
    payload[0] = 2;
    assert_eq!(decode(payload.into()).unwrap_err().0, "it has format version 2, this kansoku reads 1");
}

/// What lies in `tests/version_N/` was written by a kansoku of that version and never changes; what the newest one is to be like, `KANSOKU_FIX=1` writes where it is missing.
#[test]
#[expect(clippy::disallowed_methods, reason = "fixtures lie on the real disk")]
fn what_every_version_left_in_spill_logs_and_dead_letters_is_read() {
    let mut batch = Batch::empty(Signal::Logs);
    let origin = Some(Origin { log: 0x5eed, position: 42 });
    batch.absorb(Batch::new(Signal::Logs, chunk(&["one", "two"], origin, Ordinals::From(7), 11), Ack::none()));
    batch.absorb(Batch::new(Signal::Logs, chunk(&["three", "five"], None, Ordinals::These(vec![1, 3].into()), 12), Ack::none()));
    let (batch, traces) = (Flow::Batch(batch), Flow::Traces(vec![trace(1.5), trace(0.25)]));
    let about = About { node: "vendor".to_owned(), reason: "refused".to_owned(), why: "no tenant".to_owned(), at: Time(13) };
    let written = [("batch", encode(&batch)), ("traces", encode(&traces)), ("letter", letter::encode(&about, encode(&batch)))];
    for version in 1..=VERSION {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/version_{version}"));
        let read = written.clone().map(|(name, parts)| {
            let path = folder.join(name);
            if version == VERSION && !path.exists() && std::env::var("KANSOKU_FIX").is_ok() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, whole(&parts)).unwrap();
            }
            Bytes::from(std::fs::read(&path).unwrap())
        });
        let [of_batch, of_traces, of_letter] = read;
        assert_eq!(told(&decode(of_batch).unwrap()), told(&batch), "version {version}");
        assert_eq!(told(&decode(of_traces).unwrap()), told(&traces), "version {version}");
        let (found, content) = letter::decode(&of_letter).unwrap();
        assert_eq!((found, told(&decode(content).unwrap())), (about.clone(), told(&batch)), "version {version}");
    }
}
