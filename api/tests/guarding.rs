//! Who is answered, and with which headers.

use super::sample::Site;
use crate::{Admin, Settings, guard::Guard};
use axum::{body::Body, extract::Request};
use config::{Document, Graph, document::Real};
use http::StatusCode;
use std::sync::Arc;

#[tokio::test]
async fn with_a_token_only_its_bearer_is_answered_and_probes_always_are() {
    let site = Site::bare(Guard::new(Some(net::Credential::bearer("secret")), false));
    for (path, header, expected) in [
        ("/api/v1/status", None, 401),
        ("/metrics", None, 401),
        ("/nowhere", None, 401),
        ("/api/v1/status", Some("Bearer wrong"), 401),
        ("/api/v1/status", Some("Basic secret"), 401),
        ("/api/v1/status", Some("Bearer secret"), 200),
        ("/api/v1/status", Some("bearer secret"), 200),
        ("/livez", None, 200),
        ("/readyz", None, 200),
    ] {
        let headers: Vec<_> = header.iter().map(|value| ("authorization", *value)).collect();
        let (status, answer, _) = site.get(path, &headers).await;
        assert_eq!(status.as_u16(), expected, "{path} {header:?}");
        assert_eq!(answer.contains_key("www-authenticate"), expected == 401);
    }
}

#[tokio::test]
async fn without_a_token_a_page_under_a_foreign_name_is_refused() {
    let site = Site::bare(Guard::new(None, true));
    for (host, expected) in [("127.0.0.1:4319", 200), ("localhost", 200), ("evil.example:4319", 403)] {
        let (status, _, body) = site.get("/api/v1/status", &[("host", host)]).await;
        assert_eq!(status.as_u16(), expected, "{host}: {body}");
    }
    let (status, ..) = site.get("http://evil.example/api/v1/status", &[]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, ..) = site.get("/readyz", &[("host", "10.1.2.3:4319")]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_do_nothing_with_it() {
    let site = Site::bare(Guard::new(None, true));
    for path in ["/", "/nowhere", "/metrics", "/api/v1/traces"] {
        let (_, headers, _) = site.get(path, &[]).await;
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn errors_are_json_with_words() {
    let site = Site::bare(Guard::none());
    assert_eq!(site.json("/nowhere").await.1["error"], "there is nothing at /nowhere; `/` lists what there is");
    let (status, _, body) = site.send(Request::post("/api/v1/status").body(Body::empty()).unwrap()).await;
    assert_eq!((status.as_u16(), &*body), (405, r#"{"error":"/api/v1/status is only read; ask with GET, not POST"}"#));
    let (status, answer) = site.json("/api/v1/why/last").await;
    assert_eq!(status, 404);
    assert!(answer["error"].as_str().unwrap().starts_with("this pipeline has no store sink; add one"));
}

#[tokio::test]
async fn the_probes_port_tells_nothing_else() {
    let site = Site::bare(Guard::none());
    let router = crate::routes::probes(site.shared.clone());
    let site = Site { router, ..site };
    for (path, expected) in [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/", 404), ("/api/v1/status", 404)] {
        assert_eq!(site.get(path, &[("host", "10.0.0.9:4320")]).await.0.as_u16(), expected, "{path}");
    }
}

fn settings(text: &str) -> Settings {
    let document = Document::parse("p.yaml", text, &Real).unwrap();
    Settings::read(&Graph::of(Arc::new(document), pipeline::settings::SETTINGS).0, std::path::Path::new(".")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_says_where_and_names_the_key_of_a_port_in_use() {
    let (admin, lines) = Admin::open(settings("admin: { listen: '127.0.0.1:0' }\nprobes: { listen: '127.0.0.1:0' }")).await.unwrap();
    assert_eq!(lines[0].what, format!("status, queries and metrics on http://{}", admin.address()));
    let faults = Admin::open(settings(&format!("admin: {{ listen: '{}' }}", admin.address()))).await.unwrap_err();
    assert_eq!(faults[0].what, format!("{} is in use; set admin.listen", admin.address()));
    assert_eq!(faults[0].place.start, 17);

    let probes: net::Url = format!("{}/readyz", lines[1].what.rsplit_once(' ').unwrap().1).parse().unwrap();
    let site = Site::bare(Guard::none());
    let url: net::Url = format!("http://{}/api/v1/status", admin.address()).parse().unwrap();
    let serving = admin.serve(site.shared.view.clone(), site.shared.reloads.clone(), site.shared.clock.clone(), site.shared.stop.clone());
    let client = net::Client::new(net::Protocol::Http, &url).unwrap();
    let asking = async {
        let post = |url: net::Url| {
            let client = client.clone();
            async move { client.post(&url, http::HeaderMap::new(), vec![], std::time::Duration::from_secs(5)).await.unwrap().status }
        };
        assert_eq!(post(url).await, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(post(probes).await, StatusCode::METHOD_NOT_ALLOWED);
        site.stop.send_replace(true);
    };
    tokio::join!(serving, asking);
}
