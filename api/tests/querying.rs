//! Traces, logs, one trace, and why.

use super::sample::{START, Site, TRACE};
use crate::guard::Guard;
use pipeline::Decisions;
use query::{Answer, Why};
use serde_json::json;
use signal::{Decision, Time, TraceId};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn traces_and_logs_are_found_by_what_is_asked() {
    let site = Site::new().await;
    for (query, found) in [
        ("", 1),
        ("?status=error&service=payment&min_duration=100ms", 1),
        ("?attribute=http.route=/checkout", 1),
        ("?attribute=http.route=/pay", 0),
        ("?min_duration=1s", 0),
        ("?since=10s", 0),
    ] {
        let (code, body) = site.json(&format!("/api/v1/traces{query}")).await;
        assert_eq!((code, body["traces"].as_array().map(Vec::len)), (200, Some(found)), "{query}: {body}");
    }
    for (query, found) in [("", 2), ("?status=error", 1), ("?text=dropped", 1), ("?service=frontend", 0), ("?limit=1", 1)] {
        let (code, body) = site.json(&format!("/api/v1/logs{query}")).await;
        assert_eq!((code, body["logs"].as_array().map(Vec::len)), (200, Some(found)), "{query}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_explains_the_last_failure_by_word_and_by_prefix() {
    let site = Site::new().await;
    for id in ["last", "3f2a", TRACE] {
        let (code, body) = site.json(&format!("/api/v1/why/{id}")).await;
        assert_eq!(code, 200, "{body}");
        let why: Why = serde_json::from_value(body).unwrap();
        let path: Vec<&str> = why.path.iter().map(|step| step.service.as_str()).collect();
        assert_eq!(path, ["frontend", "payment"]);
        assert_eq!(why.path[1].message.as_deref(), Some("card declined"));
        assert_eq!(why.path[1].logs[0].message, "card declined: insufficient funds");
    }
    let (code, body) = site.json("/api/v1/trace/3f2a").await;
    assert_eq!((code, body["spans"].as_array().map(Vec::len)), (200, Some(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_was_discarded_lately_is_told_with_its_rule_with_a_store_or_without() {
    for site in [Site::new().await, Site::bare(Guard::none())] {
        let decisions = site.world.pool.get_or("", || Ok::<_, ()>(Arc::new(Decisions::new(0)))).unwrap();
        let decision = |id: u8, rule: &str, threshold: u64| Decision {
            trace_id: TraceId([id; 16]),
            threshold,
            node: "kept".into(),
            rule: rule.into(),
            through: None,
            pinned: false,
            at: Time(START),
            randomness: None,
        };
        decisions.note(&[decision(0x11, "rest", 0xe6666 << 36), decision(0x12, "probes", Decision::DROP)]);
        for (id, rule, threshold) in [("11111111111111111111111111111111", "rest", json!("e6666")), ("1212", "probes", json!(null))] {
            let (code, body) = site.json(&format!("/api/v1/why/{id}")).await;
            assert_eq!(code, 200, "{body}");
            let decided = &body["decided"][0];
            assert_eq!((&decided["rule"], &decided["threshold"], &decided["kept"]), (&json!(rule), &threshold, &json!(false)), "{body}");
            assert!(matches!(serde_json::from_value(body), Ok(Answer::Decided { .. })));
        }
        assert_eq!(site.json("/api/v1/why/13").await.0, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_no_question_is_said_in_words() {
    let site = Site::new().await;
    for (path, status, words) in [
        ("/api/v1/why/dead", 404, "no trace `dead` is here; the store has 2 spans and 2 logs"),
        ("/api/v1/why/xyz", 400, "`xyz` is no trace id"),
        ("/api/v1/logs?status=loud", 400, "`loud` is no level"),
        ("/api/v1/logs?min_duration=1s", 400, "unknown parameter `min_duration`"),
        ("/api/v1/traces?store=other", 404, "there is no store `other`; there is `data/store`"),
    ] {
        let (code, body) = site.json(path).await;
        assert_eq!(code, status, "{path}");
        let said = body["error"].as_str().unwrap();
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_stores_one_has_to_be_named() {
    let site = Site::new().await;
    let _other = site.open("data/other");
    let (code, body) = site.json("/api/v1/logs").await;
    assert_eq!(
        (code, body["error"].as_str().unwrap()),
        (400, "there are several stores: `data/other`, `data/store`; say which with `store=KEY`")
    );
    let (code, body) = site.json("/api/v1/logs?store=data/store").await;
    assert_eq!((code, body["logs"].as_array().map(Vec::len)), (200, Some(2)));
}
