//! What is done to the bytes of a batch agrees with doing it to prost's structs, for all signals and for unusual encodings.

use crate::{
    Batch, Gather, Limits, Signal,
    arbitrary::{
        Draw, batch,
        change::{changed, changes},
        flat::{Flat, Proto},
        messages::request,
        unusual::unusual,
    },
    check,
    wire::every,
};
use proptest::prelude::*;

fn raw(draw: &mut Draw, signal: Signal) -> Vec<u8> {
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
