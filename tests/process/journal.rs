//! `kansoku journal`: beside a running kansoku and after its end, on whole journals and damaged ones, and on one of a version that is not known.
#![expect(clippy::disallowed_methods, reason = "a test looks at files and damages them from outside")]

use crate::{LISTENERS, post};
use kit::{
    Kansoku, Said,
    otlp::{self, End},
    process::command,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A pipeline whose sink never answers, so that the journal keeps what came.
fn kept(url: &str) -> String {
    format!(
        "drain: 1s\njournal: {{ path: journal }}{LISTENERS}sinks:\n  next: {{ type: otlp, inputs: [otlp], on_full: block, endpoint: '{url}' }}\n"
    )
}

fn look(words: &[&str], folder: &Path) -> Said {
    Said::of(command(&[&["journal"], words].concat()).current_dir(folder))
}

fn segment(folder: &Path) -> PathBuf {
    let names = fs::read_dir(folder.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = names.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    segments.sort();
    segments.into_iter().find(|path| path.metadata().unwrap().len() > 100).unwrap()
}

#[test]
fn a_journal_is_listed_verified_and_dumped_while_it_is_written_and_afterwards() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run(folder.path(), &kept(&format!("http://{}", deaf.local_addr().unwrap())));
    for number in 0..5 {
        assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([number], End::Well)), 200);
    }
    assert_eq!(post(&kansoku, "/v1/logs", &otlp::log("the sixth request", "INFO", None)), 200);

    // Cursors are on disk within about a second.
    let listed = kit::until("the cursor is saved", || {
        Some(look(&["ls", "pipeline.yaml"], folder.path()).fine()).filter(|listed| listed.contains("lanes"))
    });
    assert!(listed.contains("with 6 items"), "{listed}");
    let listed = look(&["ls", "journal", "--json"], folder.path()).json();
    // What the sink does not take goes on to its spill after a while.
    assert!((1..=6).contains(&listed["cursors"][0]["behind"].as_u64().unwrap()), "{listed}");
    assert_eq!(look(&["verify", "journal"], folder.path()).code, 0);

    let _ended = kansoku.stop();
    let verified = look(&["verify", "pipeline.yaml"], folder.path()).fine();
    assert!(verified.contains("nothing is damaged"), "{verified}");
    let dumped = look(&["dump", "journal"], folder.path()).fine();
    let records: Vec<serde_json::Value> = dumped.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let data: Vec<_> = records.iter().filter(|record| record["kind"] == "data").collect();
    assert_eq!(data.len(), 6, "{dumped}");
    assert_eq!(data[2]["payload"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"], "GET /item/2", "{dumped}");
    assert_eq!(data[5]["signal"], "logs");
    let (second, fourth) = (data[1]["sequence"].to_string(), data[3]["sequence"].to_string());
    let some = look(&["dump", "journal", "--from", &second, "--to", &fourth, "--headers"], folder.path()).fine();
    assert!(some.lines().count() == 3 && !some.contains("payload"), "{some}");
    assert_eq!(look(&["dump", "journal", "--limit", "1"], folder.path()).fine().lines().count(), 1);
}

#[test]
fn what_waits_for_a_sink_is_dropped_by_name_once_nobody_has_the_journal_and_said() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let spilling = kept(&format!("http://{}", deaf.local_addr().unwrap())).replace("on_full: block", "delivery: { spill_after: 100ms }");
    let kansoku = Kansoku::run(folder.path(), &spilling);
    for number in 0..3 {
        assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([number], End::Well)), 200);
    }
    let spills = || look(&["ls", "journal", "--json"], folder.path()).json()["spills"].clone();
    kit::until("it spills", || (spills()[0]["records"] == 3).then_some(()));
    let said = look(&["drop", "--sink", "next", "pipeline.yaml"], folder.path());
    assert!(said.code == 2 && said.err.contains("journal is in use by another kansoku"), "{said:?}");
    let _ended = kansoku.stop();

    let said = look(&["drop", "--sink", "../next", "journal"], folder.path());
    assert!(said.code == 2 && said.err.contains("nothing waits on disk for a sink `../next`; something waits for `next`"), "{said:?}");
    assert_eq!(spills()[0]["records"], 3);
    let said = look(&["drop", "--sink", "next", "journal"], folder.path()).fine();
    assert!(said.starts_with("dropped what waited for `next`: 3 records in ") && said.trim_end().ends_with(" are lost"), "{said}");
    assert_eq!(spills(), serde_json::json!([]));
    let said = look(&["drop", "--sink", "next", "journal"], folder.path());
    assert!(said.code == 2 && said.err.contains("nothing waits for any"), "{said:?}");

    // The sink may come back, with nothing that waits.
    let again = Kansoku::run(folder.path(), &spilling);
    assert_eq!(post(&again, "/v1/traces", &otlp::spans([7], End::Well)), 200);
    kit::until("it spills again", || (spills()[0]["records"] == 1).then_some(()));
}

#[test]
fn damage_is_named_with_its_offset_and_costs_its_record_only() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pipeline = kept(&format!("http://{}", deaf.local_addr().unwrap()));
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    for number in 0..3 {
        assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([number], End::Well)), 200);
    }
    kansoku.signal("KILL");
    assert_eq!(kansoku.ended().code, 137);
    let path = segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(11).position(|text| text == b"GET /item/1").unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let verified = look(&["verify", "journal"], folder.path());
    assert_eq!(verified.code, 1, "{verified:?}");
    assert!(verified.out.contains("the payload's checksum is wrong") && verified.out.contains("1 place is damaged"), "{}", verified.out);
    let verified = look(&["verify", "journal", "--json"], folder.path());
    let place: serde_json::Value = serde_json::from_str(&verified.out).unwrap();
    let (offset, length) = (place["damaged"][0]["offset"].as_u64().unwrap(), place["damaged"][0]["bytes"].as_u64().unwrap());
    assert!((offset..offset + length).contains(&(at as u64)), "{place}");

    let store = pipeline.split("sinks:").next().unwrap().to_owned() + "sinks:\n  next: { type: debug, inputs: [otlp] }\n";
    let again = Kansoku::run(folder.path(), &store);
    kit::until("the other two go out", || (again.count("next", "traces", "out") == 2).then_some(()));
    assert!(again.said().contains("the journal is damaged here"), "{}", again.said());
}

#[test]
fn a_journal_of_a_newer_version_is_refused_in_a_sentence_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!("journal: {{ path: journal }}{LISTENERS}sinks:\n  out: {{ type: debug, inputs: [otlp] }}\n");
    let journal = folder.path().join("journal");
    fs::create_dir(&journal).unwrap();
    for file in ["meta", "cursors", "00000000000000000001.log"] {
        fs::copy(kit::repository("journal/tests/version_1").join(file), journal.join(file)).unwrap();
    }
    let meta = journal.join("meta");
    let mut stamp = fs::read(&meta).unwrap();
    stamp[8] = 9;
    let sum = crc32c(&stamp[..28]).to_le_bytes();
    stamp[28..32].copy_from_slice(&sum);
    fs::write(&meta, &stamp).unwrap();
    let file = kit::process::written(folder.path(), &pipeline);
    let said = Said::of(&mut command(&["run", &file]));
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("has format version 9, this kansoku reads up to 1; start the version that wrote it"), "{}", said.err);
    assert_eq!(fs::read(&meta).unwrap(), stamp);
    let said = look(&["ls", "journal"], folder.path());
    assert!(said.code == 2 && said.err.contains("format version 9"), "{said:?}");
}

/// CRC32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 })
    })
}

#[test]
fn what_is_no_journal_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let said = look(&["ls", "."], folder.path());
    assert!(said.code == 2 && said.err.contains("is no journal"), "{said:?}");
    let said = look(&["verify", "nowhere"], folder.path());
    assert!(said.code == 2 && said.err.contains("cannot list nowhere"), "{said:?}");
    let _file = kit::process::written(folder.path(), &format!("{LISTENERS}sinks:\n  out: {{ type: debug, inputs: [otlp] }}\n"));
    let said = look(&["dump", "pipeline.yaml"], folder.path());
    assert!(said.code == 2 && said.err.contains("names no journal"), "{said:?}");
}

#[test]
fn records_of_a_source_that_was_renamed_go_on_and_it_is_said() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let before = kept(&format!("http://{}", deaf.local_addr().unwrap()));
    let kansoku = Kansoku::run(folder.path(), &before);
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1, 2, 3], End::Well)), 200);
    drop(kansoku);
    let dumped = look(&["dump", "journal", "--headers"], folder.path()).fine();
    assert!(dumped.contains(r#""source":"otlp""#), "{dumped}");

    let renamed = format!("journal: {{ path: journal }}{LISTENERS}sinks:\n  out: {{ type: debug, inputs: [front] }}\n");
    let kansoku = Kansoku::run(folder.path(), &renamed.replace("  otlp: {", "  front: { type: otlp,"));
    kit::until("they go on", || (kansoku.count("out", "traces", "out") == 3).then_some(()));
    let said = kansoku.said();
    assert!(said.contains("a source that is gone") && said.contains("was=\"otlp\"") && said.contains("heir=\"front\""), "{said}");
    assert_eq!(kansoku.stop().code, 0);
}
