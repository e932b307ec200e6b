//! Handshakes over real sockets, with an authority of our own.

use super::*;
use crate::{Client, Listener, Protocol, Url, listen, serve};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use kit::tls::{Authority, Identity, read, write};
use std::{convert::Infallible, time::Duration};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// Says which version of HTTP it was asked in.
async fn version(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from(format!("{:?}", request.version()))))
}

async fn serving(files: ServerFiles) -> (Url, JoinSet<()>) {
    let transport = Transport::tls(files, read).unwrap();
    let listener: Listener = listen("127.0.0.1:0").await.unwrap();
    let url = format!("{}://{}", transport.scheme(), listener.address()).parse().unwrap();
    let mut task = JoinSet::new();
    let service = tower::service_fn(version);
    task.spawn(async move { serve::serve(&listener, transport, service, serve::Limits::default(), std::future::pending()).await });
    (url, task)
}

fn files(identity: &Identity, client_ca: Option<&Authority>) -> ServerFiles {
    ServerFiles { cert: identity.cert.clone(), key: identity.key.clone(), client_ca: client_ca.map(|authority| authority.ca.clone()) }
}

fn trusting(authority: &Authority) -> ClientFiles {
    ClientFiles { ca: Some(authority.ca.clone()), ..ClientFiles::default() }
}

async fn ask(url: &Url, protocol: Protocol, files: ClientFiles) -> Result<String, String> {
    let client = Client::with_tls(protocol, files, read).unwrap();
    let answer = client.post(url, HeaderMap::new(), vec![], Duration::from_secs(5)).await;
    answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn both_protocols_are_spoken_to_who_trusts_the_authority_and_nothing_to_others() {
    let folder = TempDir::new().unwrap();
    let (ours, other) = (Authority::new(folder.path(), "ours"), Authority::new(folder.path(), "other"));
    let (url, _task) = serving(files(&ours.issue("server"), None)).await;
    assert_eq!(ask(&url, Protocol::Grpc, trusting(&ours)).await.as_deref(), Ok("HTTP/2.0"));
    assert_eq!(ask(&url, Protocol::Http, trusting(&ours)).await.as_deref(), Ok("HTTP/2.0"));
    let said = ask(&url, Protocol::Http, trusting(&other)).await.unwrap_err();
    assert!(said.contains("certificate"), "{said}");
    let named = |name: &'static str| ClientFiles { server_name: Some(name.try_into().unwrap()), ..trusting(&ours) };
    assert!(ask(&url, Protocol::Http, named("server")).await.is_ok());
    let said = ask(&url, Protocol::Http, named("elsewhere")).await.unwrap_err();
    assert!(said.contains("certificate"), "{said}");
    let plain: Url = url.as_str().replace("https", "http").parse().unwrap();
    let client = Client::new(Protocol::Http, &plain).unwrap();
    assert!(client.post(&plain, HeaderMap::new(), vec![], Duration::from_secs(5)).await.is_err());
}

#[tokio::test]
async fn with_client_authorities_only_their_clients_are_let_in() {
    let folder = TempDir::new().unwrap();
    let (ours, other) = (Authority::new(folder.path(), "ours"), Authority::new(folder.path(), "other"));
    let (url, _task) = serving(files(&ours.issue("server"), Some(&ours))).await;
    let showing = |identity: Identity| ClientFiles { identity: Some((identity.cert, identity.key)), ..trusting(&ours) };
    assert!(ask(&url, Protocol::Grpc, showing(ours.issue("client"))).await.is_ok());
    assert!(ask(&url, Protocol::Grpc, trusting(&ours)).await.is_err());
    assert!(ask(&url, Protocol::Grpc, showing(other.issue("stranger"))).await.is_err());
}

#[tokio::test]
async fn new_certificates_are_taken_over_on_both_sides_and_broken_ones_are_not() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (Authority::new(folder.path(), "old"), Authority::new(folder.path(), "new"));
    let server = old.issue("server");
    let (url, _task) = serving(files(&server, None)).await;
    let client = Client::with_tls(Protocol::Http, trusting(&old), read).unwrap();
    let asked = async || client.post(&url, HeaderMap::new(), vec![], Duration::from_secs(5)).await.is_ok();
    assert!(asked().await);

    let good = read(&server.cert).unwrap();
    write(&server.cert, "half a certificate");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert!(ask(&url, Protocol::Http, trusting(&old)).await.is_ok());
    write(&server.cert, &good);

    let _renewed = new.issue("server");
    for _ in 0..100 {
        if ask(&url, Protocol::Http, trusting(&new)).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ask(&url, Protocol::Http, trusting(&old)).await.is_err());
    write(&old.ca, &read(&new.ca).unwrap());
    for _ in 0..100 {
        if asked().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the client never trusted the new authority");
}

#[test]
fn files_that_cannot_be_used_are_named_and_no_key_is_quoted() {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "ours");
    let (one, two) = (authority.issue("one"), authority.issue("two"));
    let empty = folder.path().join("empty.pem");
    write(&empty, "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----\n");
    let tls = |cert: &Path, key: &Path| {
        let files = ServerFiles { cert: cert.to_owned(), key: key.to_owned(), client_ca: None };
        Transport::tls(files, read).unwrap_err().to_string()
    };
    let table = [
        (tls(&folder.path().join("missing"), &one.key), "missing: No such file"),
        (tls(&empty, &one.key), "empty.pem: it holds no certificate in PEM"),
        (tls(&one.cert, &empty), "empty.pem: it does not go with"),
        (tls(&one.cert, &two.key), "two.key: it does not go with"),
    ];
    for (said, words) in table {
        assert!(said.contains(words) && !said.contains("hidden"), "{said}");
    }
}
