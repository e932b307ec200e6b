//! SIGTERM: the window is closed as partial, what cannot be delivered is kept or counted, and the ledger is told.

use crate::{LISTENERS, post};
use kit::{
    Kansoku,
    otlp::{self, End},
};
use std::{
    io::Write,
    net::{TcpListener, TcpStream},
};

#[test]
fn an_open_trace_is_closed_as_partial_and_stored() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!(
        "journal: {{ path: journal }}{LISTENERS}
processors:
  traces: {{ type: correlate, inputs: [otlp], close: {{ after_root: 10m, idle: 10m, after_first: 10m }} }}
sinks:
  store: {{ inputs: [traces], path: store }}
"
    );
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1], End::Failed("broke"))), 200);
    assert_eq!(post(&kansoku, "/v1/logs", &otlp::log("why it broke", "ERROR", Some(1))), 200);
    kit::until("the window holds both", || {
        (kansoku.count("traces", "traces", "held") == 1 && kansoku.count("traces", "logs", "held") == 1).then_some(())
    });
    let ended = kansoku.stop();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("1 span") && ended.err.contains("1 log") && ended.err.contains("nothing was lost"), "{}", ended.err);

    let again = Kansoku::run(folder.path(), &pipeline);
    let trace = again.ask(&["query", "trace", &otlp::trace_hex(1), "--json"]).json();
    assert_eq!(trace["summary"]["closed_by"], "drain", "{trace:#}");
    assert_eq!(trace["spans"][0]["logs"][0]["message"], "why it broke", "{trace:#}");
    assert_eq!(again.count("traces", "traces", "in"), 0, "what was stored does not come again: {}", again.status());
}

/// A next hop that takes connections and never answers.
fn deaf() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn what_a_deaf_next_hop_did_not_take_is_kept_in_the_journal() {
    let (_deaf, url) = deaf();
    let folder = tempfile::tempdir().unwrap();
    let pipeline =
        format!("drain: 2s\njournal: {{ path: journal }}{LISTENERS}sinks:\n  next: {{ type: otlp, inputs: [otlp], endpoint: '{url}' }}\n");
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1, 2, 3], End::Well)), 200);
    let ended = kansoku.stop();
    assert!(ended.took.as_secs() < 15, "drained within its time and some: {:?}", ended.took);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("3 spans") && ended.err.contains("go out after the next start"), "{}", ended.err);
    assert!(ended.err.contains("nothing was lost"), "{}", ended.err);

    let store =
        pipeline.replace(&format!("next: {{ type: otlp, inputs: [otlp], endpoint: '{url}' }}"), "next: { type: debug, inputs: [otlp] }");
    let again = Kansoku::run(folder.path(), &store);
    kit::until("they go out after the next start", || (again.count("next", "traces", "out") == 3).then_some(()));
}

#[test]
fn without_a_journal_what_was_not_taken_is_counted_as_lost() {
    let (_deaf, url) = deaf();
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!(
        "drain: 2s{}sinks:\n  next: {{ type: otlp, inputs: [otlp], endpoint: '{url}' }}\n",
        LISTENERS.replace("otlp: {", "otlp: { acknowledge: memory,")
    );
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1, 2, 3], End::Well)), 200);
    let ended = kansoku.stop();
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("LOST: 3 spans at `next`"), "{}", ended.err);
}

#[test]
fn whoever_asks_twice_does_not_wait_for_the_drain() {
    let (_deaf, url) = deaf();
    let folder = tempfile::tempdir().unwrap();
    let pipeline =
        format!("drain: 10m\njournal: {{ path: journal }}{LISTENERS}sinks:\n  next: {{ type: otlp, inputs: [otlp], endpoint: '{url}' }}\n");
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    assert_eq!(post(&kansoku, "/v1/traces", &otlp::spans([1, 2, 3], End::Well)), 200);
    kansoku.signal("TERM");
    let admin = kansoku.admin();
    kit::until("it goes down and says so", || (kit::http::get(admin, "/readyz").status == 503).then_some(()));
    // Not at a certain time: again and again, as an impatient person does.
    let ended = std::thread::scope(|scope| {
        let pid = kansoku.pid();
        let ending = scope.spawn(move || kansoku.ended());
        while !ending.is_finished() {
            std::thread::sleep(std::time::Duration::from_millis(200));
            let _ended_meanwhile = kit::process::signal(pid, "TERM");
        }
        ending.join().unwrap()
    });
    assert_eq!(ended.code, 143, "{}", ended.err);
    assert!(ended.err.contains("goes out after the next start"), "{}", ended.err);
    let again = Kansoku::run(folder.path(), &pipeline.replace("type: otlp, inputs: [otlp], endpoint: ", "type: debug, inputs: [otlp] } #"));
    kit::until("nothing was lost", || (again.count("next", "traces", "out") == 3).then_some(()));
}

#[test]
fn a_client_that_stays_connected_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = format!("{LISTENERS}sinks:\n  out: {{ type: debug, inputs: [otlp] }}\n");
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    let connected = [
        (kansoku.http(), &b""[..]),
        (kansoku.grpc(), b""),
        (kansoku.grpc(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
        (
            kansoku.http(),
            b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\nhalf",
        ),
    ];
    let streams: Vec<TcpStream> = connected
        .into_iter()
        .map(|(address, bytes)| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(bytes).unwrap();
            stream
        })
        .collect();
    let ended = kansoku.stop();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.took.as_secs() < 20, "the drain's 25 s are for data, not for idle clients: {:?}", ended.took);
    drop(streams);
}
