//! A pipeline file that changes while it runs: by SIGHUP under load, by `--watch` through links as Kubernetes makes them, by POST; and one with a fault.

use crate::{LISTENERS, post};
use kit::{
    Kansoku, http,
    otlp::{self, End},
    process::{command, written},
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

const CLIENTS: u64 = 4;
const RELOADS: usize = 20;

/// With a journal and a store; `more` is put among the sinks.
fn pipeline(rules: &str, more: &str) -> String {
    format!(
        "journal: {{ path: journal, limit: 256MiB }}{LISTENERS}
processors:
  traces: {{ type: correlate, inputs: [otlp], close: {{ after_root: 200ms }} }}
  kept: {{ type: sample, inputs: [traces], rules: [{rules}] }}
sinks:
  store: {{ inputs: [kept], path: store }}
{more}"
    )
}

fn reloads_said(kansoku: &Kansoku) -> usize {
    kansoku.said().lines().filter(|line| line.starts_with("reloaded: ")).count()
}

#[test]
fn under_load_twenty_reloads_refuse_nobody_and_lose_and_repeat_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        pipeline("{ name: all, keep: 100% }", ""),
        pipeline("{ name: errors, when: .error, keep: 100% }, { name: all, keep: 100% }", "  shown: { type: debug, inputs: [otlp] }\n"),
    ];
    let kansoku = Kansoku::run(folder.path(), &files[0]);
    let (next, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let sent = thread::scope(|scope| {
        let client = || {
            let mut sent = Vec::new();
            while !done.load(Ordering::Acquire) {
                let number = next.fetch_add(1, Ordering::AcqRel);
                assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([number], End::Well)), 200);
                sent.push(number);
            }
            sent
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        for reload in 0..RELOADS {
            let before = next.load(Ordering::Acquire);
            kit::until("requests come in between", || (next.load(Ordering::Acquire) > before + CLIENTS).then_some(()));
            let _file = written(folder.path(), &files[(reload + 1) % 2]);
            kansoku.signal("HUP");
            kit::until("the reload is said", || (reloads_said(&kansoku) > reload).then_some(()));
        }
        done.store(true, Ordering::Release);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(kansoku.said().contains("reloaded: +shown ~kept.rules"), "{}", kansoku.said());
    let wanted: Vec<String> = sent.iter().map(|number| otlp::trace_hex(*number)).collect();
    let spans = kansoku.ask_until(&["query", "traces", "--limit", "10000", "--json"], |said| {
        let spans = spans_by_trace(&said.out);
        wanted.iter().all(|id| spans.contains_key(id)).then_some(spans)
    });
    assert!(spans.values().all(|spans| *spans == 1), "{spans:?}");
    let status = kansoku.status();
    assert_eq!(status["stores"][0]["tables"]["spans"]["rows"], wanted.len(), "{status}");
    assert_eq!(kansoku.count("otlp", "traces", "in"), i64::try_from(wanted.len()).unwrap(), "the account goes on: {status}");
    let metrics = http::get(kansoku.admin(), "/metrics").text();
    assert!(metrics.contains("kansoku_reloads_total{result=\"applied\"} 20"), "{metrics}");
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

fn spans_by_trace(lines: &str) -> BTreeMap<String, u64> {
    let mut spans = BTreeMap::new();
    for line in lines.lines() {
        let trace: serde_json::Value = serde_json::from_str(line).unwrap();
        *spans.entry(trace["trace_id"].as_str().unwrap().to_owned()).or_insert(0) += trace["span_count"].as_u64().unwrap();
    }
    spans
}

const SHOWN: &str = "sinks:\n  out: { type: debug, inputs: [otlp] }\n";

/// POSTs to the API.
fn reload(kansoku: &Kansoku, headers: &[(&str, &str)]) -> http::Answer {
    http::send(kansoku.admin(), "POST", "/api/v1/reload", headers, b"")
}

#[test]
fn a_file_with_a_fault_changes_nothing_and_says_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let good = format!("{LISTENERS}{SHOWN}");
    let kansoku = Kansoku::run(folder.path(), &good);
    let bad = good.replace("inputs: [otlp]", "inputs: [oltp]");
    let file = written(folder.path(), &bad);
    kansoku.signal("HUP");
    kit::until("the fault is said", || kansoku.said().contains("nothing was changed: the pipeline goes on as it was").then_some(()));
    let said = kansoku.said();
    assert!(said.contains(&format!("{file}:6:")) && said.contains("no node is called `oltp`"), "{said}");
    let answer = reload(&kansoku, &[]);
    assert_eq!((answer.status, &answer.json()["faults"][0]["line"]), (422, &serde_json::json!(6)), "{}", answer.text());
    // A port in use shows only when it is opened.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let more = format!("  more: {{ type: otlp, grpc: {{ listen: '{}' }}, http: {{ listen: 'off' }} }}\nsinks", taken.local_addr().unwrap());
    let _file = written(folder.path(), &good.replacen("sinks", &more, 1).replace("inputs: [otlp]", "inputs: [otlp, more]"));
    let answer = reload(&kansoku, &[]);
    assert!(answer.status == 422 && answer.text().contains("is in use"), "{}", answer.text());
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1], End::Well)), 200);
    let metrics = http::get(kansoku.admin(), "/metrics").text();
    assert!(metrics.contains("kansoku_reloads_total{result=\"refused\"} 3"), "{metrics}");
    assert_eq!(kansoku.stop().code, 0);
}

#[test]
fn who_has_the_token_asks_for_a_reload_and_is_told_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let admin = LISTENERS.replace("admin: { listen: 127.0.0.1:0 }", "admin: { listen: 127.0.0.1:0, token: secret }");
    let kansoku = Kansoku::run(folder.path(), &format!("{LISTENERS}{SHOWN}"));
    let _file = written(folder.path(), &format!("{admin}{}", SHOWN.replace("out", "other")));
    let answer = reload(&kansoku, &[]).json();
    assert_eq!(
        (&answer["applied"], &answer["needs_restart"]),
        (&serde_json::json!(["+other", "-out"]), &serde_json::json!(["admin.token"]))
    );
    assert_eq!(kansoku.stop().code, 0);

    let kansoku = Kansoku::start(&mut command(&["run", &written(folder.path(), &format!("{admin}{SHOWN}"))]));
    kit::until("the admin port is said", || kansoku.said().contains("metrics on http://").then_some(()));
    assert_eq!(reload(&kansoku, &[]).status, 401);
    let answer = reload(&kansoku, &[("authorization", "Bearer secret")]);
    assert_eq!((answer.status, answer.json()["applied"].clone()), (200, serde_json::json!([])));
    kit::until("it is said, too", || kansoku.said().contains("reloaded: nothing changed").then_some(()));
}

/// As kubelet writes a ConfigMap: the file is a link to one in `..data`, which is a link to a folder, and is swapped by a rename.
fn config_map(folder: &Path, version: &str, pipeline: &str) {
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, folder.join(at)).unwrap();
    std::fs::create_dir(folder.join(version)).unwrap();
    let _file = written(&folder.join(version), pipeline);
    link(version, "..data_tmp");
    #[expect(clippy::disallowed_methods, reason = "the link is swapped from outside")]
    std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if !folder.join("pipeline.yaml").exists() {
        link("..data/pipeline.yaml", "pipeline.yaml");
    }
}

#[test]
fn a_config_map_that_is_swapped_takes_effect() {
    let folder = tempfile::tempdir().unwrap();
    config_map(folder.path(), "..1", &format!("{LISTENERS}{SHOWN}"));
    let file = folder.path().join("pipeline.yaml");
    let kansoku = Kansoku::start(&mut command(&["run", &file.to_string_lossy(), "--watch"])).ready();
    config_map(folder.path(), "..2", &format!("{LISTENERS}{}", SHOWN.replace("out", "other")));
    kit::until("the change is said", || kansoku.said().contains("reloaded: +other -out").then_some(()));
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1], End::Well)), 200);
    kit::until("it goes where it now should", || (kansoku.count("other", "traces", "out") == 1).then_some(()));
    assert_eq!(kansoku.stop().code, 0);
}
