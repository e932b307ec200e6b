//! What a gateway writes when nothing goes wrong.

use crate::{
    calm, gateway,
    offered::{LOGS, TRACES, counted, export, found, hex, logs, spans},
};
use kit::{
    Kansoku,
    kafka::{create, read},
    until,
};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn every_record_is_written_once_and_each_trace_with_its_logs_is_in_one_partition() {
    let Some((broker, _calm)) = calm() else { return };
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run(folder.path(), &gateway(&broker.address(), "written", "    compression: zstd\n"));
    // Each trace comes in three requests, two of spans and one of logs.
    for block in 0..10 {
        let traces = block * 20..(block + 1) * 20;
        for half in 0..2 {
            export(&kansoku, TRACES, &spans(traces.clone().flat_map(|trace| [(trace, half * 2), (trace, half * 2 + 1)]), "GET /cart"));
        }
        export(&kansoku, LOGS, &logs(traces.flat_map(|trace| [(trace, 100), (trace, 101)])));
    }
    until("all is out", || (kansoku.count("hop", "traces", "out") == 800 && kansoku.count("hop", "logs", "out") == 400).then_some(()));
    let messages = read(&broker.address(), "written");
    let wanted: BTreeMap<_, _> = (0..200).flat_map(|trace| [0, 1, 2, 3, 100, 101].map(|number| ((hex(trace), number), 1))).collect();
    assert_eq!(counted(&messages), wanted);
    let mut partitions: BTreeMap<_, BTreeSet<i32>> = BTreeMap::new();
    for message in &messages {
        partitions.entry(message.key.clone()).or_default().insert(message.partition);
    }
    assert!(partitions.len() == 200 && partitions.values().all(|of_key| of_key.len() == 1), "{partitions:?}");
    let identities: BTreeSet<_> = messages
        .iter()
        .flat_map(|message| {
            let signal = message.header("signal").unwrap().to_vec();
            found(message).into_iter().map(move |found| (signal.clone(), found.identity))
        })
        .collect();
    assert_eq!(identities.len(), 1_200, "no two records have one identity");
    let ended = kansoku.stop();
    assert!(ended.code == 0 && ended.err.contains("nothing was lost"), "{}", ended.err);
}

#[test]
fn closed_traces_are_written_as_their_spans_and_logs() {
    let Some((broker, _calm)) = calm() else { return };
    let folder = tempfile::tempdir().unwrap();
    let pipeline = gateway(&broker.address(), "closed", "").replace("inputs: [otlp]", "inputs: [kept]")
        + "processors:
  traces: { type: correlate, inputs: [otlp], close: { after_root: 200ms } }
  kept: { type: sample, inputs: [traces], rules: [{ name: all, keep: 100% }] }
";
    let kansoku = Kansoku::run(folder.path(), &pipeline);
    for half in 0..2 {
        export(&kansoku, TRACES, &spans((0..20).flat_map(|trace| [(trace, half * 2), (trace, half * 2 + 1)]), "GET /cart"));
    }
    export(&kansoku, LOGS, &logs((0..20).flat_map(|trace| [(trace, 100), (trace, 101)])));
    until("all is out", || (kansoku.count("hop", "traces", "out") == 80 && kansoku.count("hop", "logs", "out") == 40).then_some(()));
    let messages = read(&broker.address(), "closed");
    let wanted: BTreeMap<_, _> = (0..20).flat_map(|trace| [0, 1, 2, 3, 100, 101].map(|number| ((hex(trace), number), 1))).collect();
    assert_eq!(counted(&messages), wanted);
    assert!(messages.iter().all(|message| message.partition == messages.iter().find(|other| other.key == message.key).unwrap().partition));
    assert!(messages.len() <= 80, "of a trace, what left the window together is together: {}", messages.len());
}

#[test]
fn what_a_key_has_comes_in_order() {
    let Some((broker, _calm)) = calm() else { return };
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run(folder.path(), &gateway(&broker.address(), "in_order", ""));
    for number in 0..300 {
        export(&kansoku, LOGS, &logs([(number % 3, number)]));
    }
    until("all is out", || (kansoku.count("hop", "logs", "out") == 300).then_some(()));
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for found in read(&broker.address(), "in_order").iter().flat_map(found) {
        numbers.entry(found.trace).or_default().push(found.number);
    }
    for trace in 0..3 {
        assert_eq!(numbers[&hex(trace)], (0..300).filter(|number| number % 3 == trace).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_too_large_for_a_message_is_several_of_one_key() {
    let Some((broker, _calm)) = calm() else { return };
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run(folder.path(), &gateway(&broker.address(), "large", "    message_bytes_max: 100kB\n"));
    // Three megabytes of one trace, and a span that fits into nothing beside a small one.
    for request in 0..4 {
        export(&kansoku, TRACES, &spans((0..100).map(|n| (1, request * 100 + n)), &"x".repeat(7_500)));
    }
    export(&kansoku, TRACES, &spans([(2, 0)], &"y".repeat(150_000)));
    export(&kansoku, TRACES, &spans([(3, 0)], "z"));
    until("all is out", || (kansoku.count("hop", "traces", "out") == 401).then_some(()));
    until("and the one that is too large is refused", || (kansoku.count("hop", "traces", "rejected.refused") == 1).then_some(()));
    let messages = read(&broker.address(), "large");
    assert!(messages.iter().all(|message| message.value.len() <= 100_000));
    let of_one: Vec<_> = messages.iter().filter(|message| message.key.as_deref() == Some(hex(1).as_bytes())).collect();
    assert!(of_one.len() >= 30 && of_one.iter().all(|message| message.partition == of_one[0].partition), "{}", of_one.len());
    let counts = counted(&messages);
    assert!(
        counts.len() == 401 && counts.values().all(|count| *count == 1),
        "the span that is too large is refused alone, and nothing comes twice"
    );
}

#[test]
fn where_a_topic_takes_less_than_was_thought_only_what_it_never_takes_is_refused() {
    let Some((broker, _calm)) = calm() else { return };
    create(&broker.address(), "narrow", 4, &[("max.message.bytes", "20000")]);
    let folder = tempfile::tempdir().unwrap();
    let kansoku = Kansoku::run(folder.path(), &gateway(&broker.address(), "narrow", "    compression: none\n"));
    // Together they are too large, as a trace or as messages that librdkafka sends at once; one by one they are not.
    export(&kansoku, TRACES, &spans((0..30).map(|n| (1, n)), &"x".repeat(5_000)));
    export(&kansoku, TRACES, &spans((0..30).map(|trace| (10 + trace, 0)), &"x".repeat(5_000)));
    export(&kansoku, TRACES, &spans([(2, 0)], &"y".repeat(30_000)));
    let refused = || kansoku.count("hop", "traces", "rejected.refused") + kansoku.count("hop", "traces", "rejected.too_large");
    until("all is out but one span", || (kansoku.count("hop", "traces", "out") == 60 && refused() == 1).then_some(()));
    let counts = counted(&read(&broker.address(), "narrow"));
    assert_eq!(counts.keys().cloned().collect::<BTreeSet<_>>(), (0..30).flat_map(|n| [(hex(1), n), (hex(10 + n), 0)]).collect());
}
