//! Answers that go on.

use super::sample::{Site, TRACE, logs};
use axum::{
    body::{Body, BodyDataStream},
    extract::Request,
};
use futures::StreamExt;
use serde_json::Value;
use signal::Signal;
use std::time::Duration;
use tower::ServiceExt;

async fn follow(site: &Site, path: &str) -> BodyDataStream {
    let answer = site.router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    answer.into_body().into_data_stream()
}

async fn lines(stream: &mut BodyDataStream) -> Option<Vec<Value>> {
    let told = tokio::time::timeout(Duration::from_secs(5), stream.next()).await.expect("nothing comes");
    told.map(|told| told.unwrap().split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).unwrap()).collect())
}

fn messages(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["message"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_told_as_they_come_each_once_and_late_ones_too() {
    let site = Site::new().await;
    let mut stream = follow(&site, "/api/v1/logs?follow=true&service=payment").await;
    assert_eq!(messages(&lines(&mut stream).await.unwrap()), ["card declined: insufficient funds", "order 7 dropped"]);
    site.append(Signal::Logs, &logs(&[(40, TRACE, "INFO", "next"), (3, TRACE, "INFO", "late")])).await;
    assert_eq!(messages(&lines(&mut stream).await.unwrap()), ["late", "next"]);
    site.stop.send_replace(true);
    assert_eq!(lines(&mut stream).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_answer_left_out_does_not_come_later() {
    let site = Site::new().await;
    let mut stream = follow(&site, "/api/v1/logs?follow=true&limit=1").await;
    assert_eq!(messages(&lines(&mut stream).await.unwrap()), ["order 7 dropped"]);
    site.append(Signal::Logs, &logs(&[(40, TRACE, "INFO", "next")])).await;
    assert_eq!(messages(&lines(&mut stream).await.unwrap()), ["next"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_from_the_future_does_not_hide_the_present() {
    let site = Site::new().await;
    let mut stream = follow(&site, "/api/v1/logs?follow=true&text=tick").await;
    for (second, expected) in [(9_000_000, "tick in the future"), (30, "tick now")] {
        site.append(Signal::Logs, &logs(&[(second, TRACE, "INFO", expected)])).await;
        assert_eq!(messages(&lines(&mut stream).await.unwrap()), [expected]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_are_bounded_and_leave_their_place() {
    let site = Site::new().await;
    let mut all = Vec::new();
    for _ in 0..32 {
        all.push(follow(&site, "/api/v1/traces?follow=true").await);
    }
    assert_eq!(site.json("/api/v1/traces?follow=true").await.0, 429);
    all.pop();
    let mut stream = follow(&site, "/api/v1/traces?follow=true").await;
    assert_eq!(lines(&mut stream).await.unwrap()[0]["trace_id"], TRACE);
}
