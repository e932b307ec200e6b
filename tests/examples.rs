//! Every file of config/examples/ is started for real, on free ports and with a folder of its own: a failed request and its log go in, the drain lets
//! everything out, and the ledger balances. That what comes out is right is for the cookbook (tests/golden/) to prove.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and looks at the repository from outside")]

use kit::{Kansoku, Said, Webhook, http, otlp, otlp::End, process, repository};
use serde_json::Value;
use std::path::{Path, PathBuf};

const PROTOBUF: &str = "application/x-protobuf";

fn examples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository("config/examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.retain(|path| cfg!(feature = "kafka") || !wants_kafka(path));
    files.sort();
    files
}

fn wants_kafka(example: &Path) -> bool {
    std::fs::read_to_string(example).unwrap().contains("${env:KAFKA:")
}

/// The example with every listener on a free port of loopback.
fn on_free_ports(text: &str) -> String {
    let mut text = text.replace("otlp: {}", "otlp: { grpc: { listen: 127.0.0.1:0 }, http: { listen: 127.0.0.1:0 } }");
    for port in (4317..=4320).chain([4329]) {
        text = text.replace(&format!("0.0.0.0:{port}"), "127.0.0.1:0").replace(&format!("listen: 127.0.0.1:{port}"), "listen: 127.0.0.1:0");
    }
    if text.lines().any(|line| line.starts_with("admin:")) { text } else { format!("{text}\nadmin: {{ listen: 127.0.0.1:0 }}\n") }
}

/// Puts it and its rule files where its relative paths start.
fn written(folder: &Path, example: &Path) -> String {
    let rules = folder.join("rules");
    std::fs::create_dir_all(&rules).unwrap();
    for entry in std::fs::read_dir(repository("config/examples/rules")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, rules.join(path.file_name().unwrap())).unwrap();
    }
    process::written(folder, &on_free_ports(&std::fs::read_to_string(example).unwrap()))
}

/// What every ledger keeps.
fn assert_balanced(ledger: &Value, whose: &Path) {
    for node in ledger["nodes"].as_array().unwrap() {
        for (signal, counts) in node["signals"].as_object().unwrap() {
            let one = |name: &str| counts[name].as_i64().unwrap_or(0);
            let all = |name: &str| counts[name].as_object().into_iter().flatten().map(|(_, n)| n.as_i64().unwrap()).sum::<i64>();
            let rest = one("out") + one("held") + all("discarded") + all("rejected") + all("lost");
            assert_eq!(one("in") + one("made"), rest, "{}: {signal} at {node}", whose.display());
            assert_eq!(all("lost"), 0, "{}: {signal} at {node}", whose.display());
        }
    }
}

#[test]
fn every_example_runs_and_lets_everything_out() {
    let (next_folder, hook) = (tempfile::tempdir().unwrap(), Webhook::start());
    let next = "admin: { listen: 127.0.0.1:0 }\nsources: { otlp: {} }\nsinks: { out: { type: debug, inputs: [otlp], first: 0 } }\n";
    let next = Kansoku::run(next_folder.path(), &on_free_ports(next));
    let endpoint = format!("http://{}", next.grpc());
    for example in examples().into_iter().filter(|example| !wants_kafka(example)) {
        let folder = tempfile::tempdir().unwrap();
        let file = written(folder.path(), &example);
        let mut command = process::command(&["run", &file]);
        command.env("KANSOKU_STATE", folder.path().join("state")).env("ALERT_URL", hook.url());
        for name in ["NEXT", "TRIAL", "KANSOKU_GATEWAY"] {
            command.env(name, &endpoint);
        }
        command.env("KANSOKU_GATEWAYS", format!("dns:///{}", next.grpc()));
        let kansoku = Kansoku::start(&mut command).ready();
        for (path, body) in
            [("/v1/traces", otlp::spans([1, 2], End::Failed("card declined"))), ("/v1/logs", otlp::log("no funds", "ERROR", Some(1)))]
        {
            let answer = http::post(kansoku.http(), path, PROTOBUF, &body);
            assert_eq!(answer.status, 200, "{}: {}", example.display(), answer.text());
        }
        let token = [("authorization", "Bearer change-me")];
        let status = http::send(kansoku.admin(), "GET", "/api/v1/status", &token, b"").json();
        assert_balanced(&status["ledger"], &example);
        let ended = kansoku.stop();
        assert_eq!(ended.code, 0, "{}: {}", example.display(), ended.err);
        assert!(ended.err.contains("nothing was lost"), "{}: {}", example.display(), ended.err);
    }
    assert!(next.count("otlp", "traces", "in") > 0, "examples that forward do");
}

/// The two that have Kafka between them, with a real broker.
#[test]
#[cfg(feature = "kafka")]
fn what_one_example_writes_to_kafka_the_other_reads_and_stores() {
    let Some(broker) = kit::kafka::broker() else { return };
    let hook = Webhook::start();
    let [(gateway, _gateway), (consumer, _consumer)] = ["gateway_kafka.yaml", "consumer.yaml"].map(|name| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = process::command(&["run", &written(folder.path(), &repository("config/examples").join(name))]);
        command.env("KANSOKU_STATE", folder.path().join("state")).env("ALERT_URL", hook.url());
        (Kansoku::start(command.env("KAFKA", broker.address()).env("TOPIC", "examples")).ready(), folder)
    });
    for (path, body) in
        [("/v1/traces", otlp::spans([1, 2], End::Failed("card declined"))), ("/v1/logs", otlp::log("no funds", "ERROR", Some(1)))]
    {
        assert_eq!(http::post(gateway.http(), path, PROTOBUF, &body).status, 200);
    }
    let stored = |signal| consumer.count("store", signal, "out");
    kit::until("the consumer has stored both traces and the log", || (stored("traces") == 2 && stored("logs") == 1).then_some(()));
    for (kansoku, whose) in [(gateway, "gateway_kafka.yaml"), (consumer, "consumer.yaml")] {
        assert_balanced(&kansoku.status()["ledger"], Path::new(whose));
        let ended = kansoku.stop();
        assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{whose}: {}", ended.err);
    }
}

#[test]
fn no_example_has_anything_to_warn_of() {
    for example in examples() {
        let said = Said::of(&mut process::command(&["check", "--deny-warnings", &example.to_string_lossy()]));
        assert_eq!(said.code, 0, "{}", said.err);
        let text = std::fs::read_to_string(&example).unwrap();
        assert!(text.starts_with("# yaml-language-server: $schema="), "{}: an editor should know the words", example.display());
    }
}

#[test]
fn the_readme_shows_a_pipeline_without_mistakes_and_what_is_said_about_one() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let pipeline = readme.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let check = |pipeline: &str| {
        let file = process::written(folder.path(), pipeline);
        Said::of(&mut process::command(&["check", &file]))
    };
    assert_eq!(check(pipeline).fine(), format!("{}: nothing is wrong\n", folder.path().join("pipeline.yaml").display()));
    let said = check(&pipeline.replace(".duration_ms", ".duraton_ms"));
    let told = said.err.replace(&format!("{}/", folder.path().display()), "");
    let shown = readme.split_once("$ kansoku check pipeline.yaml\n").unwrap().1.split_once("```").unwrap().0;
    assert_eq!((said.code, told.contains(shown)), (2, true), "{told}");
}
