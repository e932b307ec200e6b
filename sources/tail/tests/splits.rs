//! However what was written falls into reads, restarts and rotations, the records are the same; and the lines of runtimes as data, in tests/data/tail at the root.

use super::{Bench, lines};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use proptest::prelude::*;
use std::time::Duration;

const FILE: &str = "shop_cart_u1/app/0.log";

/// Each file of the folder: what lies in a container's file, and below a line of dashes what is made of it, each record behind a `|`.
fn told() -> Vec<(String, String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/tail");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let told = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, after) = text.split_once("----\n").unwrap_or_else(|| panic!("{} has no line of dashes", path.display()));
        (path.file_stem().unwrap().to_string_lossy().into_owned(), before.to_owned(), after.to_owned())
    };
    files.into_iter().map(told).collect()
}

/// Records as the files tell them: output, severity and text, further lines of it indented.
fn records(bench: &Bench) -> String {
    let all = bench.requests.iter().flat_map(|request| &request.resource_logs).flat_map(|of| &of.scope_logs).flat_map(|of| &of.log_records);
    all.map(|record| {
        let output = record.attributes.iter().find(|attribute| attribute.key == "log.iostream").and_then(|a| a.value.clone()?.value);
        let output = match output {
            Some(Any::StringValue(text)) => text,
            other => panic!("{other:?}"),
        };
        let text = match record.body.as_ref().and_then(|body| body.value.as_ref()) {
            Some(Any::StringValue(text)) => text.replace('\n', "\n  "),
            Some(Any::KvlistValue(map)) => {
                format!("map of {}", map.values.iter().map(|pair| pair.key.as_str()).collect::<Vec<_>>().join(" "))
            }
            other => panic!("{other:?}"),
        };
        let at = record.time_unix_nano % 1_000_000_000_000 / 1_000_000;
        format!("| {output} {at} {} {text}\n", if record.severity_text.is_empty() { "-" } else { &record.severity_text })
    })
    .collect()
}

#[test]
fn what_runtimes_write_becomes_the_records_that_are_told() {
    let (mut wrong, fix) = (Vec::new(), std::env::var_os("KANSOKU_FIX").is_some());
    for (name, written, expected) in told() {
        let mut bench = Bench::containers();
        bench.append(FILE, &written);
        bench.all();
        let found = records(&bench);
        if found != expected {
            wrong.push(format!("{name}:\n{found}"));
            if fix {
                let path = format!("{}/../tests/data/tail/{name}.txt", env!("CARGO_MANIFEST_DIR"));
                std::fs::write(path, format!("{written}----\n{found}")).unwrap();
            }
        }
    }
    assert!(wrong.is_empty() || fix, "{}", wrong.join("\n"));
}

/// What befalls a file between two writes.
#[derive(Clone, Copy, Debug)]
enum Event {
    Write(usize),
    Read,
    Kill,
    Rotate,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![
        6 => (1_usize..200).prop_map(Event::Write),
        3 => Just(Event::Read),
        1 => Just(Event::Kill),
        1 => Just(Event::Rotate),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_reads_and_any_restart_gives_the_same_records(which in any::<prop::sample::Index>(), events in events()) {
        let told = told();
        let (_, written, _) = which.get(&told);
        let mut whole = Bench::containers();
        whole.append(FILE, written);
        let expected = whole.all();
        let mut bench = Bench::containers();
        let (mut left, mut rotations) = (written.as_bytes(), 0);
        for event in events {
            match event {
                Event::Write(bytes) => {
                    let (now, later) = left.split_at(bytes.min(left.len()));
                    bench.append(FILE, now);
                    left = later;
                }
                // Less than the second after which records are complete.
                Event::Read => bench.wait(Duration::from_millis(300)),
                Event::Kill => bench.restart(),
                Event::Rotate => {
                    // A runtime rotates between lines.
                    let rest = left.iter().position(|byte| *byte == b'\n').map_or(left.len(), |end| end + 1);
                    bench.append(FILE, &left[..rest]);
                    left = &left[rest..];
                    rotations += 1;
                    bench.rename(FILE, &format!("{FILE}.20240501-{rotations:06}"));
                    bench.append(FILE, "");
                }
            }
            // What is written in one go is complete within the second.
            bench.now = signal::Time(1_750_000_000_000_000_000);
        }
        bench.append(FILE, left);
        for _ in 0..3 {
            bench.wait(Duration::from_millis(300));
        }
        bench.all();
        let found: Vec<String> = bench.requests.iter().flat_map(lines).collect();
        let per_output = |lines: Vec<String>| { let mut lines = lines; lines.sort(); lines };
        prop_assert_eq!(per_output(found), per_output(expected));
    }
}
