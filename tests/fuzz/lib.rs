//! What must hold for any input. The targets only name the input's type, so each property can be tried in a debugger with one call.

mod alerts;
mod expression;
mod grpc;
mod journal;
mod yaml;

pub use alerts::{Left, a_ruler_begins_from_any_folder};
pub use expression::{Record, a_condition_answers_or_is_refused, a_program_leaves_what_check_takes};
pub use grpc::{Call, a_call_has_one_message_or_a_status};
pub use journal::{Damage, a_damaged_log_gives_nothing_that_was_not_written};
pub use yaml::a_pipeline_is_read_or_refused;

use bytes::Bytes;
use prost::Message;
use signal::{
    Ack, Batch, Chunk, Decision, Limits, Ordinals, Signal, SpanId, Time, TraceId, check,
    codec::{
        foreign, json,
        line::{Joiner, LINE_BYTES_MAX, LineLogs, Said},
        origins::Origins,
    },
    ids,
    tracestate::{self, Told},
    view::Item,
};

/// Prost stops at 100 messages within messages, and a map's level takes three.
fn limits() -> Limits {
    Limits { nesting_max: 24, ..Limits::default() }
}

/// Bytes that `check` takes: prost takes them, checking them again changes nothing, the views see every record that was counted, and their JSON reads back as itself.
pub fn what_is_checked_is_read<Request: Message + Default>(signal: Signal, raw: &[u8]) {
    let Ok((checked, counts)) = check(signal, Bytes::copy_from_slice(raw), &limits()) else { return };
    let decoded = Request::decode(checked.bytes().clone());
    assert!(decoded.is_ok(), "prost refuses checked bytes: {:?}", decoded.err());
    let again = check(signal, checked.bytes().clone(), &limits());
    assert!(
        again.is_ok_and(|(same, count)| same == checked && count.records == counts.records && count.rejected == 0),
        "checking again differs"
    );
    let text = json::of_protobuf(signal, &checked);
    json_comes_back(signal, &text);
    let chunk = Chunk::new(checked, counts.records, None, Ordinals::From(0), Time(0));
    let batch = Batch::new(signal, chunk, Ack::none());
    assert_eq!(batch.records().count(), counts.records, "the views see other records than were counted");
    for record in batch.records() {
        let attributes = record.attributes().iter().chain(record.resource.attributes().iter()).chain(record.scope.attributes().iter());
        attributes.for_each(|(_, value)| drop(value.display()));
        if let Item::Log(log) = record.item {
            assert!(ids::find(&log).is_none_or(|found| found.trace != TraceId::default()));
            assert_ne!(ids::candidate(&log), Some(TraceId::default()));
        }
    }
}

/// JSON that we wrote: reading it and writing it again gives the same text.
fn json_comes_back(signal: Signal, text: &str) {
    let bytes = json::to_protobuf(signal, text.as_bytes()).expect("what we wrote ourselves is read");
    let (checked, _) = check(signal, bytes, &limits()).expect("what was checked before is taken");
    assert_eq!(json::of_protobuf(signal, &checked), text);
}

/// Any text as OTLP/JSON: what is taken is JSON by serde_json's measure too, and reads back as itself once it was checked.
pub fn json_is_json(signal: Signal, text: &[u8]) {
    match json::to_protobuf(signal, text) {
        Ok(bytes) => {
            let read = serde_json::from_slice::<serde::de::IgnoredAny>(text);
            assert!(read.is_ok(), "taken, but no JSON: {read:?}");
            if let Ok((checked, _)) = check(signal, bytes, &limits()) {
                json_comes_back(signal, &json::of_protobuf(signal, &checked));
            }
        }
        Err(wrong) => assert!(wrong.offset <= text.len() && !wrong.path.is_empty() && !wrong.what.is_empty(), "{wrong}"),
    }
}

/// Ids in any text: what is found is an id.
pub fn found_ids_are_ids(text: &str) {
    if let Some(found) = ids::find_in_text(text) {
        assert_ne!(found.trace, TraceId::default());
        assert_ne!(found.span, Some(SpanId::default()));
    }
    assert_ne!(ids::candidate_in_text(text), Some(TraceId::default()));
}

/// Any tracestate: what is read is within 56 bits, what is written is read back and stays as it is when it is written again, and others' entries stay, as far as
/// a list has room for them.
pub fn a_tracestate_tells_what_was_written(state: &str, threshold: Option<u64>, randomness: Option<u64>) {
    let read = tracestate::read(state);
    assert!(read.threshold.into_iter().chain(read.randomness).all(|number| number < Decision::DROP), "{read:?}");
    assert!(read.threshold.is_none() || tracestate::has_threshold(state));
    let [threshold, randomness] = [threshold, randomness].map(|number| number.map(|number| number % Decision::DROP));
    let told = Told { threshold, randomness };
    let new = tracestate::written(state, told);
    assert_eq!(tracestate::read(&new), told, "{new}");
    assert_eq!(tracestate::written(&new, told), new, "writing the same again changes it");
    let others = |state: &str| -> Vec<String> {
        state.split(',').map(str::trim).filter(|entry| !entry.is_empty() && !entry.starts_with("ot=")).map(str::to_owned).collect()
    };
    let (was, is) = (others(state), others(&new));
    assert!(is.len() <= 32 && was.get(..is.len()) == Some(is.as_slice()) && (is.len() == was.len() || is.len() >= 31), "{new}");
}

/// Any header of a Kafka message: what is read is about as many records as the message has, and written again it reads the same.
pub fn an_origin_header_is_read_or_refused(header: &[u8], records: usize) {
    let Ok(origins) = Origins::decode(header, records) else { return };
    assert_eq!(origins.pieces.iter().map(|piece| piece.records as usize).sum::<usize>(), records);
    let again = Origins::decode(&origins.encode(), records).expect("what we wrote ourselves is read");
    assert_eq!(again.encode(), origins.encode());
}

/// Any message of somebody else's, in every form in which it may be read: what is made of it is legal.
pub fn a_foreign_message_becomes_legal_logs(message: &[u8]) {
    let read = Time(1);
    let (json, records) = (foreign::json(message, read), foreign::records(message, read));
    let all = [foreign::text(message, read), foreign::syslog(message, read), json.ok().flatten(), records.ok().flatten()];
    for request in all.into_iter().flatten() {
        check(Signal::Logs, request, &Limits::default()).expect("what we made ourselves is legal");
    }
}

/// Any line of a container's file: what is taken apart is in it, and a line of neither form is left as it is.
pub fn a_container_line_is_taken_apart(line: &[u8]) {
    let (said, plain) = (Said::of_container(line), Said::plain(line));
    if said != plain && line.first() != Some(&b'{') {
        assert!(plain.text.ends_with(&*said.text) || said.repaired, "{said:?}");
    }
}

/// Any output of a process: joining loses no line, every record is one that `check` takes, and none is longer than allowed.
pub fn lines_become_records(output: &str) {
    let mut joiner = Joiner::new();
    let mut records: Vec<_> = output.split('\n').filter_map(|line| joiner.push(line, Time(1))).collect();
    records.extend(joiner.flush());
    let lines = |text: &str| {
        text.split('\n').map(|line| line.trim_end_matches('\r').to_owned()).filter(|line| !line.trim_start().is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(records.iter().flat_map(|record| lines(&record.text)).collect::<Vec<_>>(), lines(output));
    let mut logs = LineLogs::new(vec![("service.name".to_owned(), "fuzz".into())]);
    records.iter().for_each(|record| logs.push(&record.text, record.first, "stdout"));
    assert!(logs.bytes() <= logs.len() * LINE_BYTES_MAX);
    let records = logs.len();
    let Some(request) = logs.take() else { return };
    let (_, counts) = check(Signal::Logs, request, &Limits::default()).expect("our own request is well formed");
    assert_eq!((counts.records, counts.rejected), (records, 0), "{:?}", counts.why);
}

/// An answer of a DNS server, whatever it says, is cut off nowhere and read nowhere else.
pub fn every_address_of_a_dns_answer_has_its_bytes(answer: &[u8]) {
    if let Ok(found) = net::dns::in_answer(answer) {
        assert!(found.len() <= answer.len() / 10, "more addresses than bytes for them");
    }
}
