//! How the asking commands reach a running kansoku: its admin port.

use crate::args::At;
use http::Method;
use std::time::Duration;

/// Why there is no answer; `Display` is what the user reads.
#[derive(Debug)]
pub(crate) struct NoAnswer(pub(crate) String);

/// GETs a path with its query and returns status code and body.
pub(crate) async fn get(at: &At, path: &str, query: &[(&str, String)]) -> Result<(u16, String), NoAnswer> {
    whole(at, send(at, Method::GET, path, query, Some(Duration::from_secs(30))).await?).await
}

/// The same with POST.
pub(crate) async fn post(at: &At, path: &str, query: &[(&str, String)]) -> Result<(u16, String), NoAnswer> {
    whole(at, send(at, Method::POST, path, query, Some(Duration::from_secs(30))).await?).await
}

async fn whole(at: &At, response: reqwest::Response) -> Result<(u16, String), NoAnswer> {
    let status = response.status().as_u16();
    let body = response.text().await.map_err(|e| NoAnswer(format!("{} went away: {e}", at.at)))?;
    Ok((status, body))
}

/// Opens a GET whose body is read as it comes.
pub(crate) async fn open(at: &At, path: &str, query: &[(&str, String)], timeout: Option<Duration>) -> Result<reqwest::Response, NoAnswer> {
    send(at, Method::GET, path, query, timeout).await
}

async fn send(
    at: &At,
    method: Method,
    path: &str,
    query: &[(&str, String)],
    timeout: Option<Duration>,
) -> Result<reqwest::Response, NoAnswer> {
    let client = client()?;
    let mut url = reqwest::Url::parse(at.at.trim_end_matches('/')).map_err(|e| NoAnswer(format!("`{}` is no URL: {e}", at.at)))?;
    url.set_path(path);
    url.query_pairs_mut().extend_pairs(query);
    let mut request = client.request(method, url);
    if let Some(token) = &at.token {
        request = request.bearer_auth(token);
    }
    if let Some(timeout) = timeout {
        request = request.timeout(timeout);
    }
    request.send().await.map_err(|_| NoAnswer(format!("nobody answers at {}; is kansoku running? (--at URL, KANSOKU_URL)", at.at)))
}

/// What an error answer says in words.
pub(crate) fn said(body: &str, status: u16) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let words = parsed.as_ref().and_then(|v| v["error"].as_str());
    words.map_or_else(|| format!("the answer was {status}: {}", body.trim()), str::to_owned)
}

fn client() -> Result<reqwest::Client, NoAnswer> {
    // Somebody else may have installed one, which serves as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(3))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|e| NoAnswer(e.to_string()))
}
