//! Writers who place keys in different ways: what they write of one trace never meets, and that is told.

use crate::{next_hop::NextHop, pipeline, shared, topic::Topic};
use kit::{Kansoku, until};
use std::collections::BTreeMap;

/// Where librdkafka puts logs of these traces with a partitioner, by trace.
fn write(topic: &Topic, partitioner: &str, traces: std::ops::Range<u64>) -> BTreeMap<Vec<u8>, i32> {
    let log = |n: u64| (kit::otlp::trace_hex(n), kit::otlp::log(&format!("{partitioner} {n}"), "INFO", Some(n)));
    topic.write_keyed(partitioner, traces.clone().map(log));
    let placed = kit::kafka::read(topic.brokers(), topic.name()).into_iter().filter_map(|read| Some((read.key?, read.partition)));
    let ours: Vec<Vec<u8>> = traces.map(|n| kit::otlp::trace_hex(n).into_bytes()).collect();
    placed.filter(|(key, _)| ours.contains(key)).collect()
}

#[test]
fn a_writer_with_another_partitioner_than_the_others_is_told_with_a_trace_as_its_example() {
    let Some((broker, _shared)) = shared() else { return };
    let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
    let processors = "processors:\n  traces: { type: correlate, inputs: [hop], close: { idle: 1s } }\n";
    let yaml = pipeline(&topic, "", &format!("{processors}sinks:\n  {}", next.sink("traces")));
    write(&topic, "murmur2_random", 0..400);
    let kansoku = Kansoku::run(folder.path(), &yaml);
    until("the first are read", || (next.came().len() == 400).then_some(()));
    let told = || {
        let metrics = kit::http::get(kansoku.admin(), "/metrics").text();
        let line = metrics.lines().find(|line| line.starts_with("kansoku_partition_split_traces_total")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(told(), 0, "librdkafka places keys as we think it does");
    // None of these traces has a part by the first writer: only how they lie says that it would be elsewhere.
    let placed = write(&topic, "fnv1a_random", 1_000..1_100);
    until("the second are read", || (next.came().len() == 500).then_some(()));
    let (reference, elsewhere) = (Topic::new(broker), 1_000..1_100);
    let right = write(&reference, "murmur2_random", elsewhere);
    let misplaced: Vec<&Vec<u8>> = placed.iter().filter(|(key, partition)| right[*key] != **partition).map(|(key, _)| key).collect();
    assert!(misplaced.len() > 50, "{}", misplaced.len());
    until("all of them are told", || (told() == misplaced.len()).then_some(()));
    let said = kansoku.said();
    let example = said.lines().find(|line| line.contains("those who write it place keys differently")).unwrap_or_else(|| panic!("{said}"));
    assert!(misplaced.iter().any(|key| example.contains(std::str::from_utf8(key).unwrap())), "{example}");
    assert_eq!(kansoku.stop().code, 0);
}

#[test]
fn spans_without_their_trace_id_as_the_key_are_told() {
    let Some((broker, _shared)) = shared() else { return };
    let (topic, next, folder) = (Topic::new(broker), NextHop::start(), tempfile::tempdir().unwrap());
    let spans = |n: u64| Topic::otlp(0, "traces", kit::otlp::spans([n], kit::otlp::End::Well));
    topic.write((0..3).map(spans));
    let processors = "processors:\n  traces: { type: correlate, inputs: [hop], close: { idle: 1s } }\n";
    let kansoku = Kansoku::run(folder.path(), &pipeline(&topic, "", &format!("{processors}sinks:\n  {}", next.sink("traces"))));
    until("all are read", || (next.came().len() == 3).then_some(()));
    assert!(kansoku.said().contains("spans come in messages without a trace id as their key"), "{}", kansoku.said());
    let metrics = kit::http::get(kansoku.admin(), "/metrics").text();
    assert!(metrics.lines().any(|line| line.starts_with("kansoku_partition_unkeyed_total") && line.ends_with(" 3")), "{metrics}");
    assert_eq!(kansoku.stop().code, 0);
}
