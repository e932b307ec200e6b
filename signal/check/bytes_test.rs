//! Bytes that nobody vouches for: `check` never panics, and what it lets through every reader can read.

use crate::{
    Ack, Batch, Chunk, Limits, Ordinals, Signal, Time,
    arbitrary::{
        Draw,
        flat::{FlatItem, Proto},
        messages::request,
        unusual::unusual,
    },
    check,
};
use proptest::prelude::*;

/// Lets `check` judge the bytes; goes through all that passes.
fn judged(signal: Signal, raw: Vec<u8>, limits: &Limits) {
    let lenient = prost_reads(signal, &raw);
    match check(signal, raw.clone().into(), limits) {
        Ok((checked, counts)) => {
            let flat = Proto::decode(signal, checked.bytes()).unwrap().flat();
            assert_eq!(flat.len(), counts.records);
            assert_eq!(counts.rejected > 0, counts.why.is_some() && counts.rejected > 0);
            let batch = Batch::new(signal, Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0)), Ack::none());
            assert_eq!(batch.records().count(), flat.len());
            for record in batch.records() {
                record.attributes().iter().for_each(|(_, any)| drop(any.display()));
            }
        }
        Err(fault) => {
            assert!(fault.offset <= raw.len() && !fault.path.is_empty(), "{fault}");
            let strict = fault.what.contains("group") || fault.what.contains("records in a request");
            assert!(strict || !lenient, "{fault} but prost reads it");
        }
    }
}

fn prost_reads(signal: Signal, raw: &[u8]) -> bool {
    Proto::decode(signal, raw).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn random_bytes_never_panic(raw in prop::collection::vec(any::<u8>(), 0..200)) {
        for signal in Signal::ALL {
            judged(signal, raw.clone(), &Limits::default());
        }
    }

    #[test]
    fn spoiled_messages_never_panic(mut draw in Draw::of(1_500), spoil in prop::collection::vec((any::<u16>(), any::<u8>()), 0..4)) {
        let signal = draw.pick(&Signal::ALL);
        let mut raw = request(&mut draw, signal).encode();
        if draw.chance(50) {
            raw = unusual(&mut draw, signal, &raw);
        }
        for (at, byte) in spoil {
            let length = raw.len().max(1);
            if let Some(place) = raw.get_mut(usize::from(at) % length) {
                *place = byte;
            }
        }
        let limits = Limits { attributes_max: 3, key_bytes_max: 11, nesting_max: 2, resource_bytes_max: 150, ..Limits::default() };
        judged(signal, raw.clone(), &Limits::default());
        judged(signal, raw, &limits);
    }

    #[test]
    fn spans_with_wrong_ids_are_the_ones_that_are_cut(mut draw in Draw::of(1_500)) {
        let Proto::Traces(mut proto) = request(&mut draw, Signal::Traces) else { unreachable!() };
        for span in proto.resource_spans.iter_mut().flat_map(|g| &mut g.scope_spans).flat_map(|s| &mut s.spans) {
            match draw.below(6) {
                1 => span.trace_id.truncate(draw.below(17)),
                2 => span.span_id.push(1),
                3 => span.span_id = vec![0; 8],
                _ => {}
            }
        }
        let raw = Proto::Traces(proto.clone()).encode();
        let raw = if draw.chance(50) { unusual(&mut draw, Signal::Traces, &raw) } else { raw };
        let all = Proto::Traces(proto).flat();
        let total = all.len();
        let valid = |item: &FlatItem| match item {
            FlatItem::Span(s) => s.trace_id.len() == 16 && s.span_id.len() == 8 && s.span_id != [0; 8],
            _ => false,
        };
        let want: Vec<_> = all.into_iter().filter(|flat| valid(&flat.item)).collect();
        let (checked, counts) = check(Signal::Traces, raw.into(), &Limits::default()).unwrap();
        prop_assert_eq!((counts.records, counts.rejected), (want.len(), total - want.len()));
        prop_assert_eq!(Proto::decode(Signal::Traces, checked.bytes()).unwrap().flat(), want);
    }
}
