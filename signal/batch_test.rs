//! What is done to the bytes of a batch agrees with doing it to prost's structs, for all signals and for unusual encodings.

use crate::{
    Ack, Batch, Flow, Gather, Item, Limits, Signal,
    arbitrary::{
        Draw, batch,
        change::{changed, changes},
        flat::{Flat, Proto},
        messages::request,
        unusual::unusual,
    },
    check, ids,
    wire::every,
};
use proptest::prelude::*;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

pub(crate) fn raw(draw: &mut Draw, signal: Signal) -> Vec<u8> {
    let raw = request(draw, signal).encode();
    if draw.chance(50) { unusual(draw, signal, &raw) } else { raw }
}

/// All chunks decoded as one request, which is their merge; each has to be what `check` would let pass.
fn decoded(batch: &Batch) -> Vec<Flat> {
    let mut all = Vec::new();
    for chunk in batch.chunks() {
        let bytes = chunk.bytes().bytes();
        let (again, counts) = check(batch.signal(), bytes.clone(), &Limits::default()).unwrap();
        assert_eq!((counts.records, counts.rejected), (chunk.len(), 0));
        assert_eq!(again.bytes().as_ptr(), bytes.as_ptr());
        all.extend_from_slice(bytes);
    }
    Proto::decode(batch.signal(), &all).unwrap().flat()
}

fn ordinals(batch: &Batch) -> Vec<usize> {
    batch.chunks().iter().flat_map(|chunk| (0..chunk.len()).map(|n| chunk.ordinal(n) as usize)).collect()
}

proptest! {
    #[test]
    fn retain_agrees_with_prost(mut draw in Draw::of(4_000)) {
        for signal in Signal::ALL {
            let mut batch = batch(signal, raw(&mut draw, signal));
            let flat = decoded(&batch);
            let percent = draw.pick(&[0, 20, 50, 90, 100]);
            let kept: Vec<bool> = flat.iter().map(|_| draw.chance(percent)).collect();
            let (mut want, mut numbers) = (Vec::new(), Vec::new());
            for (n, record) in flat.into_iter().enumerate().filter(|(n, _)| kept[*n]) {
                want.push(record);
                numbers.push(n);
            }
            let mut asked = kept.iter();
            prop_assert_eq!(batch.retain(|_| *asked.next().unwrap()), kept.len() - want.len());
            prop_assert_eq!(decoded(&batch), want);
            prop_assert_eq!(ordinals(&batch), numbers);
        }
    }

    #[test]
    fn spread_gives_each_record_to_the_one_lane_that_has_its_key(mut draw in Draw::of(4_000), lanes in 2..5_usize) {
        for signal in Signal::ALL {
            let whole = batch(signal, raw(&mut draw, signal));
            let settled = Arc::new(AtomicUsize::new(0));
            let told = Arc::clone(&settled);
            let sent = Batch { ack: Ack::new(move |_| _ = told.fetch_add(1, Ordering::SeqCst)), ..whole.clone() };
            let flat = decoded(&whole);
            let spread = Flow::Batch(sent).spread(lanes);
            let (mut got, mut of_key) = (Vec::new(), HashMap::new());
            for (lane, flow) in spread.iter().enumerate() {
                let Flow::Batch(lane_batch) = flow else { unreachable!() };
                let numbers = ordinals(lane_batch);
                prop_assert!(numbers.is_sorted(), "{numbers:?}");
                for record in lane_batch.records() {
                    let trace = match record.item {
                        Item::Span(span) => Some(span.trace_id()),
                        Item::Log(log) => ids::find(&log).map(|found| found.trace),
                        Item::Point(..) => None,
                    };
                    let key = trace.map(|trace| trace.low()).ok_or(record.resource.bytes().to_vec());
                    prop_assert_eq!(*of_key.entry(key).or_insert(lane), lane);
                }
                got.extend(numbers.into_iter().zip(decoded(lane_batch)));
            }
            got.sort_by_key(|(ordinal, _)| *ordinal);
            prop_assert_eq!(got.iter().map(|(ordinal, _)| *ordinal).collect::<Vec<_>>(), (0..flat.len()).collect::<Vec<_>>());
            prop_assert_eq!(got.into_iter().map(|(_, record)| record).collect::<Vec<_>>(), flat.clone());
            prop_assert_eq!(settled.load(Ordering::SeqCst), usize::from(flat.is_empty()));
            drop(spread);
            prop_assert_eq!(settled.load(Ordering::SeqCst), 1);
        }
    }

    #[test]
    fn edit_agrees_with_prost(mut draw in Draw::of(5_000)) {
        for signal in Signal::ALL {
            let mut batch = batch(signal, raw(&mut draw, signal));
            let flat = decoded(&batch);
            let common = if draw.chance(50) { changes(&mut draw) } else { Vec::new() };
            let all: Vec<_> = flat.iter().map(|_| if draw.chance(50) { common.clone() } else { changes(&mut draw) }).collect();
            let want: Vec<Option<Flat>> = flat.into_iter().zip(&all).map(|(record, changes)| changed(record, changes)).collect();
            let mut asked = all.iter();
            let gone = batch.edit(|_, edit| asked.next().unwrap().iter().for_each(|change| change.note(edit)));
            prop_assert_eq!(gone, want.iter().filter(|record| record.is_none()).count());
            let found = decoded(&batch);
            let numbers = ordinals(&batch);
            prop_assert_eq!(found.len(), want.len() - gone);
            for (found, number) in found.iter().zip(&numbers) {
                prop_assert_eq!(Some(found), want[*number].as_ref());
            }
            let mut sorted = numbers;
            sorted.sort_unstable();
            sorted.dedup();
            prop_assert_eq!(sorted.len(), found.len());
        }
    }

    #[test]
    fn merging_agrees_with_concatenated_lists(mut draw in Draw::of(3_000)) {
        for signal in Signal::ALL {
            let (mut first, second) = (batch(signal, raw(&mut draw, signal)), batch(signal, raw(&mut draw, signal)));
            let want: Vec<Flat> = decoded(&first).into_iter().chain(decoded(&second)).collect();
            first.absorb(second);
            prop_assert_eq!(first.records().count(), want.len());
            prop_assert_eq!(decoded(&first), want);
        }
    }

    #[test]
    fn both_halves_of_a_split_are_the_whole(mut draw in Draw::of(3_000)) {
        for signal in Signal::ALL {
            let mut first = batch(signal, raw(&mut draw, signal));
            first.absorb(batch(signal, raw(&mut draw, signal)));
            let mut want = decoded(&first);
            let at = draw.below(40);
            let rest = first.split_off(at);
            let tail = want.split_off(at.min(want.len()));
            prop_assert_eq!(decoded(&first), want);
            prop_assert_eq!(decoded(&rest), tail);
        }
    }

    #[test]
    fn gathered_records_are_those_that_were_pushed(mut draw in Draw::of(3_000)) {
        for signal in Signal::ALL {
            let batch = batch(signal, raw(&mut draw, signal));
            let flat = decoded(&batch);
            let mut gather = Gather::new(signal);
            let mut want = Vec::new();
            for lane in 0..3 {
                for (record, flat) in batch.records().zip(&flat) {
                    if draw.below(3) == lane {
                        gather.push(record);
                        want.push(flat.clone());
                    }
                }
            }
            prop_assert_eq!(gather.len(), want.len());
            let bytes = gather.bytes();
            let checked = gather.finish();
            prop_assert!(checked.bytes().len() <= bytes + 16);
            prop_assert_eq!(Proto::decode(signal, checked.bytes()).unwrap().flat(), want);
        }
    }
}

#[test]
fn neighbours_share_a_group_when_gathered() {
    let batch = batch(Signal::Traces, prost::Message::encode_to_vec(&crate::arbitrary::spans(8)));
    let mut gather = Gather::new(Signal::Traces);
    batch.records().for_each(|record| gather.push(record));
    let checked = gather.finish();
    assert_eq!(every(checked.bytes(), 1).count(), 2);
    assert_eq!(checked.bytes(), batch.chunks()[0].bytes().bytes());
}
