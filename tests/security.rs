//! Every listener with TLS, client certificates and credentials, asked by those who have the right ones, wrong ones and none; a hop between two of us; secrets in what is said.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "security/secrets.rs"]
mod secrets;

use http::{HeaderMap, header::AUTHORIZATION};
use kit::{
    Kansoku, http as plain,
    otlp::{self, End},
    process::{command, written},
    tls::{Authority, Identity, read},
    until,
};
use net::{Client, Coding, Protocol, Url, tls::ClientFiles};
use std::{net::SocketAddr, path::Path, time::Duration};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const WITHIN: Duration = Duration::from_secs(10);
const BEARER: &str = "Bearer hidden-token";
/// shop:hidden-password
const BASIC: &str = "Basic c2hvcDpoaWRkZW4tcGFzc3dvcmQ=";
const ADMIN: &str = "Bearer hidden-admin";

/// All four listeners behind TLS; `client_ca` goes into each.
fn pipeline(client_ca: &str) -> String {
    let tls = format!("tls: {{ cert: server.pem, key: server.key{client_ca} }}");
    format!(
        "
admin: {{ listen: 127.0.0.1:0, token: '${{env:ADMIN}}', {tls} }}
probes: {{ listen: 127.0.0.1:0, {tls} }}
sources:
  otlp:
    grpc: {{ listen: 127.0.0.1:0, {tls}, auth: {{ bearer: '${{env:TOKEN}}' }} }}
    http: {{ listen: 127.0.0.1:0, {tls}, auth: {{ basic: {{ user: shop, password: '${{env:PASSWORD}}' }} }} }}
sinks:
  out: {{ type: debug, inputs: [otlp] }}
"
    )
}

/// Its four listeners, with what the right credential of each is and what it answers to that.
struct Subject {
    kansoku: Kansoku,
    listeners: [(&'static str, Url, Option<&'static str>, u16); 4],
}

fn start(folder: &Path, client_ca: &str) -> Subject {
    let mut command = command(&["run", &written(folder, &pipeline(client_ca))]);
    command.envs([("ADMIN", "hidden-admin"), ("TOKEN", "hidden-token"), ("PASSWORD", "hidden-password")]);
    let kansoku = Kansoku::start(&mut command);
    let url = |before: &str, path: &str| -> Url {
        let address: SocketAddr = until("its listeners are said", || kansoku.address_after(before));
        format!("https://{address}{path}").parse().unwrap()
    };
    let listeners = [
        ("gRPC", url("OTLP/gRPC on ", EXPORT), Some(BEARER), 0),
        ("HTTP", url("OTLP/HTTP on ", "/v1/traces"), Some(BASIC), 200),
        // Both take no POST, and say so to whoever is let in.
        ("admin", url("metrics on https://", "/api/v1/status"), Some(ADMIN), 405),
        ("probes", url("probes on https://", "/readyz"), None, 405),
    ];
    Subject { kansoku, listeners }
}

/// What a listener answers: an HTTP status, or the code of a gRPC status, or nothing.
fn ask(name: &str, url: &Url, files: &ClientFiles, credential: Option<&str>) -> Result<u16, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let headers = HeaderMap::from_iter(credential.map(|credential| (AUTHORIZATION, credential.parse().unwrap())));
    let body = vec![bytes::Bytes::from(otlp::spans([7], End::Well))];
    runtime.block_on(async {
        if name == "gRPC" {
            let client = Client::with_tls(Protocol::Grpc, files.clone(), read).unwrap();
            return match client.call(url, headers, Coding::Identity, body, WITHIN).await {
                Ok(_) => Ok(0),
                Err(status) if status.code() == net::Code::Unavailable => Err(status.message().to_owned()),
                Err(status) => Ok(status.code() as u16),
            };
        }
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
        let headers = headers.chain([(http::header::CONTENT_TYPE, "application/x-protobuf".parse().unwrap())]).collect();
        let client = Client::with_tls(Protocol::Http, files.clone(), read).unwrap();
        client.post(url, headers, body, WITHIN).await.map(|answer| answer.status.as_u16()).map_err(|error| error.words)
    })
}

fn trusting(authority: &Authority) -> ClientFiles {
    ClientFiles { ca: Some(authority.ca.clone()), ..ClientFiles::default() }
}

fn showing(authority: &Authority, identity: Identity) -> ClientFiles {
    ClientFiles { identity: Some((identity.cert, identity.key)), ..trusting(authority) }
}

#[test]
fn every_listener_asks_for_its_credential_and_none_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let _server = authority.issue("server");
    let Subject { kansoku, listeners } = start(folder.path(), "");
    for (name, url, right, fine) in &listeners {
        let refused = if *name == "gRPC" { 16 } else { 401 };
        for wrong in [None, Some("Bearer wrong"), Some("Basic d3Jvbmc="), Some("Bearer hidden-toke")] {
            let expected = if right.is_none() { *fine } else { refused };
            assert_eq!(ask(name, url, &trusting(&authority), wrong), Ok(expected), "{name} {wrong:?}");
        }
        assert_eq!(ask(name, url, &trusting(&authority), *right), Ok(*fine), "{name}");
    }
    let status = command(&["status", "--at", listeners[2].1.origin().ascii_serialization().as_str(), "--token", "hidden-admin"])
        .env("SSL_CERT_FILE", &authority.ca)
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let ended = kansoku.stop();
    let said = format!("{}{}{}", ended.err, ended.out, String::from_utf8_lossy(&status.stdout));
    assert!(!said.contains("hidden") && !said.contains(&BASIC[6..]), "{said}");
}

#[test]
fn with_client_authorities_a_certificate_is_needed_at_every_listener() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (Authority::new(folder.path(), "ours"), Authority::new(folder.path(), "other"));
    let _server = ours.issue("server");
    let subject = start(folder.path(), ", client_ca: ours.pem");
    let (known, stranger) = (showing(&ours, ours.issue("known")), showing(&ours, other.issue("stranger")));
    for (name, url, right, fine) in &subject.listeners {
        assert_eq!(ask(name, url, &known, *right), Ok(*fine), "{name}");
        for files in [&trusting(&ours), &stranger] {
            assert!(ask(name, url, files, *right).is_err(), "{name} {files:?}");
        }
    }
}

#[test]
fn a_new_certificate_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(folder.path(), "old"), Authority::new(folder.path(), "new"));
    let _server = old.issue("server");
    let subject = start(folder.path(), "");
    let _renewed = new.issue("server");
    for (name, url, right, fine) in &subject.listeners {
        until("the new certificate is served", || (ask(name, url, &trusting(&new), *right) == Ok(*fine)).then_some(()));
        assert!(ask(name, url, &trusting(&old), *right).is_err(), "{name}");
    }
}

#[test]
fn two_of_us_talk_over_mutual_tls_with_a_credential() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let (_server, _client) = (authority.issue("server"), authority.issue("client"));
    let tls = "tls: { cert: server.pem, key: server.key, client_ca: authority.pem }";
    let gateway = Kansoku::run(
        folder.path(),
        &format!(
            "
admin: {{ listen: 127.0.0.1:0 }}
sources:
  otlp:
    grpc: {{ listen: 127.0.0.1:0, {tls}, auth: {{ bearer: hidden }} }}
    http: {{ listen: 127.0.0.1:0, {tls}, auth: {{ basic: {{ user: shop, password: hidden }} }} }}
sinks: {{ out: {{ type: debug, inputs: [otlp] }} }}
"
        ),
    );
    for (number, protocol, address, auth) in
        [(1, "grpc", gateway.grpc(), "bearer: hidden"), (2, "http", gateway.http(), "basic: { user: shop, password: hidden }")]
    {
        let sender = Kansoku::run(
            folder.path(),
            &format!(
                "
admin: {{ listen: 127.0.0.1:0 }}
sources: {{ otlp: {{ grpc: {{ listen: off }}, http: {{ listen: 127.0.0.1:0 }} }} }}
sinks:
  hop:
    {{ type: otlp, inputs: [otlp], endpoint: 'https://{address}', protocol: {protocol}, auth: {{ {auth} }},
      tls: {{ ca: authority.pem, cert: client.pem, key: client.key }} }}
"
            ),
        );
        let sent = plain::post(sender.http(), "/v1/traces", "application/x-protobuf", &otlp::spans([number], End::Well));
        assert_eq!(sent.status, 200, "{}", sent.text());
        until("the span is there", || (gateway.count("out", "traces", "out") == i64::try_from(number).unwrap()).then_some(()));
    }
}
