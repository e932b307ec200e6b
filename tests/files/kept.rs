//! What is kept of positions: beside the journal, in a file of its own, over a reload, and where the sink takes its time.

use crate::{JOURNAL, pipeline};
use kit::{Kansoku, http, process::written};
use std::{fs, io::Write, path::Path};

fn append(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// All messages, once there are so many.
fn messages(kansoku: &Kansoku, count: usize) -> Vec<String> {
    kansoku.ask_until(&["query", "logs", "--limit", "1000", "--json"], |said| {
        let of = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].as_str().unwrap().to_owned();
        let mut all: Vec<String> = said.out.lines().map(of).collect();
        all.sort();
        (all.len() >= count).then_some(all)
    })
}

#[test]
fn a_container_says_whose_it_is_and_a_stack_trace_is_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let now = crate::now();
    let line = |text: &str| format!("{now}.5Z stderr F {text}\n");
    append(
        folder.path(),
        "pods/shop_cart-1_u1/app/2.log",
        &(line("Traceback (most recent call last):") + &line("  File \"a.py\", line 1") + &line("KeyError: 7")),
    );
    let kansoku = Kansoku::run(folder.path(), &pipeline(JOURNAL, ""));
    let log =
        kansoku.ask_until(&["query", "logs", "--json"], |said| serde_json::from_str::<serde_json::Value>(said.out.lines().next()?).ok());
    assert_eq!(log["message"], "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 7");
    let (resource, attributes) = (&log["resource"], &log["attributes"]);
    let said = [&resource["k8s.namespace.name"], &resource["k8s.pod.name"], &resource["k8s.pod.uid"], &resource["k8s.container.name"]];
    assert_eq!(said, ["shop", "cart-1", "u1", "app"], "{log:#}");
    assert_eq!((&attributes["log.iostream"], &log["severity"]), (&"stderr".into(), &"ERROR".into()), "{log:#}");
    let metrics = http::get(kansoku.admin(), "/metrics").text();
    assert!(metrics.contains("kansoku_files_behind_bytes{node=\"pods\"} 0"), "{metrics}");
}

#[test]
fn without_a_journal_the_position_lies_in_a_file_and_moves_with_the_sinks() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = pipeline("", ", positions: state/app.json");
    append(folder.path(), "app/a.log", "one\n");
    let kansoku = Kansoku::run(folder.path(), &yaml);
    assert_eq!(messages(&kansoku, 1), ["one"]);
    kit::until("the position is written down", || {
        fs::read_to_string(folder.path().join("state/app.json")).ok().filter(|text| text.contains("a.log"))
    });
    append(folder.path(), "app/a.log", "two\n");
    assert_eq!(messages(&kansoku, 2), ["one", "two"]);
    assert_eq!(kansoku.stop().code, 0);
    append(folder.path(), "app/a.log", "three\n");
    let kansoku = Kansoku::run(folder.path(), &yaml);
    assert_eq!(messages(&kansoku, 3), ["one", "three", "two"]);
    assert_eq!(kansoku.count("app", "logs", "in"), 1, "the others were not read again");
}

#[test]
fn a_reload_of_the_source_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), "app/a.log", "one\ntwo\n");
    let kansoku = Kansoku::run(folder.path(), &pipeline(JOURNAL, ""));
    assert_eq!(messages(&kansoku, 2), ["one", "two"]);
    drop(written(folder.path(), &pipeline(JOURNAL, ", start_at: end")));
    let answer = http::send(kansoku.admin(), "POST", "/api/v1/reload", &[], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    append(folder.path(), "app/a.log", "three\n");
    assert_eq!(messages(&kansoku, 3), ["one", "three", "two"]);
    assert_eq!(kansoku.count("app", "logs", "in"), 3);
}

#[test]
fn a_source_that_is_told_no_waits_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let next = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let yaml = format!(
        "journal: {{ path: journal, limit: 8MiB }}\nadmin: {{ listen: 127.0.0.1:0 }}\nsources:\n  app: {{ type: file, paths: ['app/*.log'] }}\nsinks:\n  next: {{ type: otlp, inputs: [app], endpoint: 'http://{}', on_full: block }}\n",
        next.local_addr().unwrap()
    );
    for n in 0..400 {
        append(folder.path(), "app/a.log", &format!("{n} {}\n", "x".repeat(60_000)));
    }
    let kansoku = Kansoku::run(folder.path(), &yaml);
    kit::until("the journal is full", || {
        let status = kansoku.status();
        (status["ledger"]["nodes"][0]["signals"]["logs"]["refused"]["journal_full"]["requests"].as_u64()? > 0).then_some(())
    });
    let files = kansoku.status()["sources"][0]["files"].clone();
    assert!(files["behind_bytes"].as_u64().unwrap() > 10_000_000 && files["files"] == 1, "{files}");
    assert_eq!(kansoku.count("app", "logs", "lost"), 0);
}

#[test]
fn a_journal_that_is_smaller_than_a_turn_gets_smaller_turns() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..60 {
        append(folder.path(), "app/a.log", &format!("{n:02} {}\n", "x".repeat(20_000)));
    }
    let kansoku = Kansoku::run(folder.path(), &pipeline("journal: { path: journal, limit: 256KiB }", ""));
    let numbers: Vec<String> = messages(&kansoku, 60).iter().map(|message| message[..2].to_owned()).collect();
    assert_eq!(numbers, (0..60).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    let refused = kansoku.status()["ledger"]["nodes"].to_string();
    assert!(refused.contains("too_large"), "a whole turn was refused first: {refused}");
    append(folder.path(), "app/a.log", "last\n");
    assert_eq!(messages(&kansoku, 61).len(), 61);
}

#[test]
fn a_source_that_was_renamed_is_told_where_its_positions_are() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path(), "app/a.log", "one\n");
    let kansoku = Kansoku::run(folder.path(), &pipeline(JOURNAL, ""));
    assert_eq!(messages(&kansoku, 1), ["one"]);
    assert_eq!(kansoku.stop().code, 0);
    let renamed = pipeline(JOURNAL, "").replace("  app:", "  shop:").replace("[pods, app]", "[pods, shop]");
    let file = written(folder.path(), &renamed);
    let check = || kit::Said::of(kit::process::command(&["check", &file]).current_dir(folder.path()));
    let said = check();
    assert!(said.code == 0 && said.err.contains("nothing is known of how far `shop` has read"), "{}", said.err);
    let positions = folder.path().join("journal/positions");
    fs::rename(positions.join("app.json"), positions.join("shop.json")).unwrap();
    assert!(!check().err.contains("nothing is known"), "{}", check().err);
    append(folder.path(), "app/a.log", "two\n");
    let kansoku = Kansoku::run(folder.path(), &renamed);
    assert_eq!(messages(&kansoku, 2), ["one", "two"]);
    assert_eq!(kansoku.count("shop", "logs", "in"), 1, "the first line was not read again");
}
