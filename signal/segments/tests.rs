//! Segments against a model that keeps every record by itself, whatever is pushed, let go and moved.

use super::*;
use crate::{Chunk, Gather, Ordinals, Signal, Time, arbitrary};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Push { owner: u32, record: usize },
    Free { owner: u32 },
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12_u32, 0..9_usize).prop_map(|(owner, record)| Step::Push { owner, record }),
        2 => (0..12_u32).prop_map(|owner| Step::Free { owner }),
        1 => Just(Step::Compact),
    ]
}

fn chunk() -> Chunk {
    Chunk::new(arbitrary::checked(&arbitrary::spans(9)), 9, None, Ordinals::From(0), Time(1))
}

fn compact(segments: &mut Segments, chains: &mut [Chain]) {
    segments.compact(|owner, moves| chains.get_mut(owner as usize).into_iter().for_each(&mut *moves));
}

/// What a chain has: notes, services, and the bytes of its records.
fn read(segments: &Segments, chain: &Chain) -> Vec<(Note, String, Vec<u8>)> {
    segments.records(chain).map(|record| (record.note, record.heading.service().to_string(), record.span().bytes().to_vec())).collect()
}

proptest! {
    #[test]
    fn every_owner_has_what_it_was_given_in_order_wherever_it_was_moved(steps in prop::collection::vec(step(), 1..400)) {
        let chunk = chunk();
        let records: Vec<Record<'_>> = chunk.records(Signal::Traces).collect();
        let mut segments = Segments::new(0);
        let mut chains = [Chain::default(); 12];
        let mut model: Vec<Vec<(Note, String, Vec<u8>)>> = vec![Vec::new(); 12];
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Push { owner, record } => {
                    let (n, record) = (n as u32, &records[record]);
                    let note = Note { owner, source: n / 7, ordinal: n, flags: n % 3, span: u64::from(n) << 40, parent: 5 };
                    let under = segments.under(record, &mut None);
                    segments.push(&mut chains[owner as usize], under, note, record);
                    let Item::Span(span) = &record.item else { panic!() };
                    model[owner as usize].push((note, record.resource.service().to_owned(), span.bytes().to_vec()));
                }
                Step::Free { owner } => {
                    segments.free(std::mem::take(&mut chains[owner as usize]));
                    model[owner as usize].clear();
                }
                Step::Compact => compact(&mut segments, &mut chains),
            }
            for (chain, expected) in chains.iter().zip(&model) {
                prop_assert_eq!(&read(&segments, chain), expected);
                prop_assert_eq!(segments.notes(chain).count(), expected.len());
                prop_assert_eq!(chain.is_empty(), expected.is_empty());
            }
        }
        chains.into_iter().for_each(|chain| segments.free(chain));
        prop_assert_eq!(segments.bytes(), 0, "what nobody has takes nothing");
    }
}

#[test]
fn what_lives_long_among_much_that_does_not_keeps_no_more_than_itself() {
    let chunk = chunk();
    let record = chunk.records(Signal::Traces).next().unwrap();
    let mut segments = Segments::new(64 * SEGMENT_BYTES_MIN);
    let mut chains = [Chain::default(); 2];
    for n in 0..2_000 {
        let owner = u32::from(n % 100 != 0);
        let under = segments.under(&record, &mut None);
        segments.push(&mut chains[owner as usize], under, Note { owner, ..Note::default() }, &record);
        if n % 50 == 49 {
            segments.free(std::mem::take(&mut chains[1]));
            compact(&mut segments, &mut chains);
        }
    }
    let alive: usize = segments.records(&chains[0]).map(|record| HEAD_BYTES + record.field.len()).sum();
    assert!(segments.bytes() < 5 * alive + 2 * SEGMENT_BYTES_MIN, "{} for {alive}", segments.bytes());
}

#[test]
fn a_request_of_what_waits_is_the_one_that_gathering_makes() {
    let chunk = chunk();
    for step in 1..4 {
        let (mut segments, mut chain, mut last, mut gather) = (Segments::new(0), Chain::default(), None, Gather::new(Signal::Traces));
        for (_, record) in chunk.records(Signal::Traces).enumerate().filter(|(n, _)| n % step == 0) {
            let under = segments.under(&record, &mut last);
            segments.push(&mut chain, under, Note::default(), &record);
            gather.push(record);
        }
        let waiting: Vec<Waiting<'_>> = segments.records(&chain).collect();
        assert_eq!(requests(&[&waiting])[0].bytes(), gather.finish().bytes());
        let (first, second) = waiting.split_at(waiting.len() / 2);
        let parts = requests(&[first, second, &[]]);
        let records = |part: &crate::Checked, records| {
            Chunk::new(part.clone(), records, None, Ordinals::From(0), Time(1)).records(Signal::Traces).count()
        };
        assert_eq!(
            (records(&parts[0], first.len()), records(&parts[1], second.len()), records(&parts[2], 0)),
            (first.len(), second.len(), 0)
        );
    }
}

#[test]
fn equal_headings_of_many_requests_are_one_and_go_with_the_last_record() {
    let (mut segments, mut chain) = (Segments::new(0), Chain::default());
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let chunk = chunk();
        let record = chunk.records(Signal::Traces).next().unwrap();
        let under = segments.under(&record, &mut None);
        segments.push(&mut chain, under, Note::default(), &record);
        sizes.push(segments.bytes());
    }
    assert_eq!(sizes[2] - sizes[1], segments.records(&chain).next().unwrap().field.len() + HEAD_BYTES);
    assert_eq!(
        segments.headings.bytes(),
        segments
            .headings
            .get(Under(0))
            .map_or(0, |heading| size_of_val(heading) + heading.service().len() + heading.parts().0.len() + heading.parts().1.len())
    );
}
