//! Messages as their writers write them, and any others.

use super::{json, records, syslog, text, time_of};
use crate::{Limits, Signal, Time, check};
use bytes::Bytes;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    logs::v1::LogRecord,
};
use proptest::prelude::*;
use prost::Message as _;

const READ: Time = Time(1_764_400_000_000_000_000);

fn pairs(attributes: &[KeyValue]) -> Vec<String> {
    let shown = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => format!("{}={text}", pair.key),
        Some(Value::IntValue(number)) => format!("{}={number}", pair.key),
        other => format!("{}={other:?}", pair.key),
    };
    attributes.iter().map(shown).collect()
}

/// The resource and the record of each.
fn all(request: Option<Bytes>) -> Vec<(Vec<String>, LogRecord)> {
    let request = ExportLogsServiceRequest::decode(request.unwrap()).unwrap();
    let groups = request.resource_logs.into_iter().flat_map(|group| {
        let resource = pairs(&group.resource.unwrap_or_default().attributes);
        group.scope_logs.into_iter().flat_map(|scope| scope.log_records).map(move |record| (resource.clone(), record)).collect::<Vec<_>>()
    });
    groups.collect()
}

fn body(record: &LogRecord) -> String {
    match &record.body.as_ref().unwrap().value {
        Some(Value::StringValue(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn text_is_one_record_however_many_lines_it_has() {
    let found = all(text(b"ERROR no\n  at here\n", READ));
    assert_eq!((found.len(), body(&found[0].1).as_str(), found[0].1.severity_number), (1, "ERROR no\n  at here", 17));
    assert_eq!((text(b" \n", READ), text(b"", READ)), (None, None));
}

#[test]
fn syslog_of_rfc_5424_is_taken_apart() {
    let message = r#"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog 1370 ID47 [exampleSDID@32473 iut="3" eventSource="Appli\"cation"][x@1 a="b"] An application event"#;
    let (resource, record) = all(syslog(message.as_bytes(), READ)).remove(0);
    assert_eq!(resource, ["host.name=mymachine.example.com", "service.name=evntslog"]);
    assert_eq!((body(&record).as_str(), record.severity_text.as_str(), record.severity_number), ("An application event", "notice", 10));
    assert_eq!((record.time_unix_nano, record.observed_time_unix_nano), (1_065_910_455_003_000_000, READ.0));
    let expected = [
        "syslog.facility.code=20",
        "process.pid=1370",
        "syslog.msg.id=ID47",
        "syslog.structured_data.exampleSDID@32473.iut=3",
        "syslog.structured_data.exampleSDID@32473.eventSource=Appli\"cation",
        "syslog.structured_data.x@1.a=b",
    ];
    assert_eq!(pairs(&record.attributes), expected);
    let (resource, record) = all(syslog(b"<34>1 - - su - - - 'su root' failed", READ)).remove(0);
    assert_eq!((resource, body(&record).as_str(), record.time_unix_nano), (vec!["service.name=su".to_owned()], "'su root' failed", 0));
}

#[test]
fn syslog_as_it_was_before_is_taken_apart_as_far_as_it_goes() {
    for (message, resource, text) in [
        ("<34>Oct 11 22:14:15 mymachine su[7]: 'su root' failed", vec!["host.name=mymachine", "service.name=su"], "'su root' failed"),
        ("<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", vec!["host.name=10.0.0.99"], "Use the BFG!"),
        ("<13>2026-11-29T10:00:00+01:00 node kernel: oops", vec!["host.name=node", "service.name=kernel"], "oops"),
        ("<13>nothing of it", vec![], "nothing of it"),
    ] {
        let (found, record) = all(syslog(message.as_bytes(), READ)).remove(0);
        assert_eq!((found, body(&record).as_str()), (resource.into_iter().map(str::to_owned).collect(), text), "{message}");
    }
    let (_, record) = all(syslog(b"<999>no priority", READ)).remove(0);
    assert_eq!(body(&record), "<999>no priority", "it is text");
}

#[test]
fn an_object_is_a_record_with_its_time_and_level() {
    let (_, record) =
        all(json(br#"{"@timestamp":1700000000.25,"log":"no","level":"error","kubernetes":{"pod":"a"}}"#, READ).unwrap()).remove(0);
    assert_eq!((record.time_unix_nano, record.severity_number), (1_700_000_000_250_000_000, 17));
    assert!(body(&record).contains("kubernetes"));
    assert_eq!(all(json(br#"[{"a":1},{"a":2}]"#, READ).unwrap()).len(), 2);
    assert_eq!(json(b"[]", READ).unwrap(), None);
    let what = |message: &[u8]| json(message, READ).unwrap_err().what;
    assert!(what(&[0x92, 0xcb]).contains("MessagePack"));
    assert!(what(b"{").starts_with("it is no JSON"));
    assert_eq!(what(b"[1]"), "it is JSON, but no object and no list of objects");
}

#[test]
fn times_are_read_by_their_size() {
    let time = |json: &str| time_of(&serde_json::from_str(json).unwrap()).map(|time| time.0);
    for text in ["1700000000", "1700000000000", "1700000000000000", "1700000000000000000", "\"2023-11-14T22:13:20Z\""] {
        assert_eq!(time(text), Some(1_700_000_000_000_000_000), "{text}");
    }
    for text in ["-1", "0", "1e300", "null", "\"yesterday\""] {
        assert_eq!(time(text), None, "{text}");
    }
}

#[test]
fn records_that_a_cloud_exports_are_unpacked_each_with_its_resource() {
    let message = br#"{"records":[
        {"time":"2026-11-29T10:00:00Z","resourceId":"/A","category":"Audit","level":"Warning","properties":{"x":1}},
        {"time":"2026-11-29T10:00:01Z","resourceId":"/B","category":"Audit","level":"Informational"},
        {"time":"2026-11-29T10:00:02Z","resourceId":"/A"}]}"#;
    let found = all(records(message, READ).unwrap());
    let told: Vec<_> = found.iter().map(|(resource, record)| (resource.last().unwrap().as_str(), record.severity_number)).collect();
    assert_eq!(told, [("cloud.resource_id=/A", 13), ("cloud.resource_id=/A", 0), ("cloud.resource_id=/B", 9)]);
    assert_eq!(found[0].1.time_unix_nano, 1_795_946_400_000_000_000);
    let trail = all(records(br#"{"Records":[{"eventTime":"2026-11-29T10:00:00Z","eventName":"PutObject"}]}"#, READ).unwrap());
    assert_eq!((trail.len(), trail[0].1.time_unix_nano), (1, 1_795_946_400_000_000_000));
    assert_eq!(records(br#"{"a":[]}"#, READ).unwrap_err().what, "it is no object with a list `records`");
}

proptest! {
    #[test]
    fn whatever_comes_is_legal_or_refused(message in prop::collection::vec(any::<u8>(), 0..200), text_like in "(<[0-9]{1,3}>1? ?)?[-\\[\\]=\" a-zA-Z0-9:.\\\\{}]{0,80}") {
        for message in [message.as_slice(), text_like.as_bytes()] {
            let requests = [text(message, READ), syslog(message, READ), json(message, READ).ok().flatten(), records(message, READ).ok().flatten()];
            for request in requests.into_iter().flatten() {
                let (_, counts) = check(Signal::Logs, request, &Limits::default()).unwrap();
                prop_assert!(counts.records > 0);
            }
        }
    }
}
