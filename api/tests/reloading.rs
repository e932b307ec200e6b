//! Asking for a reload.

use super::sample::Site;
use crate::{Reloaded, guard::Guard};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
};
use serde_json::{Value, json};
use tower::ServiceExt;

fn post(headers: &[(&str, &str)]) -> Request {
    let request = headers.iter().fold(Request::post("/api/v1/reload"), |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

/// POSTs, has the process answer this, and returns status and body.
async fn asked(answer: Option<Reloaded>) -> (u16, Value) {
    let Site { router, mut wishes, .. } = Site::bare(Guard::none());
    let process = async {
        let wish = wishes.recv().await.unwrap();
        match answer {
            Some(answer) => wish.send(answer).unwrap(),
            None => drop(wish),
        }
    };
    let (response, ()) = tokio::join!(router.oneshot(post(&[])), process);
    let (head, body) = response.unwrap().into_parts();
    (head.status.as_u16(), serde_json::from_slice(&to_bytes(body, 1 << 20).await.unwrap()).unwrap())
}

#[tokio::test]
async fn what_changed_is_answered() {
    let changes = json!({ "applied": ["+tempo", "~kept.rules"], "needs_restart": ["journal.path"] });
    let changes = serde_json::from_value(changes).unwrap();
    let (status, body) = asked(Some(Reloaded::Done { changes, warnings: json!([]) })).await;
    assert_eq!((status, body), (200, json!({ "applied": ["+tempo", "~kept.rules"], "needs_restart": ["journal.path"], "warnings": [] })));
}

#[tokio::test]
async fn what_is_wrong_with_the_file_is_answered() {
    let (status, body) = asked(Some(Reloaded::Faulty { faults: json!([{ "line": 3 }]) })).await;
    assert_eq!((status, &body["faults"][0]["line"]), (422, &json!(3)));
    assert_eq!(body["error"], "the pipeline file has faults; nothing was changed");
    assert_eq!(asked(Some(Reloaded::NoFile)).await.0, 409);
    assert_eq!(asked(None).await.0, 503);
}

#[tokio::test]
async fn more_wishes_than_can_wait_are_refused() {
    let site = Site::bare(Guard::none());
    let waiting: Vec<_> = (0..8).map(|_| Box::pin(site.send(post(&[])))).collect();
    let refused = async {
        tokio::task::yield_now().await;
        site.send(post(&[])).await.0.as_u16()
    };
    tokio::select! {
        _ = futures::future::join_all(waiting) => panic!("nobody answered them"),
        status = refused => assert_eq!(status, 503),
    }
}

#[tokio::test]
async fn it_is_asked_with_post_and_by_no_web_page() {
    let site = Site::bare(Guard::new(None, true));
    assert_eq!(site.json("/api/v1/reload").await.1["error"], "/api/v1/reload is asked with POST, not GET");
    let (status, ..) = site.send(post(&[("host", "127.0.0.1:4319"), ("origin", "https://evil.example")])).await;
    assert_eq!(status.as_u16(), 403);
    let Site { wishes, router, .. } = site;
    drop(wishes);
    let own = post(&[("host", "127.0.0.1:4319"), ("origin", "http://127.0.0.1:4319")]);
    assert_eq!(router.oneshot(own).await.unwrap().status().as_u16(), 503, "let through, and nobody there");
}
