//! The sink against librdkafka's own mock of a cluster: what is written, what is refused, and what is sent again. A real broker is in `tests/kafka.rs`.

use super::*;
use kit::kafka::{Read, read};
use pipeline::{Why, testing::build};
use rdkafka::{
    mocking::MockCluster,
    producer::DefaultProducerContext,
    types::{RDKafkaApiKey, RDKafkaRespErr},
};
use serde_json::{Value, json};
use signal::{Ack, Batch, Chunk, Flow, Limits, Ordinals, Origin, Signal, Time, check, codec::json, codec::origins::Origins};
use std::collections::BTreeSet;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster(brokers: i32) -> Cluster {
    let cluster = MockCluster::new(brokers).unwrap();
    cluster.create_topic("telemetry", 4, 1).unwrap();
    cluster
}

fn sink(brokers: &str, more: &str) -> Box<dyn Sink> {
    let brokers = brokers.replace(',', "\", \"");
    build::<Kafka>(&format!("brokers: [\"{brokers}\"]\ntopic: telemetry\n{more}"), Kinds::RECORDS)
        .unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn of(cluster: &Cluster, more: &str) -> Box<dyn Sink> {
    sink(&cluster.bootstrap_servers(), more)
}

/// A chunk of a request in JSON, the entry at this position of journal 7.
fn chunk(signal: Signal, position: u64, request: &Value) -> Chunk {
    let raw = json::to_protobuf(signal, request.to_string().as_bytes()).unwrap();
    let (checked, counts) = check(signal, raw, &Limits::default()).unwrap();
    Chunk::new(checked, counts.records, Some(Origin { log: 7, position }), Ordinals::From(0), Time(0))
}

fn parcel(signal: Signal, requests: &[Value]) -> Parcel {
    let mut batch = Batch::empty(signal);
    for (position, request) in requests.iter().enumerate() {
        batch.absorb(Batch::new(signal, chunk(signal, position as u64, request), Ack::none()));
    }
    Parcel { flow: Flow::Batch(batch) }
}

/// Spans `name` of trace `trace`.
fn spans(of: &[(u32, &str)]) -> Value {
    let span = |(trace, name): &(u32, &str)| json!({ "traceId": format!("{trace:032x}"), "spanId": "b7ad6b7169203331", "name": name });
    json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": of.iter().map(span).collect::<Vec<_>>() }] }] })
}

fn logs(service: &str, of: &[(Option<u32>, &str)]) -> Value {
    let log = |(trace, body): &(Option<u32>, &str)| match trace {
        Some(trace) => json!({ "traceId": format!("{trace:032x}"), "body": { "stringValue": body } }),
        None => json!({ "body": { "stringValue": body } }),
    };
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] });
    json!({ "resourceLogs": [{ "resource": resource, "scopeLogs": [{ "logRecords": of.iter().map(log).collect::<Vec<_>>() }] }] })
}

/// The names of the spans, or the bodies of the logs, of a message.
fn texts(message: &Read) -> Vec<String> {
    let signal = Signal::of_word(std::str::from_utf8(message.header("signal").unwrap()).unwrap()).unwrap();
    let (checked, counts) = check(signal, message.value.clone().into(), &Limits::default()).unwrap();
    let batch = Batch::new(signal, Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0)), Ack::none());
    let text = |record: signal::Record<'_>| match record.item {
        signal::Item::Span(span) => span.name().to_owned(),
        signal::Item::Log(log) => log.message().unwrap_or_default().to_owned(),
        signal::Item::Point(metric, _) => metric.name().to_owned(),
    };
    batch.records().map(text).collect()
}

/// What each key has, in order.
fn by_key(messages: &[Read]) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in messages {
        let key = message.key.clone().map_or_else(String::new, |key| String::from_utf8(key).unwrap());
        all.entry(key).or_default().extend(texts(message));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_is_one_message_with_its_key_and_says_where_it_comes_from() {
    let cluster = cluster(1);
    let sink = of(&cluster, "");
    sink.open().await.unwrap();
    sink.deliver(&parcel(Signal::Traces, &[spans(&[(1, "a"), (2, "b"), (1, "c")]), spans(&[(1, "d")])])).await.unwrap();
    sink.settled(7, 41);
    sink.settled(8, 99);
    sink.deliver(&parcel(Signal::Logs, &[logs("shop", &[(Some(1), "e"), (None, "f")]), logs("shop", &[(None, "g")])])).await.unwrap();
    let messages = read(&cluster.bootstrap_servers(), "telemetry");
    assert_eq!(messages.len(), 4);
    let keys = by_key(&messages);
    assert_eq!(keys[&format!("{:032x}", 1)], ["a", "c", "d", "e"]);
    assert_eq!(keys[&format!("{:032x}", 2)], ["b"]);
    let (hash, of_resource) = keys.iter().find(|(key, _)| key.len() == 16).unwrap();
    assert!(of_resource == &["f", "g"] && hash.chars().all(|c| c.is_ascii_hexdigit()), "{keys:?}");
    for message in &messages {
        assert_eq!(message.header("content-type").unwrap(), b"application/x-protobuf");
        let origins = Origins::decode(message.header("kansoku-origin").unwrap(), texts(message).len()).unwrap();
        let below = if message.header("signal").unwrap() == b"logs" { 42 } else { 0 };
        assert_eq!((origins.settled[0].log, origins.settled[0].below), (7, below));
        if texts(message) == ["a", "c", "d"] {
            let pieces: Vec<_> = origins.pieces.iter().map(|piece| (piece.origin.unwrap().position, piece.ordinals.clone())).collect();
            assert_eq!(pieces, [(0, Ordinals::These([0, 2].into())), (1, Ordinals::From(0))]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_a_key_is_one_message_and_json_is_json() {
    let cluster = cluster(1);
    let body = format!("brokers: [\"{}\"]\ntopic: \"otlp-{{signal}}\"\nkey: batch\nencoding: otlp_json\n", cluster.bootstrap_servers());
    let sink = build::<Kafka>(&body, Kinds::RECORDS).unwrap();
    sink.deliver(&parcel(Signal::Traces, &[spans(&[(1, "a"), (2, "b")]), spans(&[(3, "c")])])).await.unwrap();
    let messages = read(&cluster.bootstrap_servers(), "otlp-traces");
    assert_eq!((messages.len(), &messages[0].key), (1, &None));
    assert_eq!(messages[0].header("content-type").unwrap(), b"application/json");
    let value: Value = serde_json::from_slice(&messages[0].value).unwrap();
    assert_eq!(value["resourceSpans"][1]["scopeSpans"][0]["spans"][0]["name"], "c");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_goes_into_several_messages_of_one_key_in_order() {
    for encoding in ["otlp_proto", "otlp_json"] {
        let cluster = cluster(1);
        let sink = of(&cluster, &format!("message_bytes_max: 4kB\nencoding: {encoding}\n"));
        let names: Vec<String> = (0..200).map(|n| format!("span number {n:04} {}", "x".repeat(n % 100))).collect();
        let of_one: Vec<(u32, &str)> = names.iter().map(|name| (1, name.as_str())).collect();
        sink.deliver(&parcel(Signal::Traces, &[spans(&of_one)])).await.unwrap();
        let messages = read(&cluster.bootstrap_servers(), "telemetry");
        assert!(messages.len() > 3, "{}", messages.len());
        assert!(messages.iter().all(|message| message.value.len() < 4_000 && message.partition == messages[0].partition));
        if encoding == "otlp_proto" {
            assert_eq!(by_key(&messages).into_values().collect::<Vec<_>>(), [names]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_fits_into_no_message_is_refused_before_anything_is_sent() {
    let cluster = cluster(1);
    let sink = of(&cluster, "message_bytes_max: 4kB\n");
    let long = "x".repeat(5_000);
    let refused = sink.deliver(&parcel(Signal::Traces, &[spans(&[(1, "a"), (2, &long)])])).await.unwrap_err();
    let Refusal::Never { why: Why(why) } = refused else { panic!("{refused:?}") };
    assert!(why.starts_with("a span makes a message of 5") && why.ends_with("and `message_bytes_max` is 4000"), "{why}");
    assert_eq!(read(&cluster.bootstrap_servers(), "telemetry"), []);

    let point =
        |n: usize| json!({ "asInt": n.to_string(), "attributes": [{ "key": "n", "value": { "stringValue": format!("{n:060}") } }] });
    let points: Vec<Value> = (0..100).map(point).collect();
    let metric = json!({ "name": "queue", "gauge": { "dataPoints": points } });
    let request = json!({ "resourceMetrics": [{ "scopeMetrics": [{ "metrics": [metric] }] }] });
    let refused = sink.deliver(&parcel(Signal::Metrics, &[request])).await.unwrap_err();
    assert_eq!(refused, Refusal::TooLarge { max: Some(4_000) }, "the runner takes a metric apart");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_brokers_say_decides_what_becomes_of_the_parcel() {
    let one = || parcel(Signal::Traces, &[spans(&[(1, "a")])]);
    let two = || parcel(Signal::Traces, &[spans(&[(1, "a"), (1, "b")])]);
    let answers = async |error: RDKafkaRespErr, times: usize, parcel: &Parcel| {
        let cluster = cluster(1);
        let sink = of(&cluster, "timeout: 3s\n");
        cluster.request_errors(RDKafkaApiKey::Produce, &vec![error; times]);
        sink.deliver(parcel).await
    };
    use RDKafkaRespErr as Error;
    let too_large = Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    assert_eq!(answers(too_large, 1, &two()).await, Err(Refusal::TooLarge { max: None }));
    assert!(matches!(answers(too_large, 1, &one()).await, Err(Refusal::Never { .. })));
    assert!(matches!(answers(Error::RD_KAFKA_RESP_ERR_INVALID_RECORD, 1, &one()).await, Err(Refusal::Never { .. })));
    assert_eq!(answers(Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 2, &one()).await, Ok(()), "librdkafka tries that again by itself");
    let denied = answers(Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 1, &one()).await;
    assert!(matches!(&denied, Err(Refusal::Later { why: Why(why), .. }) if why.contains("Topic authorization failed")), "{denied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_down_stops_nothing_but_the_parcel() {
    let sink = sink("127.0.0.1:9", "timeout: 1s\n");
    assert_eq!(sink.open().await.unwrap()[0].what, "OTLP to topic telemetry of Kafka at 127.0.0.1:9");
    for refused in [sink.deliver(&parcel(Signal::Traces, &[spans(&[(1, "a")])])).await, sink.probe().await] {
        let refused = refused.unwrap_err();
        assert!(matches!(&refused, Refusal::Later { why: Why(why), .. } if why.contains("Connection refused")), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_broker_took_is_not_sent_again_when_another_comes_back() {
    let cluster = cluster(2);
    for partition in 0..4 {
        cluster.partition_leader("telemetry", partition, Some(1 + partition % 2)).unwrap();
    }
    let sink = of(&cluster, "timeout: 3s\n");
    let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let traces: Vec<(u32, &str)> = names.iter().enumerate().map(|(n, name)| (n as u32 + 1, name.as_str())).collect();
    let parcel = parcel(Signal::Traces, &[spans(&traces)]);
    cluster.broker_down(2).unwrap();
    assert!(matches!(sink.deliver(&parcel).await, Err(Refusal::Later { .. })));
    cluster.broker_up(2).unwrap();
    while let Err(refused) = sink.deliver(&parcel).await {
        assert!(matches!(refused, Refusal::Later { .. }), "{refused:?}");
    }
    let messages = read(&cluster.bootstrap_servers(), "telemetry");
    let got: Vec<String> = messages.iter().flat_map(texts).collect();
    assert_eq!(got.len(), 100, "each once");
    assert_eq!(got.into_iter().collect::<BTreeSet<_>>(), names.into_iter().collect());
    assert_eq!(messages.iter().map(|message| message.partition).collect::<BTreeSet<_>>(), (0..4).collect());
}

#[test]
fn what_is_reported_after_the_attempt_was_cut_off_is_not_sent_again() {
    let Parcel { flow: Flow::Batch(batch) } = parcel(Signal::Traces, &[spans(&[(1, "a"), (2, "b")])]) else { unreachable!() };
    let form = Form { by: By::Key, json: false, bytes_max: 1_000_000 };
    let left = Left::all(&batch, parcel::prepare(&batch, form, |_| 0).unwrap());
    let (first, second, aside) = (left.reports.ticket(0), left.reports.ticket(1), Mutex::new(None));
    first.answered(Ok(()));
    drop(Attempt::new(left, &aside));
    let again = aside.lock().take().unwrap();
    assert!(again.is_of(&batch) && again.reports.is_taken(0) && !again.reports.is_taken(1));
    second.answered(Ok(()));
    assert!(again.reports.is_taken(1));
    Attempt::new(again, &aside).end();
    assert!(aside.lock().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_that_is_larger_than_what_may_wait_waits_for_room() {
    let cluster = cluster(1);
    let sink = of(&cluster, "compression: none\ntimeout: 60s\n");
    let long = "x".repeat(100_000);
    let traces: Vec<(u32, &str)> = (1..=250).map(|trace| (trace, long.as_str())).collect();
    let parcel = parcel(Signal::Traces, &[spans(&traces)]);
    assert!(parcel.flow.bytes() > QUEUE_KIB_MAX << 10);
    sink.deliver(&parcel).await.unwrap();
    // The mock forgets the oldest of what a partition has over 5 MiB, and counts on.
    let ends: BTreeMap<i32, i64> = read(&cluster.bootstrap_servers(), "telemetry").iter().map(|m| (m.partition, m.offset + 1)).collect();
    assert_eq!(ends.into_values().sum::<i64>(), 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_ends_lets_go_of_its_producer() {
    let cluster = cluster(1);
    let sink = of(&cluster, "");
    sink.open().await.unwrap();
    sink.probe().await.unwrap();
    let (stop, stopped) = Stop::pair();
    stop.send_replace(true);
    sink.run(stopped).await.unwrap();
}

#[test]
fn what_cannot_be_is_said_at_its_place() {
    let table = [
        ("brokers: []\ntopic: t\n", "there is no broker to ask"),
        ("brokers: [kafka]\ntopic: t\n", "`kafka` is no HOST:PORT; did you mean `kafka:9092`?"),
        ("brokers: [\"a:1\"]\ntopic: \"{kind}\"\n", "`{kind}` stands for nothing in the name of a topic"),
        ("brokers: [\"a:1\"]\ntopic: t\nmessage_bytes_max: 10B\n", "a message has from 1000 bytes to 1 GB"),
        ("brokers: [\"a:1\"]\ntopic: t\ntimeout: 1ms\n", "brokers take some time to answer"),
        (
            "brokers: [\"a:1\"]\ntopic: t\ntimeout: 1s\nlinger: 1s\n",
            "a message that waits half its `timeout` for others has little time left",
        ),
        ("brokers: [\"a:1\"]\ntopic: t\ntls: { cert: a.pem }\n", "`cert` is shown with its `key`; set both"),
        ("brokers: [\"a:1\"]\ntopic: t\ntls: { ca: /no/such.pem }\n", "/no/such.pem: there is no such file"),
    ];
    for (config, said) in table {
        let faults = build::<Kafka>(config, Kinds::RECORDS).err().unwrap();
        assert_eq!(faults[0].what, said);
    }
}
