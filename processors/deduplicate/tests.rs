//! That nothing is miscounted, whatever repeats when; the pages of the cookbook show what it looks like.

use super::*;
use crate::kit::{at, counted, log, logs, promise, weights};
use pipeline::testing::{advance, build, flush, run};
use proptest::prelude::*;
use signal::Ack;
use std::sync::atomic::Ordering;

fn deduplicate(body: &str) -> Box<dyn Processor> {
    build::<Deduplicate>(body, Kinds::ALL).unwrap()
}

fn said(body: &str) -> Flow {
    logs("shop", vec![log(0, 0, 9, body)], Ack::none())
}

#[test]
fn a_promise_is_kept_once_the_record_that_tells_of_it_has_gone_on() {
    let mut part = deduplicate("{}");
    run(part.as_mut(), said("again"), at(0));
    let (ack, kept) = promise();
    let sent = run(part.as_mut(), logs("shop", vec![log(0, 0, 9, "again")], ack), at(1));
    drop(sent);
    assert!(!kept.load(Ordering::SeqCst), "its number is not told yet");
    let told = advance(part.as_mut(), at(11));
    assert!(told.iter().map(counted).sum::<usize>() == 1 && !kept.load(Ordering::SeqCst), "the record that tells of it promises it");
    drop(told);
    advance(part.as_mut(), at(40));
    assert!(kept.load(Ordering::SeqCst));
}

#[test]
fn a_flood_of_different_logs_stays_within_the_limit() {
    let mut part = deduplicate("limit: 64KiB");
    let mut most = 0;
    for n in 0..2_000 {
        run(part.as_mut(), said(&format!("line {}", n / 2)), at(0));
        most = most.max(part.held().bytes);
    }
    assert!((32 << 10..=64 << 10).contains(&most), "{most}");
}

#[test]
fn a_reload_goes_on_counting() {
    let mut part = deduplicate("{}");
    run(part.as_mut(), said("again"), at(0));
    run(part.as_mut(), said("again"), at(1));
    let mut next = deduplicate("window: 20s");
    assert!(next.adopt(part.release().unwrap()).is_ok());
    let call = run(next.as_mut(), said("again"), at(2));
    assert_eq!((counted(&call), part.held()), (0, Held::NONE));
    assert_eq!(weights(&advance(next.as_mut(), at(10))), 2);
}

#[test]
fn settings_that_would_do_nothing_are_refused() {
    let said = |body: &str| build::<Deduplicate>(body, Kinds::ALL).err().unwrap()[0].what.clone();
    assert_eq!(said("by: []"), "with an empty `by` all logs of `test` would be equal");
    assert_eq!(said("window: 0s"), "with an empty `window`, `test` would collapse nothing");
    assert!(said("by: [.body, .nonsense]").contains("nonsense"));
}

proptest! {
    #[test]
    fn what_goes_on_counts_as_much_as_what_came(lines in prop::collection::vec((0_u8..5, 0_u64..4, 1_usize..4), 1..80), limit in prop::sample::select(vec!["1KiB", "1MiB"])) {
        let mut part = deduplicate(&format!("{{ window: 3s, limit: {limit} }}"));
        let (mut now, mut calls, mut came) = (0, Vec::new(), 0);
        for (body, wait, times) in lines {
            now += wait;
            came += times as u64;
            calls.extend(advance(part.as_mut(), at(now)));
            calls.push(run(part.as_mut(), logs("shop", vec![log(0, 0, 9, &body.to_string()); times], Ack::none()), at(now)));
        }
        calls.push(flush(part.as_mut(), Flush::Last, at(now), 1));
        prop_assert_eq!(weights(&calls), came);
        prop_assert_eq!(part.held(), Held::NONE);
        prop_assert!(calls.iter().all(|call| call.unaccounted(Signal::Logs) == 0));
    }
}
