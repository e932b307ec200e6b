//! A batch taken apart into messages has every record once, in a message of its key, and every message says where its records come from.

use crate::{
    Ack, Batch, By, Chunk, Item, Key, Limits, Messages, Ordinals, Origin, Signal, Time,
    arbitrary::{
        self, Draw, batch,
        flat::{Flat, Proto},
    },
    batch_test::raw,
    check,
    codec::{json, origins::Origins},
    ids,
    keyed::{Mark, Message, Written},
};
use proptest::prelude::*;
use std::collections::HashMap;

/// So many requests, each an entry of the journal of its own, or of none.
fn entries(draw: &mut Draw, signal: Signal) -> Batch {
    let mut all = Batch::empty(signal);
    for position in 0..draw.below(4) as u64 {
        let one = batch(signal, raw(draw, signal));
        let origin = (draw.below(5) > 0).then_some(Origin { log: 7, position });
        let chunk = &one.chunks()[0];
        all.absorb(Batch::new(signal, Chunk::new(chunk.bytes().clone(), chunk.len(), origin, Ordinals::From(10), Time(1)), Ack::none()));
    }
    all
}

fn flat(signal: Signal, bytes: &[u8]) -> Vec<Flat> {
    Proto::decode(signal, bytes).unwrap().flat()
}

/// Each record by its origin and ordinal, where it has one.
fn by_identity(batch: &Batch) -> HashMap<(u64, u32), Flat> {
    let mut all = HashMap::new();
    for chunk in batch.chunks() {
        let records = flat(batch.signal(), chunk.bytes().bytes());
        for (n, record) in records.into_iter().enumerate() {
            if let Some(origin) = chunk.origin() {
                all.insert((origin.position, chunk.ordinal(n)), record);
            }
        }
    }
    all
}

fn key_of(record: &crate::Record<'_>) -> Key {
    let trace = match record.item {
        Item::Span(span) => Some(span.trace_id()),
        Item::Log(log) => ids::find(&log).map(|found| found.trace).or_else(|| ids::candidate(&log)),
        Item::Point(..) => None,
    };
    trace.map_or_else(|| Key::Resource(xxhash_rust::xxh3::xxh3_64(record.resource.bytes())), Key::Trace)
}

fn checked(signal: Signal, written: &Written, message: &Message) -> Batch {
    let value = written.value(message).to_vec();
    let (checked, counts) = check(signal, value.clone().into(), &Limits::default()).unwrap();
    assert_eq!((counts.records, counts.rejected), (message.records, 0));
    assert_eq!(checked.bytes(), &value, "as `check` leaves it");
    Batch::new(signal, Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(1)), Ack::none())
}

proptest! {
    #[test]
    fn every_record_is_once_in_a_message_of_its_key(mut draw in Draw::of(6_000), bytes_max in prop_oneof![100..2_000_usize, Just(1 << 20)]) {
        for signal in Signal::ALL {
            let batch = entries(&mut draw, signal);
            let (mut known, mut messages, mut written) = (by_identity(&batch), Messages::of(&batch, By::Key), Written::default());
            while messages.next(bytes_max, |_| 1, &mut written) {}
            let (mut records, mut finished, mut last) = (0, Vec::new(), None);
            for message in written.messages() {
                records += message.records;
                let (read, value, origins) = (checked(signal, &written, message), written.value(message), written.origins(message));
                prop_assert!(read.records().all(|record| Some(key_of(&record)) == message.key));
                if last != message.key {
                    prop_assert!(!finished.contains(&message.key), "all messages of a key follow one another");
                    finished.push(message.key);
                    last = message.key;
                }
                let pieces = if signal == Signal::Metrics { 1 } else { message.records };
                prop_assert!(value.len() <= bytes_max || pieces == 1, "{} of {bytes_max}", value.len());
                let flat = flat(signal, value);
                if origins.is_empty() {
                    continue;
                }
                let origins = Origins::decode(origins, flat.len()).unwrap();
                let mut left = flat.into_iter();
                for piece in origins.pieces {
                    let chunk = Chunk::new(crate::Checked(bytes::Bytes::new()), piece.records as usize, piece.origin, piece.ordinals, Time(1));
                    for n in 0..chunk.len() {
                        let record = left.next().unwrap();
                        if let Some(origin) = piece.origin {
                            prop_assert_eq!(known.remove(&(origin.position, chunk.ordinal(n))), Some(record));
                        }
                    }
                }
            }
            prop_assert_eq!(records, batch.len());
            prop_assert!(known.is_empty(), "{} records are in no message", known.len());
        }
    }

    #[test]
    fn without_a_key_all_of_a_batch_is_its_merge(mut draw in Draw::of(4_000)) {
        for signal in Signal::ALL {
            let batch = entries(&mut draw, signal);
            let whole: Vec<u8> = batch.chunks().iter().filter(|chunk| !chunk.is_empty()).flat_map(|chunk| chunk.bytes().bytes().to_vec()).collect();
            let (mut messages, mut written) = (Messages::of(&batch, By::Batch), Written::default());
            while messages.next(usize::MAX, |_| 0, &mut written) {}
            prop_assert_eq!(written.messages().len(), usize::from(!batch.is_empty()));
            for message in written.messages() {
                prop_assert_eq!((message.key, written.value(message)), (None, whole.as_slice()));
            }
        }
    }
}

#[test]
fn a_trace_of_two_requests_is_one_message_and_a_large_one_is_several() {
    let mut both = Batch::new(Signal::Traces, chunk(1), Ack::none());
    both.absorb(Batch::new(Signal::Traces, chunk(2), Ack::none()));
    let (mut messages, mut written) = (Messages::of(&both, By::Key), Written::default());
    assert!(messages.next(1 << 20, |_| 0, &mut written));
    let message = written.take_back().unwrap();
    assert_eq!((message.records, message.key), (12, Some(Key::Trace(crate::TraceId([1; 16])))));
    messages.return_to(Mark::default());
    while messages.next(300, |_| 0, &mut written) {}
    let messages = written.messages();
    assert!(messages.iter().all(|message| written.value(message).len() <= 300));
    assert!(messages.len() > 2 && messages.iter().map(|message| message.records).sum::<usize>() == 12, "{messages:?}");
}

#[test]
fn a_message_is_told_in_json_too() {
    let batch = Batch::new(Signal::Traces, chunk(1), Ack::none());
    let (mut messages, mut written) = (Messages::of(&batch, By::Key), Written::default());
    assert!(messages.next(1 << 20, |_| 0, &mut written));
    let protobuf = written.value(&written.messages()[0]).to_vec();
    written.last_to_json(Signal::Traces);
    let back = json::to_protobuf(Signal::Traces, written.value(&written.messages()[0])).unwrap();
    assert_eq!(flat(Signal::Traces, &back), flat(Signal::Traces, &protobuf));
}

fn chunk(position: u64) -> Chunk {
    let checked = arbitrary::checked(&arbitrary::spans(6));
    Chunk::new(checked, 6, Some(Origin { log: 7, position }), Ordinals::From(0), Time(1))
}
