//! Edits on known spans, where what has to come out can be written down.

use crate::{Ack, Batch, Chunk, Edit, Item, Ordinals, Record, Signal, Time, Value, arbitrary};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

fn batch(spans: usize) -> Batch {
    let chunk = Chunk::new(arbitrary::checked(&arbitrary::spans(spans)), spans, None, Ordinals::From(0), Time(1));
    Batch::new(Signal::Traces, chunk, Ack::none())
}

fn decoded(batch: &Batch) -> ExportTraceServiceRequest {
    let bytes: Vec<u8> = batch.chunks().iter().flat_map(|c| c.bytes().bytes().to_vec()).collect();
    ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap()
}

fn number(record: &Record<'_>) -> usize {
    let Item::Span(span) = record.item else { return 0 };
    span.name().trim_start_matches("span ").parse().unwrap()
}

#[test]
fn an_edit_that_asks_for_nothing_copies_nothing() {
    let mut batch = batch(4);
    let before = batch.chunks()[0].bytes().bytes().as_ptr();
    assert_eq!(batch.edit(|_, edit| edit.clear()), 0);
    assert_eq!(batch.chunks()[0].bytes().bytes().as_ptr(), before);
}

#[test]
fn an_attribute_is_replaced_in_its_place_and_a_new_one_comes_last() {
    let mut batch = batch(2);
    batch.edit(|record, edit| {
        if number(&record) == 1 {
            edit.set_attribute("http.route", Value::Int(7));
            edit.set_attribute("new", Value::Bool(false));
            edit.set_attribute("new", "last wins".into());
        }
    });
    let mut want = arbitrary::spans(2);
    let attributes = &mut want.resource_spans[1].scope_spans[0].spans[0].attributes;
    attributes[0].value = Some(opentelemetry_proto::tonic::common::v1::AnyValue {
        value: Some(opentelemetry_proto::tonic::common::v1::any_value::Value::IntValue(7)),
    });
    attributes.push(arbitrary::pair("new", "last wins"));
    assert_eq!(decoded(&batch), want);
}

#[test]
fn the_same_for_all_is_what_each_is_given_one_by_one() {
    let ask = |edit: &mut Edit| {
        edit.set_attribute("http.route", Value::Int(7));
        edit.remove_attribute("gone");
        edit.set_resource_attribute("env", "prod".into());
    };
    let (mut one_by_one, mut together, mut same) = (batch(5), batch(5), Edit::default());
    ask(&mut same);
    for name in [None, Some("renamed")] {
        name.into_iter().for_each(|name| same.set_name(name));
        one_by_one.edit(|_, edit| {
            ask(edit);
            name.into_iter().for_each(|name| edit.set_name(name));
        });
        assert_eq!(together.edit_all(&same), 0);
        assert_eq!(decoded(&one_by_one), decoded(&together));
    }
}

#[test]
fn a_resource_is_patched_once_when_all_ask_for_the_same() {
    let mut batch = batch(4);
    batch.edit(|record, edit| {
        if record.resource.service() == "shop" {
            edit.set_resource_attribute("env", "prod".into());
        }
    });
    let mut want = arbitrary::spans(4);
    want.resource_spans[0].resource.as_mut().unwrap().attributes.push(arbitrary::pair("env", "prod"));
    assert_eq!(decoded(&batch), want);
    assert_eq!(batch.chunks()[0].ordinals(), &Ordinals::From(0));
}

#[test]
fn records_that_differ_move_to_a_group_of_their_own_with_their_ordinals() {
    let mut batch = batch(8);
    batch.edit(|record, edit| match number(&record) {
        0 => edit.discard(),
        n if n % 2 == 1 => edit.set_resource_attribute("odd", "yes".into()),
        _ => {}
    });
    let names: Vec<usize> = batch.records().map(|record| number(&record)).collect();
    assert_eq!(names, [2, 1, 3, 4, 6, 5, 7]);
    let ordinals: Vec<u32> = (0..7).map(|n| batch.chunks()[0].ordinal(n)).collect();
    assert_eq!(ordinals, [2, 1, 3, 4, 6, 5, 7]);
    for record in batch.records() {
        let odd = record.resource.attributes().get("odd").is_some();
        assert_eq!(odd, number(&record) % 2 == 1);
    }
    assert_eq!(decoded(&batch).resource_spans.len(), 4);
}
