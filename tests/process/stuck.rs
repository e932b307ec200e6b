//! A record at which kansoku hangs until something kills it, as a liveness probe would: after the second time that it was read again it goes to the dead letters.
#![expect(clippy::disallowed_methods, reason = "a test looks from outside at what is on disk")]

use crate::LISTENERS;
use kit::{
    Kansoku, Said, http,
    process::{command, written},
};
use std::path::Path;

/// Goes over a list as often as it is long, and that as often again.
const HANGS: &str = "
processors:
  edit:
    type: transform
    inputs: [otlp]
    vrl: |
      list = array(.attributes.list) ?? []
      n = 0
      for_each(list) -> |_i, _a| { for_each(list) -> |_j, _b| { for_each(list) -> |_k, _c| { n = n + 1 } } }
";

fn pipeline(processors: &str, reads: &str) -> String {
    format!("journal: {{ path: journal }}{LISTENERS}{processors}sinks:\n  out: {{ type: debug, inputs: [{reads}] }}\n")
}

fn log(kansoku: &Kansoku, text: &str, list: usize) {
    let list = vec![r#"{"intValue":"1"}"#; list].join(",");
    let attribute = format!(r#"{{"key":"list","value":{{"arrayValue":{{"values":[{list}]}}}}}}"#);
    let record = format!(r#"{{"body":{{"stringValue":"{text}"}},"attributes":[{attribute}]}}"#);
    let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#);
    let sent = http::post(kansoku.http(), "/v1/logs", "application/json", body.as_bytes());
    assert_eq!(sent.status, 200, "{}", sent.text());
}

/// Whether a lane has told the next process what it has in hand (`journal/FORMAT.md`).
fn in_hand(folder: &Path) -> bool {
    let noted = std::fs::read(folder.join("journal/in-hand")).unwrap_or_default();
    noted.get(8 << 10..).unwrap_or_default().chunks(256).any(|hand| hand[0] > 0)
}

fn kill(kansoku: Kansoku) {
    kansoku.signal("KILL");
    assert_eq!(kansoku.ended().code, 137);
}

#[test]
fn a_record_at_which_it_hangs_and_is_killed_twice_as_it_reads_it_again_is_a_dead_letter() {
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run(folder.path(), &pipeline(HANGS, "edit"));
    log(&kansoku, "hangs", 5_000);
    log(&kansoku, "waits", 1);
    kill(kansoku);
    for _ in 0..2 {
        let kansoku = Kansoku::run(folder.path(), &pipeline(HANGS, "edit"));
        kit::until("it is read again", || in_hand(folder.path()).then_some(()));
        kill(kansoku);
    }
    let kansoku = Kansoku::run(folder.path(), &pipeline(HANGS, "edit"));
    log(&kansoku, "comes", 1);
    kit::until("everything else gets through", || (kansoku.count("out", "logs", "out") == 2).then_some(()));
    assert_eq!(kansoku.count("otlp", "logs", "rejected.ended_process"), 1, "{}", kansoku.status());
    let letters = || Said::of(command(&["dead-letters", "ls", "pipeline.yaml", "--json"]).current_dir(folder.path())).fine();
    let listed = kit::until("it is listed", || Some(letters()).filter(|listed| listed.lines().count() == 1));
    assert!(listed.contains("ended_process") && listed.contains("the process ended twice while it read it again"), "{listed}");
    assert_eq!(kansoku.stop().code, 0);

    // With a script that ends.
    let file = written(folder.path(), &pipeline("", "otlp"));
    let kansoku = Kansoku::start(&mut command(&["run", &file])).ready();
    assert!(kansoku.ask(&["dead-letters", "retry"]).fine().contains("sent again: 1 dead letter with 1 record"));
    kit::until("it takes the whole way", || (kansoku.count("out", "logs", "out") == 1).then_some(()));
    assert_eq!(kansoku.stop().code, 0);
}
