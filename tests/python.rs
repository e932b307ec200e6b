//! Python, as people run it: a Flask shop that OpenTelemetry instruments by itself, beside a kansoku that started it; and a store read back by another engine.
//! The first run installs what `tests/python/requirements.txt` pins into the target folder.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and stands in for a container runtime")]

#[path = "python/recovered.rs"]
mod recovered;

use kit::{
    Kansoku, Said, http,
    otlp::{self, End},
    process::Ended,
    python, repository, until,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

const PIPELINE: &str = "
journal: { path: journal, limit: 256MiB }
admin: { listen: 127.0.0.1:0 }
sources:
  otlp: { grpc: { listen: 127.0.0.1:0 }, http: { listen: 127.0.0.1:0 } }
processors:
  traces: { type: correlate, inputs: [otlp] }
  kept:
    type: sample
    inputs: [traces]
    rules:
      - { name: errors, when: .error, keep: 100% }
      - { name: rest, keep: 100% }
sinks:
  store: { inputs: [kept], path: store }
";

fn bin() -> std::path::PathBuf {
    python::environment(Path::new(env!("CARGO_TARGET_TMPDIR")))
}

#[test]
fn a_failing_request_of_an_instrumented_flask_app_is_found_with_the_log_line_that_explains_it() {
    let (bin, folder) = (bin(), tempfile::tempdir().unwrap());
    let (instrument, python, app) = (bin.join("opentelemetry-instrument"), bin.join("python"), repository("tests/python/app.py"));
    let program = [&instrument, &python, &app].map(|path| path.to_str().unwrap());
    // The SDK's batches wait for seconds otherwise.
    let environment = [("OTEL_SERVICE_NAME", "flask-shop"), ("OTEL_BSP_SCHEDULE_DELAY", "200"), ("OTEL_BLRP_SCHEDULE_DELAY", "200")];
    let kansoku = Kansoku::run_with(folder.path(), PIPELINE, &program, &environment);
    let shop: SocketAddr =
        until("the shop says where it listens", || kansoku.printed().lines().find_map(|line| line.strip_prefix("shop on ")?.parse().ok()));
    let order = |order: u32, card: &str| {
        let body = json!({ "order": order, "card": card }).to_string();
        http::post(shop, "/checkout", "application/json", body.as_bytes()).status
    };
    assert_eq!((order(41, "4000000000000001"), order(42, "4000000000000002"), order(43, "4000000000000003")), (200, 500, 200));

    let why = kansoku.ask_until(&["why", "last", "--json"], |said| {
        let why: Value = serde_json::from_str(&said.out).ok()?;
        (why["trace"]["summary"]["status"] == "error" && why["trace"]["summary"]["closed_by"].is_string()).then_some(why)
    });
    let path: Vec<_> = why["path"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(path, ["POST /checkout", "POST", "POST /pay"], "{why:#}");
    let lines: Vec<_> = why["path"][2]["logs"].as_array().unwrap().iter().map(|log| (&log["severity"], &log["message"])).collect();
    assert!(lines.contains(&(&"ERROR".into(), &"card declined: insufficient funds for order 42".into())), "{why:#}");
    let told = kansoku.ask(&["why", "last"]).fine();
    assert!(told.contains("card declined: insufficient funds for order 42") && told.contains("POST /pay"), "{told}");
    assert_eq!(traces(&kansoku, &["--status", "ok", "--service", "flask-shop"]), 2);
    assert_eq!(traces(&kansoku, &["--status", "error", "--service", "flask-shop"]), 1);
    let output = kansoku.ask(&["query", "logs", "--text", "shop on "]).fine();
    assert!(output.contains("flask-shop"), "its stdout came in as logs: {output}");
    ends_well(kansoku.stop());
}

/// Prints what a program prints as a container runtime writes it down.
fn written_down(
    pipe: impl std::io::Read + Send + 'static,
    output: &'static str,
    file: std::path::PathBuf,
) -> std::sync::mpsc::Receiver<String> {
    let (tell, told) = std::sync::mpsc::sync_channel(1_000);
    std::thread::spawn(move || {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Long lines are cut as a runtime cuts them.
            let (first, rest) = line.split_at(line.floor_char_boundary(40));
            let lines = if rest.is_empty() { format!("F {line}") } else { format!("P {first}\n2024-05-01T12:00:00.1Z {output} F {rest}") };
            file.write_all(format!("2024-05-01T12:00:00.1Z {output} {lines}\n").as_bytes()).unwrap();
            // Nobody listens any more at the end.
            let _gone = tell.try_send(line);
        }
    });
    told
}

#[test]
fn a_line_of_a_container_with_the_trace_id_only_in_its_text_finds_its_trace() {
    let (bin, folder) = (bin(), tempfile::tempdir().unwrap());
    let yaml = PIPELINE
        .replace("processors:", "  pods: { type: container_logs, path: pods }\nprocessors:")
        .replace("inputs: [otlp]", "inputs: [otlp, pods]");
    let kansoku = Kansoku::run(folder.path(), &yaml);
    let container = folder.path().join("pods/shop_flask-7d4_0a1b/app");
    std::fs::create_dir_all(&container).unwrap();
    let mut shop = Command::new(bin.join("opentelemetry-instrument"));
    shop.arg(bin.join("python")).arg(repository("tests/python/app.py"));
    // Its logs are only printed, with the id where the instrumentation of `logging` puts it.
    let environment = [
        ("OTEL_SERVICE_NAME", "flask-shop"),
        ("OTEL_TRACES_EXPORTER", "otlp_proto_http"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_PYTHON_LOG_CORRELATION", "true"),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
    ];
    shop.envs(environment).env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", kansoku.http()));
    let mut shop = shop.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said = written_down(shop.stdout.take().unwrap(), "stdout", container.join("0.log"));
    let _errors = written_down(shop.stderr.take().unwrap(), "stderr", container.join("0.log"));
    let at: SocketAddr = until("the shop says where it listens", || said.try_recv().ok()?.strip_prefix("shop on ")?.parse().ok());
    let body = json!({ "order": 42, "card": "4000000000000002" }).to_string();
    assert_eq!(http::post(at, "/checkout", "application/json", body.as_bytes()).status, 500);

    let why = kansoku.ask_until(&["why", "last", "--json"], |said| {
        let why: Value = serde_json::from_str(&said.out).ok()?;
        (why["trace"]["summary"]["status"] == "error" && why["path"][2]["logs"][0].is_object()).then_some(why)
    });
    let logs = why["path"][2]["logs"].as_array().unwrap();
    let declined = logs.iter().find(|log| log["message"].as_str().unwrap().contains("card declined: insufficient funds for order 42"));
    let declined = declined.unwrap_or_else(|| panic!("{why:#}"));
    assert_eq!(declined["severity"], "ERROR", "{why:#}");
    let id = why["trace"]["summary"]["trace_id"].as_str().unwrap();
    assert!(declined["message"].as_str().unwrap().contains(id), "the text is all that says it: {why:#}");
    kit::process::signal(shop.id(), "TERM").then_some(()).unwrap();
    shop.wait().unwrap();
    ends_well(kansoku.stop());
}

/// How many traces a search finds, once all three requests are there.
fn traces(kansoku: &Kansoku, words: &[&str]) -> usize {
    let three = ["query", "traces", "--json"];
    kansoku.ask_until(&three, |said| (said.out.lines().count() >= 3).then_some(()));
    kansoku.ask(&[&three[..], words].concat()).out.lines().count()
}

fn ends_well(ended: Ended) {
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("nothing was lost"), "{}", ended.err);
}

#[test]
fn the_store_is_read_by_a_delta_lake_client_as_it_lies() {
    let (bin, folder) = (bin(), tempfile::tempdir().unwrap());
    let kansoku = Kansoku::run(folder.path(), PIPELINE);
    let sends = |path: &str, body: &[u8]| assert_eq!(http::post(kansoku.http(), path, "application/x-protobuf", body).status, 200);
    sends("/v1/traces", &otlp::spans([1, 2], End::Well));
    sends("/v1/traces", &otlp::spans([3], End::Failed("out of stock")));
    sends("/v1/logs", &otlp::log("item 3 is gone", "ERROR", Some(3)));
    kansoku.ask_until(&["query", "traces", "--json"], |said| (said.out.lines().count() == 3).then_some(()));
    ends_well(kansoku.stop());

    let script = repository("tests/python/read_store.py");
    let read = Said::of(Command::new(bin.join("python")).arg(script).arg(folder.path().join("store")).arg(otlp::trace_hex(3))).json();
    let only = |table: &str| {
        let rows = read[table].as_array().unwrap_or_else(|| panic!("no table `{table}`: {read:#}"));
        assert_eq!(rows.len(), 1, "{table}: {read:#}");
        rows[0].clone()
    };
    let (span, log, trace) = (only("spans"), only("logs"), only("traces"));
    assert_eq!((&span["name"], &span["status_message"]), (&"GET /item/3".into(), &"out of stock".into()), "{read:#}");
    assert_eq!(
        (&log["body"], &log["severity"], &log["span_id"]),
        (&"item 3 is gone".into(), &"ERROR".into(), &span["span_id"]),
        "{read:#}"
    );
    assert_eq!((&trace["closed_by"], &trace["rule"]), (&"root".into(), &"errors".into()), "{read:#}");
}
