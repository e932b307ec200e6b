//! Health, metrics, status and alerts.

use super::sample::{START, Site};
use crate::{Alerts, Report, guard::Guard};
use alert::{Alert, Phase, Transition};
use query::When;

#[tokio::test]
async fn readiness_says_why_not_and_what_fails_without_minding_it() {
    let site = Site::bare(Guard::none());
    let (status, _, body) = site.get("/readyz", &[]).await;
    assert_eq!((status.as_u16(), &*body), (200, "ready\n"));
    let (status, _, body) = site.get("/readyz?verbose", &[]).await;
    assert_eq!(status.as_u16(), 200);
    assert!(body.contains("sink hop: failing since 2026-11-21T10:00:00.000000000Z: connection refused"), "{body}");
    *site.world.not_ready.lock() = Some("going down".to_owned());
    let (status, _, body) = site.get("/readyz", &[]).await;
    assert_eq!((status.as_u16(), &*body), (503, "not ready: going down\n"));
    assert_eq!(site.get("/livez", &[]).await.0.as_u16(), 200);
}

#[tokio::test]
async fn metrics_have_the_pipelines_the_stores_and_the_alerts() {
    let site = Site::new().await;
    let (_, headers, body) = site.get("/metrics", &[]).await;
    assert_eq!(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    for line in
        ["kansoku_uptime_seconds 12", "kansoku_store_rows{store=\"data/store\",table=\"logs\"} 2", "kansoku_alerts{phase=\"firing\"} 0"]
    {
        assert!(body.lines().any(|l| l == line), "{line} in {body}");
    }
}

#[tokio::test]
async fn the_status_has_the_ledger_and_the_stores_and_reads_back() {
    let site = Site::new().await;
    let (code, body) = site.json("/api/v1/status").await;
    assert_eq!((code, &body["summary"]), (200, &"3 spans in; nothing was lost".into()));
    let report: Report = serde_json::from_value(body).unwrap();
    assert_eq!(report.stores[0].tables["spans"].rows, 2);
    assert_eq!(report.pipeline.sinks[0].name, "hop");
}

fn alert(name: &str, at: u64) -> Alert {
    Alert {
        name: name.to_owned(),
        transition: Transition::Firing,
        phase: Phase::Firing,
        labels: [("alertname".to_owned(), name.to_owned())].into(),
        annotations: [].into(),
        value: 1.0,
        active_since: When(at),
        at: When(at),
        fingerprint: "0".repeat(16),
        evidence: Vec::new(),
    }
}

#[tokio::test]
async fn alerts_of_all_nodes_come_in_their_order() {
    let site = Site::bare(Guard::none());
    let other = site.world.pool.get_or("other", || Ok::<_, ()>(std::sync::Arc::new(alert::Book::default()))).unwrap();
    for (book, name, at) in [(&site.book, "late", START + 5), (&other, "early", START)] {
        book.write(vec![alert(name, at)]);
        book.note([alert(name, at)]);
    }
    let (_, body) = site.json("/api/v1/alerts").await;
    let alerts: Alerts = serde_json::from_value(body.clone()).unwrap();
    assert_eq!(alerts.active.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["early", "late"]);
    assert_eq!(alerts.history.len(), 2);
    for time in ["active_since", "at"] {
        assert_eq!(body["active"][0][time], serde_json::json!(When(START)), "as RFC 3339, like every other answer");
    }
    let (_, body) = site.json("/api/v1/status").await;
    assert_eq!(body["alerts"][0]["phase"], "firing");
}

#[tokio::test]
async fn dead_letters_are_sent_again_for_who_posts_and_never_for_a_web_page() {
    let site = Site::bare(Guard::none());
    let ask = |method: &str, path: &str, origin: Option<&str>| {
        let mut request = axum::extract::Request::builder().method(method).uri(path).header("host", "localhost:4319");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        site.send(request.body(axum::body::Body::empty()).unwrap())
    };
    let (status, _, body) = ask("POST", "/api/v1/dead-letters/retry?node=vendor", None).await;
    assert_eq!((status.as_u16(), &*body), (200, r#"{"letters":1,"records":2,"kept":3}"#));
    assert_eq!(ask("POST", "/api/v1/dead-letters/retry", None).await.0.as_u16(), 503);
    assert_eq!(ask("POST", "/api/v1/dead-letters/retry?nod=vendor", None).await.0.as_u16(), 400);
    assert_eq!(ask("POST", "/api/v1/dead-letters/retry?node=vendor", Some("https://evil.example")).await.0.as_u16(), 403);
    assert_eq!(ask("GET", "/api/v1/dead-letters/retry", None).await.0.as_u16(), 405);
}
