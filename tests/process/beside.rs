//! `run -- CMD`.

use crate::durable;
use kit::{Kansoku, until};

/// Says its environment on stdout, a line on stderr, and goes on until SIGTERM, which it answers with exit code 7.
const PROGRAM: &str = "trap 'echo the program heard TERM; exit 7' TERM
env | grep ^OTEL_ | sort
echo 'Traceback: something odd' >&2
echo started
while :; do sleep 0.05; done";

#[test]
fn a_program_is_pointed_here_its_output_is_taken_in_and_its_exit_code_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run_with(folder.path(), &durable(), &["sh", "-c", PROGRAM], &[("OTEL_SERVICE_NAME", "odd-shop")]);
    until("the program has started", || kansoku.printed().contains("started").then_some(()));
    let printed = kansoku.printed();
    let endpoint = format!("OTEL_EXPORTER_OTLP_ENDPOINT=http://{}", kansoku.http());
    for line in [
        endpoint.as_str(),
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        "OTEL_TRACES_EXPORTER=otlp",
        "OTEL_LOGS_EXPORTER=otlp",
        "OTEL_METRICS_EXPORTER=otlp",
        "OTEL_SERVICE_NAME=odd-shop",
    ] {
        assert!(printed.lines().any(|l| l == line), "`{line}` is not in:\n{printed}");
    }
    until("stderr is shown too", || kansoku.said().contains("something odd").then_some(()));
    let line = kansoku.ask_until(&["query", "logs", "--text", "something odd", "--json"], |said| {
        serde_json::from_str::<serde_json::Value>(said.out.lines().next()?).ok()
    });
    assert_eq!((&line["service"], &line["message"]), (&"odd-shop".into(), &"Traceback: something odd".into()));
    let ended = kansoku.stop();
    assert_eq!(ended.code, 7, "{}", ended.err);
    assert!(ended.out.contains("the program heard TERM"), "{}", ended.out);
    assert!(ended.err.contains("nothing was lost"), "{}", ended.err);
}

#[test]
fn a_program_without_a_name_of_its_own_is_called_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever runs the tests in the background may have SIGINT ignored, and a shell cannot undo that.
    let program = ["/usr/bin/env", "--default-signal=INT", "sh", "-c", PROGRAM];
    let kansoku = Kansoku::run_with(folder.path(), &durable(), &program, &[("OTEL_LOGS_EXPORTER", "console")]);
    until("the program has started", || kansoku.printed().contains("started").then_some(()));
    let printed = kansoku.printed();
    assert!(printed.contains("OTEL_SERVICE_NAME=env\n"), "{printed}");
    assert!(printed.contains("OTEL_LOGS_EXPORTER=console\n"), "what the user set stays:\n{printed}");
    kansoku.signal("INT");
    assert_eq!(kansoku.ended().code, 130, "SIGINT is passed on, and sh ends by it");
}

#[test]
fn kansoku_ends_with_its_program() {
    for (script, code) in [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", 137)] {
        let folder = tempfile::tempdir().unwrap();
        let file = kit::process::written(folder.path(), &durable());
        let ended =
            Kansoku::start(&mut kit::process::command(&["run", &file, "--", "sh", "-c", &format!("echo last words; {script}")])).ended();
        assert_eq!(ended.code, code, "{script}: {}", ended.err);
        let again = Kansoku::run(folder.path(), &durable());
        let stored = again.ask_until(&["query", "logs", "--text", "last words"], |said| (said.code == 0).then(|| said.out.clone()));
        assert!(stored.contains("last words"), "{script}: what it said at the end is stored: {stored}");
    }
}

#[test]
fn what_a_program_prints_is_shown_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    // A line longer than a log record may be, and one without an end.
    let script = "head -c 1000000 /dev/zero | tr '\\0' x; echo; printf 'no end'";
    for pipeline in [durable(), durable().replace("http: { listen: 127.0.0.1:0 }", "http: { listen: off }")] {
        let file = kit::process::written(folder.path(), &pipeline);
        let ended = Kansoku::start(&mut kit::process::command(&["run", &file, "--", "sh", "-c", script])).ended();
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert_eq!(ended.out.trim_end(), format!("{}\nno end", "x".repeat(1_000_000)));
    }
}

/// Without OTLP/HTTP nobody reads the program's output here, so it must not fill a pipe.
#[test]
fn without_otlp_http_a_program_is_pointed_to_grpc_and_keeps_its_own_output() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = durable().replace("http: { listen: 127.0.0.1:0 }", "http: { listen: off }");
    let kansoku = Kansoku::run_with(folder.path(), &pipeline, &["sh", "-c", PROGRAM], &[]);
    let endpoint = format!("OTEL_EXPORTER_OTLP_ENDPOINT=http://{}\n", kansoku.grpc());
    until("the program has started", || kansoku.printed().contains("started").then_some(()));
    let printed = kansoku.printed();
    assert!(printed.contains(&endpoint) && printed.contains("OTEL_EXPORTER_OTLP_PROTOCOL=grpc\n"), "{printed}");
    assert!(kansoku.said().contains("output is not taken in"), "{}", kansoku.said());
    assert_eq!(kansoku.stop().code, 7);
}
