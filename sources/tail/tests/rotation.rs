//! Files that are renamed, removed, truncated and copied while they are read, or while nobody reads.

use super::Bench;
use proptest::prelude::*;
use std::{fs, time::Duration};

#[test]
fn a_renamed_file_is_read_to_its_end_before_the_new_one() {
    let mut bench = Bench::files("app.log");
    bench.append("app.log", "one\n");
    bench.read();
    bench.append("app.log", "two\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "four\n");
    bench.append("app.log.1", "three\n");
    assert_eq!(bench.all(), ["one", "two", "three", "four"]);
    assert_eq!(bench.reached.len(), 2, "the old one is known, lest it come back");
}

#[test]
fn what_a_container_wrote_just_before_its_file_was_renamed_comes_before_the_new_file() {
    let mut bench = Bench::containers();
    let (live, older) = ("shop_cart_u1/app/0.log", "shop_cart_u1/app/0.log.20240501-120000");
    let part = |tag: char, text: &str| format!("2024-05-01T12:00:00.1Z stdout {tag} {text}\n");
    bench.append(live, part('F', "one"));
    bench.turn();
    // The next look into the folder comes sooner after this look at the file than the next one at the file is due.
    bench.wait(Duration::from_millis(900));
    bench.append(live, part('P', "two and "));
    bench.rename(live, older);
    bench.append(live, part('F', "a half"));
    bench.wait(Duration::from_millis(100));
    assert_eq!(bench.all(), ["one", "two and a half"]);
}

#[test]
fn a_name_given_on_twice_between_two_looks_loses_nothing() {
    let mut bench = Bench::files("app.log");
    bench.append("app.log", "one\n");
    bench.read();
    bench.rename("app.log", "app.log.2");
    bench.append("app.log", "two\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "three\n");
    assert_eq!(bench.all(), ["one", "two", "three"]);
}

#[test]
fn a_renamed_file_is_not_read_again_under_its_new_name() {
    let mut bench = Bench::files("app.log*");
    bench.append("app.log", "one\n");
    bench.read();
    for n in 1..5 {
        for older in (1..n).rev() {
            bench.rename(&format!("app.log.{older}"), &format!("app.log.{}", older + 1));
        }
        bench.rename("app.log", "app.log.1");
        bench.append("app.log", format!("next {n}\n"));
        bench.read();
        if n == 3 {
            bench.restart();
        }
    }
    assert_eq!(bench.all(), ["one", "next 1", "next 2", "next 3", "next 4"]);
}

#[test]
fn what_rotation_renamed_while_nobody_read_is_taken_up_first() {
    let mut bench = Bench::files("app.log");
    bench.append("app.log", "one\n");
    assert_eq!(bench.all(), ["one"]);
    bench.append("app.log", "two\n");
    bench.rename("app.log", "app.log.2");
    bench.append("app.log", "three\n");
    bench.rename("app.log", "app.log.1");
    bench.append("app.log", "four\n");
    bench.restart();
    assert_eq!(bench.all(), ["two", "three", "four"]);
}

#[test]
fn a_removed_file_that_is_open_is_read_to_its_end() {
    let mut bench = Bench::files("*.log");
    bench.append("a.log", "one\n");
    bench.read();
    bench.append("a.log", "two\nthree");
    fs::remove_file(bench.path("a.log")).unwrap();
    assert_eq!(bench.all(), ["one", "two", "three"]);
    assert_eq!(bench.progress.open, 0);
}

#[test]
fn a_truncated_file_is_read_from_its_beginning_even_when_it_has_grown_again() {
    let mut bench = Bench::files("app.log");
    bench.append("app.log", "one\ntwo\n");
    bench.read();
    fs::write(bench.path("app.log"), "three\n").unwrap();
    bench.read();
    fs::write(bench.path("app.log"), "four is longer than what was there\n").unwrap();
    assert_eq!(bench.all(), ["one", "two", "three", "four is longer than what was there"]);
}

#[test]
fn what_was_not_read_before_a_truncation_is_read_from_the_copy() {
    for pattern in ["app.log", "app.log*"] {
        let mut bench = Bench::files(pattern);
        bench.append("app.log", "one\n");
        bench.read();
        bench.append("app.log", "two\n");
        fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
        fs::write(bench.path("app.log"), "").unwrap();
        bench.append("app.log", "three\n");
        assert_eq!(bench.all(), ["one", "two", "three"], "{pattern}");
        bench.append("app.log", "four\n");
        bench.restart();
        assert_eq!(bench.all(), ["four"], "{pattern}");
    }
}

#[test]
fn a_copy_made_while_nobody_read_is_known_by_its_content() {
    for pattern in ["app.log", "app.log*"] {
        let mut bench = Bench::files(pattern);
        bench.append("app.log", "one\n");
        bench.read();
        bench.append("app.log", "two\n");
        fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
        fs::write(bench.path("app.log"), "").unwrap();
        bench.append("app.log", "three, which is longer\n");
        bench.restart();
        assert_eq!(bench.all(), ["one", "two", "three, which is longer"], "{pattern}");
    }
}

#[test]
fn a_copy_that_is_seen_before_the_truncation_is_no_new_file() {
    let mut bench = Bench::files("app.log*");
    bench.append("app.log", "one\n");
    bench.read();
    bench.append("app.log", "two\n");
    fs::copy(bench.path("app.log"), bench.path("app.log.1")).unwrap();
    bench.read();
    bench.append("app.log", "three\n");
    bench.read();
    fs::write(bench.path("app.log"), "").unwrap();
    bench.append("app.log", "four\n");
    assert_eq!(bench.all(), ["one", "two", "three", "four"]);
}

#[test]
fn a_file_with_the_number_of_a_removed_one_is_another() {
    let mut bench = Bench::files("*.log");
    bench.append("a.log", "one\n");
    bench.all();
    fs::remove_file(bench.path("a.log")).unwrap();
    bench.all();
    bench.append("a.log", "two, and more than one\n");
    assert_eq!(bench.all(), ["two, and more than one"]);
    fs::remove_file(bench.path("a.log")).unwrap();
    bench.append("a.log", "three, and more than two, whatever its number is\n");
    bench.restart();
    assert_eq!(bench.all(), ["three, and more than two, whatever its number is"]);
}

#[test]
fn half_a_line_at_the_end_of_one_file_goes_on_in_the_next() {
    let mut bench = Bench::containers();
    let line = |tag: &str, text: &str| format!("2024-05-01T12:00:00Z stdout {tag} {text}\n");
    bench.append("shop_cart_u1/app/0.log", line("F", "before") + &line("P", "half "));
    bench.read();
    bench.restart();
    bench.rename("shop_cart_u1/app/0.log", "shop_cart_u1/app/0.log.20240501-120001");
    bench.append("shop_cart_u1/app/0.log", line("F", "and half") + &line("F", "after"));
    assert_eq!(bench.all(), ["before", "half and half", "after"]);
    bench.append("shop_cart_u1/app/0.log", line("P", "never ended"));
    bench.wait(Duration::from_secs(6));
    assert_eq!(bench.all(), ["never ended"]);
}

/// What befalls a file that is copied and cut.
#[derive(Clone, Copy, Debug)]
enum Event {
    Write,
    Wait(u64),
    Cut,
    Kill,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![
        4 => Just(Event::Write),
        4 => (100_u64..1_200).prop_map(Event::Wait),
        3 => Just(Event::Cut),
        1 => Just(Event::Kill),
    ];
    prop::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_a_file_that_is_copied_and_cut_every_line_comes_once(glob in any::<bool>(), events in events()) {
        let mut bench = Bench::files(if glob { "app.log*" } else { "app.log" });
        bench.append("app.log", "");
        bench.read();
        let (mut written, mut copies) = (0, 0);
        for event in events {
            match event {
                Event::Write => {
                    bench.append("app.log", format!("line {written} {}\n", "x".repeat(written * 7 % 31)));
                    written += 1;
                }
                Event::Wait(millis) => bench.wait(Duration::from_millis(millis)),
                Event::Cut => {
                    copies += 1;
                    fs::copy(bench.path("app.log"), bench.path(&format!("app.log.{copies}"))).unwrap();
                    fs::write(bench.path("app.log"), "").unwrap();
                }
                Event::Kill => bench.restart(),
            }
        }
        let mut read = bench.all();
        read.sort();
        let mut expected: Vec<String> = (0..written).map(|n| format!("line {n} {}", "x".repeat(n * 7 % 31)).trim_end().to_owned()).collect();
        expected.sort();
        prop_assert_eq!(read, expected);
    }
}
