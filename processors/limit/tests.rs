//! That nothing is miscounted and no limit is passed, whatever comes when; the pages of the cookbook show what it looks like.

use super::*;
use crate::kit::{at, counted, log, logs, promise, weights};
use pipeline::testing::{advance, build, flush, run};
use proptest::prelude::*;
use signal::Ack;
use std::sync::atomic::Ordering;

fn limit(body: &str) -> Box<dyn Processor> {
    build::<Limit>(body, Kinds::ALL).unwrap()
}

fn many(times: usize) -> Flow {
    logs("shop", vec![log(0, 0, 9, "busy"); times], Ack::none())
}

#[test]
fn a_key_that_was_quiet_may_send_a_whole_period_at_once_and_no_more() {
    let mut part = limit("at_most: 100/s");
    assert_eq!(counted(&run(part.as_mut(), many(500), at(0))), 100);
    assert_eq!(counted(&run(part.as_mut(), many(500), at(0))), 0);
    assert_eq!(counted(&run(part.as_mut(), many(500), at(100))), 100);
}

#[test]
fn a_promise_is_kept_once_its_number_has_gone_on() {
    let mut part = limit("at_most: 1/s");
    run(part.as_mut(), many(1), at(0));
    let (ack, kept) = promise();
    drop(run(part.as_mut(), logs("shop", vec![log(0, 0, 9, "busy")], ack), at(0)));
    assert!(!kept.load(Ordering::SeqCst), "its number is not told yet");
    let told = run(part.as_mut(), many(1), at(1));
    assert!(weights([&told]) == 2 && !kept.load(Ordering::SeqCst), "the record that tells of it promises it");
    drop(told);
    run(part.as_mut(), many(2), at(9));
    advance(part.as_mut(), at(20));
    assert!(kept.load(Ordering::SeqCst));
}

#[test]
fn keys_that_are_not_in_use_make_room_for_others() {
    let mut part = limit("{ at_most: 1/s, by: [.body], keys: 100 }");
    let one = |n: u64| logs("shop", vec![log(0, 0, 9, &n.to_string())], Ack::none());
    for n in 0..1_000 {
        assert_eq!(counted(&run(part.as_mut(), one(n), at(n / 50 * 2))), 1, "{n}");
    }
    assert!(part.held().bytes < 100 * 400, "{:?}", part.held());
}

#[test]
fn copies_of_large_records_are_told_of_before_they_hold_too_much() {
    let mut part = limit("{ at_most: 1/h, by: [.severity_text] }");
    let large = |key: usize| {
        let mut record = log(0, 0, 9, &"x".repeat(1 << 20));
        record.severity_text = key.to_string();
        logs("shop", vec![record.clone(), record], Ack::none())
    };
    let calls: Vec<_> = (0..40).map(|key| run(part.as_mut(), large(key), at(0))).collect();
    assert!(part.held().bytes <= 9 << 20, "{:?}", part.held());
    let last = flush(part.as_mut(), Flush::Last, at(0), 1);
    assert_eq!(weights(calls.iter().chain([&last])), 80);
}

#[test]
fn a_reload_goes_on_counting() {
    let mut part = limit("at_most: 10/s");
    run(part.as_mut(), many(25), at(0));
    let mut next = limit("at_most: 20/s");
    assert!(next.adopt(part.release().unwrap()).is_ok());
    assert_eq!(counted(&run(next.as_mut(), many(25), at(0))), 0);
    assert_eq!((weights([&flush(next.as_mut(), Flush::Last, at(0), 1)]), part.held()), (40, Held::NONE));
}

proptest! {
    #[test]
    fn what_goes_on_counts_as_much_as_what_came_and_is_never_more_than_the_limit(
        lines in prop::collection::vec((0_u8..3, 0_u64..3, 1_usize..9), 1..80),
        amount in 1_u64..5,
        keys in 1_u32..4,
    ) {
        let mut part = limit(&format!("{{ at_most: {amount}/s, by: [.body], keys: {keys} }}"));
        let (mut now, mut calls, mut came) = (0, Vec::new(), 0);
        for (body, wait, times) in lines {
            now += wait;
            came += times as u64;
            calls.extend(advance(part.as_mut(), at(now)));
            calls.push(run(part.as_mut(), logs("shop", vec![log(0, 0, 9, &body.to_string()); times], Ack::none()), at(now)));
        }
        let within: usize = calls.iter().map(counted).sum();
        prop_assert!(within as u64 <= 3 * amount * (now + 1), "{within} in {now} s");
        calls.push(flush(part.as_mut(), Flush::Last, at(now), 1));
        prop_assert_eq!(weights(&calls), came);
        prop_assert_eq!(part.held(), Held::NONE);
        prop_assert!(calls.iter().all(|call| call.unaccounted(Signal::Logs) == 0));
    }
}
