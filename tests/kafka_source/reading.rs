//! One member that reads: what comes through, what is committed, and when.

use crate::{
    next_hop::NextHop,
    pipeline, shared,
    topic::{Topic, Written},
};
use kit::{Kansoku, until};
use std::{thread, time::Duration};

fn logs(text: &str) -> Vec<u8> {
    kit::otlp::log(text, "INFO", None)
}

#[test]
fn what_is_in_the_topic_comes_to_the_sink_and_is_committed_once_it_is_there() {
    let Some((broker, _shared)) = shared() else { return };
    let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
    topic.write((0..40).map(|n| Topic::otlp(n % 4, "logs", logs(&format!("log {n}")))));
    next.set_down(true);
    let yaml = pipeline(&topic, "", &format!("sinks:\n  {}", next.sink("hop")));
    let kansoku = Kansoku::run(folder.path(), &yaml);
    kansoku.ask_until(&["status"], |_| (kansoku.count("hop", "logs", "in") == 40).then_some(()));
    thread::sleep(Duration::from_secs(3));
    assert!(topic.committed().iter().all(|offset| *offset <= 0), "nothing has arrived: {:?}", topic.committed());
    next.set_down(false);
    until("all arrive", || (next.came().len() == 40).then_some(()));
    topic.until_committed(&[10, 10, 10, 10]);

    // What comes goes through, too, and a restart begins where this one ended.
    topic.write([Topic::otlp(2, "logs", logs("log 40"))]);
    until("the next arrives", || next.came().contains_key("log 40").then_some(()));
    let ended = kansoku.stop();
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(topic.committed(), [10, 10, 11, 10]);
    topic.write([Topic::otlp(3, "logs", logs("log 41"))]);
    let kansoku = Kansoku::run(folder.path(), &yaml);
    until("the last arrives", || next.came().contains_key("log 41").then_some(()));
    assert!(next.came().values().all(|times| *times == 1), "{:?}", next.came());
    let status = kansoku.status();
    assert_eq!(status["partitions"].as_array().map(Vec::len), Some(4), "{status}");
    assert_eq!(kansoku.stop().code, 0);
}

#[test]
fn what_cannot_be_read_is_counted_and_holds_nothing_up() {
    let Some((broker, _shared)) = shared() else { return };
    let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
    let nothing_says = Written { payload: logs("no header"), ..Written::default() };
    topic.write([Topic::otlp(0, "logs", b"what is this".to_vec()), nothing_says, Topic::otlp(0, "logs", logs("fine"))]);
    let yaml = pipeline(&topic, "", &format!("journal: {{ path: journal }}\nsinks:\n  {}", next.sink("hop")));
    let kansoku = Kansoku::run(folder.path(), &yaml);
    topic.until_committed(&[3, -1, -1, -1]);
    assert_eq!(next.came().keys().collect::<Vec<_>>(), ["fine"]);
    assert_eq!(kansoku.count("hop", "logs", "rejected.malformed"), 2);
    assert_eq!(kansoku.status()["dead_letters"]["letters"], 2);
    assert_eq!(kansoku.status()["lost"], 0);
    assert_eq!(kansoku.stop().code, 0);
}

/// What a topic with this encoding gives of these messages: the bodies, sorted.
fn read_as(encoding: &str, messages: &[&str]) -> (Vec<String>, Vec<opentelemetry_proto::tonic::logs::v1::LogRecord>) {
    let Some(broker) = kit::kafka::broker() else { return Default::default() };
    let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
    topic.write(messages.iter().map(|text| Written { payload: text.as_bytes().to_vec(), ..Written::default() }));
    let yaml = pipeline(&topic, &format!(", encoding: {encoding}"), &format!("sinks:\n  {}", next.sink("hop")));
    let kansoku = Kansoku::run(folder.path(), &yaml);
    topic.until_committed(&[i64::try_from(messages.len()).unwrap(), -1, -1, -1]);
    assert_eq!(kansoku.stop().code, 0);
    (next.came().into_keys().collect(), next.logs())
}

#[test]
fn messages_that_are_no_otlp_are_logs() {
    let Some(_shared) = shared() else { return };
    let (bodies, _) = read_as("text", &["ERROR one", "two\nlines"]);
    assert_eq!(bodies, ["ERROR one", "two\nlines"]);
    let (bodies, logs) = read_as("syslog", &["<34>1 2026-11-29T10:00:00Z host su 7 - - failed"]);
    assert_eq!((bodies, logs[0].severity_text.as_str()), (vec!["failed".to_owned()], "crit"));
    let (_, logs) = read_as("json", &[r#"{"@timestamp":1700000000,"level":"warn","log":"x"}"#, "no json"]);
    assert_eq!((logs.len(), logs[0].severity_number, logs[0].time_unix_nano), (1, 13, 1_700_000_000_000_000_000));
    let (_, logs) = read_as("azure_diagnostics", &[r#"{"records":[{"level":"Error"},{"level":"Warning"}]}"#]);
    assert_eq!(logs.iter().map(|log| log.severity_number).collect::<Vec<_>>(), [17, 13]);
}

#[test]
fn a_reload_loses_nothing_and_what_is_held_goes_on() {
    let Some((broker, _shared)) = shared() else { return };
    let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
    let yaml = |drop: &str| {
        let rest =
            format!("processors:\n  some: {{ type: filter, inputs: [hop], drop: '.body == \"{drop}\"' }}\nsinks:\n  {}", next.sink("some"));
        pipeline(&topic, "", &rest)
    };
    topic.write([Topic::otlp(0, "logs", logs("before")), Topic::otlp(0, "logs", logs("one"))]);
    let kansoku = Kansoku::run(folder.path(), &yaml("one"));
    topic.until_committed(&[2, -1, -1, -1]);
    let _same = kit::process::written(folder.path(), &yaml("two"));
    kansoku.signal("HUP");
    kansoku.ask_until(&["status"], |_| {
        kit::http::get(kansoku.admin(), "/metrics").text().contains("kansoku_reloads_total{result=\"applied\"} 1").then_some(())
    });
    topic.write([Topic::otlp(0, "logs", logs("one")), Topic::otlp(0, "logs", logs("two")), Topic::otlp(0, "logs", logs("after"))]);
    topic.until_committed(&[5, -1, -1, -1]);
    let came: Vec<_> = next.came().into_iter().collect();
    assert_eq!(came, [("after".to_owned(), 1), ("before".to_owned(), 1), ("one".to_owned(), 1)]);
    assert_eq!(kansoku.stop().code, 0);
}

#[test]
fn a_second_copy_that_a_gateway_sent_is_known_and_the_store_takes_nothing_twice() {
    use signal::{
        Ordinals, Origin,
        codec::origins::{Origins, Piece, Settled},
    };
    let Some((broker, _shared)) = shared() else { return };
    let (topic, folder) = (Topic::new(broker), tempfile::tempdir().unwrap());
    let message = |position: u64, below: u64| {
        let piece = Piece { origin: Some(Origin { log: 7, position }), ordinals: Ordinals::From(3), records: 1 };
        let origins = Origins { pieces: vec![piece], settled: vec![Settled { log: 7, below }] };
        let mut written = Topic::otlp(1, "logs", logs(&format!("log {position}")));
        written.headers.push(("kansoku-origin", origins.encode()));
        written
    };
    // What a gateway finds in its journal and in its sink's log it may send in one message.
    let twice = {
        let mut written = message(11, 5);
        written.payload.extend(logs("log 11"));
        let piece = |ordinal| Piece { origin: Some(Origin { log: 7, position: 11 }), ordinals: Ordinals::From(ordinal), records: 1 };
        let origins = Origins { pieces: vec![piece(3), piece(3)], settled: vec![Settled { log: 7, below: 5 }] };
        written.headers = vec![("signal", b"logs".to_vec()), ("kansoku-origin", origins.encode())];
        written
    };
    topic.write([message(10, 5), twice, message(10, 5), message(12, 6)]);
    let yaml = pipeline(&topic, "", "sinks:\n  store: { inputs: [hop], path: store }");
    let kansoku = Kansoku::run(folder.path(), &yaml);
    topic.until_committed(&[-1, 4, -1, -1]);
    assert_eq!((kansoku.count("hop", "logs", "in"), kansoku.count("hop", "logs", "discarded.repeat")), (5, 2));
    // A member that was killed knows of no copy any more, but its store does.
    kansoku.signal("KILL");
    assert_eq!(kansoku.ended().code, 137);
    topic.write([message(11, 6), message(13, 6)]);
    let kansoku = Kansoku::run(folder.path(), &yaml);
    topic.until_committed(&[-1, 6, -1, -1]);
    let stored = kansoku.ask(&["query", "logs", "--since", "24h", "--json"]);
    let mut bodies: Vec<String> =
        stored.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].to_string()).collect();
    bodies.sort();
    assert_eq!(bodies, ["\"log 10\"", "\"log 11\"", "\"log 12\"", "\"log 13\""], "{}", stored.out);
    assert_eq!(kansoku.stop().code, 0);
}
