//! Rotation at speed under kill -9: every line is in the store, none is twice.

use crate::{
    JOURNAL, pipeline,
    writer::{BLOCK, Rotates, Writer},
};
use kit::Kansoku;
use std::{
    collections::BTreeMap,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const LIVES: usize = 5;
/// Rounds of writing in a life, and with nobody there to read.
const ROUNDS: usize = 14;
const ROUNDS_ALONE: usize = 3;
/// How many lines each program writes in a round.
const LINES: u64 = 60;

fn writers(folder: &Path) -> Vec<Writer> {
    let pod = |name: &str| folder.join(format!("pods/shop_{name}_u1/app/0.log"));
    vec![
        Writer::new("renamed", folder.join("app/renamed.log"), Rotates::ByRenaming, false),
        Writer::new("copied", folder.join("app/copied.log"), Rotates::ByCopying, false),
        Writer::new("cart", pod("cart"), Rotates::ByRenaming, true),
        Writer::new("pay", pod("pay"), Rotates::ByRenaming, true),
    ]
}

/// Writes for a while; each program rotates at a time of its own.
fn rounds(writers: &mut [Writer], rounds: usize) {
    for round in 0..rounds {
        for (at, writer) in writers.iter_mut().enumerate() {
            writer.write(LINES);
            if (round + at) % 3 == 0 {
                writer.rotate();
            }
        }
        thread::sleep(Duration::from_millis(60));
    }
}

#[test]
fn every_line_of_files_that_rotate_at_speed_is_stored_once_whatever_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut writers = writers(folder.path());
    for life in 0..LIVES {
        let kansoku = Kansoku::run(folder.path(), &pipeline(JOURNAL, ""));
        rounds(&mut writers, ROUNDS + life);
        kansoku.signal("KILL");
        assert_eq!(kansoku.ended().code, 137);
        rounds(&mut writers, ROUNDS_ALONE);
        // A start may take longer than a line waits for its end.
        writers.iter_mut().for_each(Writer::finish);
    }
    let kansoku = Kansoku::run(folder.path(), &pipeline(JOURNAL, ""));
    let written: u64 = writers.iter().map(|writer| writer.written).sum();
    for writer in &writers {
        for block in 0..=(writer.written - 1) / BLOCK {
            the_block_is_there(&kansoku, writer, block);
        }
    }
    let rows = kansoku.status()["stores"][0]["tables"]["logs"]["rows"].as_u64().unwrap();
    assert_eq!(rows, written, "rows and lines");
    let status = kansoku.status();
    let files = &status["sources"].as_array().unwrap().iter().find(|source| source["name"] == "pods").unwrap()["files"];
    assert_eq!(files["behind_bytes"], 0, "{status}");
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

fn the_block_is_there(kansoku: &Kansoku, writer: &Writer, block: u64) {
    let wanted = block * BLOCK..((block + 1) * BLOCK).min(writer.written);
    let text = format!("{}-{block}- ", writer.name);
    let begin = Instant::now();
    let stored = loop {
        let stored = numbers(&kansoku.ask(&["query", "logs", "--text", &text, "--limit", "10000", "--json"]).fine());
        let missing: Vec<u64> = wanted.clone().filter(|number| !stored.contains_key(number)).collect();
        if missing.is_empty() {
            break stored;
        }
        let odd: Vec<_> = stored.iter().filter(|(number, times)| **times != 1 || !wanted.contains(number)).collect();
        assert!(begin.elapsed() < kit::PATIENCE, "{}: of {wanted:?} are missing {missing:?}, not once: {odd:?}", writer.name);
        thread::sleep(Duration::from_millis(200));
    };
    let wrong: Vec<_> = stored.iter().filter(|(number, times)| **times != 1 || !wanted.contains(number)).collect();
    assert!(wrong.is_empty(), "{}: not once: {wrong:?}", writer.name);
}

/// How often each number is there, of lines that are whole.
fn numbers(lines: &str) -> BTreeMap<u64, u32> {
    let mut stored = BTreeMap::new();
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let message = line["message"].as_str().unwrap();
        let number = message.split(' ').nth(1).unwrap_or_else(|| panic!("half a line: {message:?}"));
        *stored.entry(number.parse().unwrap()).or_default() += 1;
    }
    stored
}
