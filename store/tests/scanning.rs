//! Filters, orders, limits and columns, the same over memory and over files.

use super::sample::{SECOND, START, attribute, column_of, log, logs_flow, open, span, spans_flow, text};
use crate::{Filter, Ints, Order, Scalar, Scan, Store, Table};
use journal::{Disk, simulated::SimulatedDisk};
use opentelemetry_proto::tonic::{common::v1::any_value::Value, trace::v1::Span};
use signal::TraceId;
use std::{path::Path, sync::Arc};

/// Twenty spans; the first ten in a file, the rest in memory.
async fn store() -> Arc<Store> {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = open(&disk, Path::new("/data/store"));
    for half in 0..2_u8 {
        let spans = (1..=10).map(|n| {
            let n = half * 10 + n;
            let mixed = if n % 2 == 0 { Value::IntValue(200) } else { Value::StringValue("200".into()) };
            let attributes = vec![
                text("route", if n % 5 == 0 { "/slow" } else { "/fast" }),
                attribute("code", mixed),
                attribute("ratio", Value::DoubleValue(f64::from(n) / 2.0)),
            ];
            Span { attributes, ..span(n, n, u64::from(n)) }
        });
        store.append(&spans_flow(spans.collect(), None)).await.unwrap();
        if half == 0 {
            store.flush().unwrap();
        }
    }
    store
}

fn found(store: &Store, filters: Vec<Filter>) -> Vec<u8> {
    let scan = Scan { filters, columns: Some(vec!["span_id".into()]), ..Scan::of(Table::Spans) };
    column_of(store, &scan, "span_id", true).iter().map(|id| u8::from_str_radix(&id[..2], 16).unwrap()).collect()
}

fn equals(column: &str, scalar: Scalar) -> Filter {
    Filter::Equals(column.into(), scalar)
}

#[tokio::test]
async fn each_filter_finds_the_same_in_memory_and_in_files() {
    let store = store().await;
    assert_eq!(found(&store, vec![Filter::TraceId(TraceId([3; 16]))]), [3]);
    assert_eq!(found(&store, vec![Filter::TraceId(TraceId([13; 16]))]), [13]);
    assert_eq!(found(&store, vec![Filter::TraceId(TraceId([33; 16]))]), [0; 0]);
    assert_eq!(found(&store, vec![Filter::TraceIdPrefix("0F0f".into())]), [15]);
    assert_eq!(found(&store, vec![equals("attributes.route", Scalar::Text("/slow".into()))]), [5, 10, 15, 20]);
    assert_eq!(
        found(&store, vec![equals("attributes.code", Scalar::Text("200".into()))]).len(),
        20,
        "text equals the number that is written like it"
    );
    assert_eq!(found(&store, vec![equals("attributes.code", Scalar::Int(200))]), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
    assert_eq!(found(&store, vec![Filter::AtLeast("attributes.ratio".into(), Scalar::Int(9))]), [18, 19, 20]);
    assert_eq!(found(&store, vec![Filter::AtMost("attributes.ratio".into(), Scalar::Float(0.5))]), [1]);
    assert_eq!(found(&store, vec![Filter::Contains("name".into(), "n 7".into())]), [7]);
    assert_eq!(found(&store, vec![equals("resource.service.name", Scalar::Text("shop".into()))]).len(), 20);
    assert_eq!(found(&store, vec![equals("service", Scalar::Text("shop".into())), equals("attributes.missing", Scalar::Int(1))]), [0; 0]);
    let slow = equals("attributes.route", Scalar::Text("/slow".into()));
    assert_eq!(found(&store, vec![Filter::AnyOf(vec![slow.clone(), Filter::TraceId(TraceId([1; 16]))])]), [1, 5, 10, 15, 20]);
    assert_eq!(found(&store, vec![Filter::Not(Box::new(slow))]).len(), 16);
}

#[tokio::test]
async fn times_are_from_and_before() {
    let store = store().await;
    let scan = Scan { from: START + 9 * SECOND, to: START + 12 * SECOND, ..Scan::of(Table::Spans) };
    assert_eq!(column_of(&store, &scan, "name", true), ["span 10", "span 11", "span 9"]);
}

#[tokio::test]
async fn an_order_and_a_limit_give_the_first_rows() {
    let store = store().await;
    let scan = |order, limit| Scan { order, limit, columns: Some(vec!["name".into()]), ..Scan::of(Table::Spans) };
    assert_eq!(column_of(&store, &scan(Order::Oldest, 3), "name", false), ["span 1", "span 2", "span 3"]);
    assert_eq!(column_of(&store, &scan(Order::Newest, 12), "name", false)[9..], ["span 11", "span 10", "span 9"]);
    assert_eq!(column_of(&store, &scan(Order::Any, 7), "name", false).len(), 7);
    assert_eq!(column_of(&store, &scan(Order::Newest, 0), "name", false).len(), 0);
    let batches = store.scan(&scan(Order::Newest, 1)).unwrap().collect_all().unwrap();
    assert_eq!(batches[0].num_columns(), 1, "the time that it was ordered by was not asked for");
}

#[tokio::test]
async fn the_columns_asked_for_are_given() {
    let store = store().await;
    let columns = vec!["duration_nano".to_owned(), "attributes.code".to_owned(), "attributes".to_owned(), "attributes.none".to_owned()];
    let scan = Scan { columns: Some(columns.clone()), filters: vec![Filter::TraceId(TraceId([4; 16]))], ..Scan::of(Table::Spans) };
    let batch = store.scan(&scan).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>(), columns);
    assert_eq!(Ints::of(&batch, "duration_nano").get(0), Some(1_000_000));
    let text = |name: &str| crate::Texts::of(&batch, name).get(0).map(str::to_owned);
    assert_eq!(text("attributes.code").as_deref(), Some("200"));
    let whole: serde_json::Value = serde_json::from_str(&text("attributes").unwrap()).unwrap();
    assert_eq!(whole, serde_json::json!({ "route": "/fast", "code": 200, "ratio": 2.0 }));
    assert_eq!(text("attributes.none"), None);
}

#[tokio::test]
async fn a_column_that_is_not_there_is_refused_by_name() {
    let store = store().await;
    let scan = Scan { filters: vec![equals("nmae", Scalar::Int(1))], ..Scan::of(Table::Spans) };
    let refused = store.scan(&scan).err().unwrap().to_string();
    assert!(refused.starts_with("table spans has no column `nmae`; it has trace_id, span_id,"), "{refused}");
}

#[tokio::test]
async fn many_small_appends_are_merged_in_memory() {
    let disk: Arc<dyn Disk> = Arc::new(SimulatedDisk::new());
    let store = open(&disk, Path::new("/data/store"));
    for n in 0..500_u64 {
        store.append(&logs_flow(vec![log(n, &format!("{n:03}"))], None)).await.unwrap();
    }
    let batches = store.scan(&Scan::of(Table::Logs)).unwrap().collect_all().unwrap();
    assert!(batches.len() < 50, "{} batches", batches.len());
    let scan = Scan { order: Order::Oldest, limit: 500, ..Scan::of(Table::Logs) };
    let lines = column_of(&store, &scan, "body", false);
    assert!(lines.len() == 500 && lines.windows(2).all(|w| w[0] < w[1]));
}
