//! SIGHUP under load, twenty times, between two files: nobody is refused, nothing is lost, and nothing comes twice.

use crate::{LISTENERS, clients::Clients, items::Items, judge::Verdict, receiver::Receiver};
use kit::{Kansoku, process::written};
use std::{path::Path, time::Duration};

const CLIENTS: usize = 4;
const RELOADS: usize = 20;

fn reloads_said(kansoku: &Kansoku) -> usize {
    kansoku.said().lines().filter(|line| line.starts_with("reloaded: ")).count()
}

/// Runs by one file and the other in turns, while clients send. Every one of their requests is taken at once.
fn reloaded(folder: &Path, files: &[String; 2], clients: &mut Clients) -> Kansoku {
    let kansoku = Kansoku::run(folder, &files[0]);
    clients.open(&kansoku);
    clients.acknowledge(20);
    for reload in 0..RELOADS {
        let _file = written(folder, &files[(reload + 1) % 2]);
        kansoku.signal("HUP");
        kit::until("the reload is said", || (reloads_said(&kansoku) > reload).then_some(()));
        clients.acknowledge(10);
    }
    clients.stop();
    let refused = clients.shared.answers();
    assert!(refused.is_empty(), "answers besides yes: {refused:?}");
    kansoku
}

fn ends_well(kansoku: Kansoku) {
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

#[test]
fn reloaded_under_load_on_the_way_to_a_next_hop_nothing_is_lost_or_comes_twice() {
    let items = Items::new(41, 400);
    let receiver = Receiver::start(items);
    let folder = tempfile::tempdir().unwrap();
    let file = |processors: &str, sinks: &str, reads: &str, timeout: &str| {
        let to = format!("endpoint: '{}', protocol: http, compression: none, timeout: {timeout}", receiver.url());
        let next = format!("  next: {{ type: otlp, inputs: [{reads}], {to} }}\n");
        format!("journal: {{ path: journal, limit: 256MiB }}{LISTENERS}{processors}sinks:\n{next}{sinks}")
    };
    let processors = "processors:\n  some: { type: filter, inputs: [otlp], drop: '.attributes.never == true' }\n";
    let files = [file("", "", "otlp", "10s"), file(processors, "  shown: { type: debug, inputs: [otlp] }\n", "some", "20s")];
    let mut clients = Clients::start(items, CLIENTS, Duration::from_millis(5));
    let kansoku = reloaded(folder.path(), &files, &mut clients);
    Verdict::at_next_hop(&clients.shared, &receiver).is_once(items.seed);
    ends_well(kansoku);
}

#[test]
fn reloaded_under_load_while_it_gathers_decides_and_stores_nothing_is_lost_or_stored_twice() {
    let items = Items::new(42, 400);
    let folder = tempfile::tempdir().unwrap();
    let file = |close: &str, rules: &str, limit: &str, retain: &str| {
        format!(
            "journal: {{ path: journal, limit: {limit} }}{LISTENERS}
processors:
  traces: {{ type: correlate, inputs: [otlp], close: {{ after_root: {close} }} }}
  kept: {{ type: sample, inputs: [traces], rules: [{rules}{{ name: all, keep: 100% }}] }}
sinks:
  store: {{ inputs: [kept], path: store, retain: {retain} }}
"
        )
    };
    let files = [file("200ms", "", "256MiB", "7d"), file("100ms", "{ name: errors, when: .error, keep: 100% }, ", "512MiB", "6d")];
    let mut clients = Clients::start(items, CLIENTS, Duration::from_millis(5));
    let kansoku = reloaded(folder.path(), &files, &mut clients);
    assert!(kansoku.said().contains("~store.retain") && kansoku.said().contains("~journal.limit"), "{}", kansoku.said());
    Verdict::in_store(&clients.shared, &kansoku).is_once(items.seed);
    ends_well(kansoku);
}
