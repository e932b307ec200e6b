//! A batch taken apart into messages has every record once, in a message of its key, and every message says where its records come from.

use crate::{
    Ack, Batch, Chunk, Item, Key, Limits, Messages, Ordinals, Origin, Signal, Time,
    arbitrary::{
        self, Draw, batch,
        flat::{Flat, Proto},
    },
    batch_test::raw,
    check,
    codec::{json, origins::Origins},
    ids,
    keyed::{By, Message},
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

fn checked(signal: Signal, message: &Message) -> Batch {
    let (checked, counts) = check(signal, message.bytes.clone().into(), &Limits::default()).unwrap();
    assert_eq!((counts.records, counts.rejected), (message.records, 0));
    assert_eq!(checked.bytes(), &message.bytes, "as `check` leaves it");
    Batch::new(signal, Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(1)), Ack::none())
}

proptest! {
    #[test]
    fn every_record_is_once_in_a_message_of_its_key(mut draw in Draw::of(6_000), bytes_max in prop_oneof![100..2_000_usize, Just(1 << 20)]) {
        for signal in Signal::ALL {
            let batch = entries(&mut draw, signal);
            let (mut known, mut messages, mut message) = (by_identity(&batch), Messages::of(&batch, By::Key), Message::default());
            let (mut records, mut finished, mut last) = (0, Vec::new(), None);
            while messages.next(bytes_max, |_| 1, &mut message) {
                records += message.records;
                let read = checked(signal, &message);
                prop_assert!(read.records().all(|record| Some(key_of(&record)) == message.key));
                if last != message.key {
                    prop_assert!(!finished.contains(&message.key), "all messages of a key follow one another");
                    finished.push(message.key);
                    last = message.key;
                }
                let pieces = if signal == Signal::Metrics { 1 } else { message.records };
                prop_assert!(message.bytes.len() <= bytes_max.max(messages.largest()) || pieces == 1, "{} of {bytes_max}", message.bytes.len());
                let flat = flat(signal, &message.bytes);
                if message.origins.is_empty() {
                    continue;
                }
                let origins = Origins::decode(&message.origins, flat.len()).unwrap();
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
            let (mut messages, mut message) = (Messages::of(&batch, By::Batch), Message::default());
            let any = messages.next(usize::MAX, |_| 0, &mut message);
            prop_assert_eq!(any, !batch.is_empty());
            if any {
                prop_assert_eq!((message.key, &message.bytes), (None, &whole));
                prop_assert!(!messages.next(usize::MAX, |_| 0, &mut message));
            }
        }
    }
}

#[test]
fn a_trace_of_two_requests_is_one_message_and_a_large_one_is_several() {
    let mut both = Batch::new(Signal::Traces, chunk(1), Ack::none());
    both.absorb(Batch::new(Signal::Traces, chunk(2), Ack::none()));
    let (mut messages, mut message) = (Messages::of(&both, By::Key), Message::default());
    assert!(messages.next(1 << 20, |_| 0, &mut message));
    assert_eq!((message.records, message.key), (12, Some(Key::Trace(crate::TraceId([1; 16])))));
    messages.return_to(crate::keyed::Mark::default());
    let mut sizes = Vec::new();
    while messages.next(300, |_| 0, &mut message) {
        assert!(message.bytes.len() <= 300, "{}", message.bytes.len());
        sizes.push(message.records);
    }
    assert!(sizes.len() > 2 && sizes.iter().sum::<usize>() == 12, "{sizes:?}");
}

#[test]
fn a_message_is_told_in_json_too() {
    let batch = Batch::new(Signal::Traces, chunk(1), Ack::none());
    let (mut messages, mut message) = (Messages::of(&batch, By::Key), Message::default());
    assert!(messages.next(1 << 20, |_| 0, &mut message));
    let back = json::to_protobuf(Signal::Traces, messages.json(&message).as_bytes()).unwrap();
    assert_eq!(flat(Signal::Traces, &back), flat(Signal::Traces, &message.bytes));
}

fn chunk(position: u64) -> Chunk {
    let checked = arbitrary::checked(&arbitrary::spans(6));
    Chunk::new(checked, 6, Some(Origin { log: 7, position }), Ordinals::From(0), Time(1))
}
