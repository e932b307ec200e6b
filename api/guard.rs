//! Who may ask. With a token, whoever has it. Without one the port is on loopback, and a page in a browser that reaches it under a foreign name (DNS rebinding) is refused.

use crate::{answer::Refused, settings::is_loopback_address};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use net::Credential;
use std::net::IpAddr;

/// What a request has to show.
#[derive(Clone)]
pub(crate) struct Guard {
    credential: Option<Credential>,
    local_names_only: bool,
}

/// Answered to everybody: they tell nothing that an open port does not.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

impl Guard {
    pub(crate) fn new(credential: Option<Credential>, local_names_only: bool) -> Guard {
        Guard { credential, local_names_only }
    }

    /// For the probes' port: kubelets have no token and no name.
    pub(crate) fn none() -> Guard {
        Guard { credential: None, local_names_only: false }
    }

    fn admits(&self, request: &Request) -> Result<(), Refused> {
        if OPEN.contains(&request.uri().path()) {
            return Ok(());
        }
        if self.local_names_only && !host(request).is_none_or(is_local) {
            return Err(Refused::new(
                StatusCode::FORBIDDEN,
                "without a token only this machine is answered: ask 127.0.0.1 or localhost, or set admin.token",
            ));
        }
        let Some(credential) = &self.credential else { return from_no_page(request) };
        let hint = "kansoku's commands send KANSOKU_TOKEN";
        credential.admits(request.headers()).map_err(|stranger| Refused::new(StatusCode::UNAUTHORIZED, format!("{stranger}; {hint}")))
    }
}

/// A browser says of every POST from which page it comes; only the port's own may.
fn from_no_page(request: &Request) -> Result<(), Refused> {
    let origin = request.headers().get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or("?"));
    let own = |origin: &str| origin.split_once("://").is_some_and(|(_, of)| Some(of) == host(request));
    if request.method().is_safe() || origin.is_none_or(own) {
        return Ok(());
    }
    Err(Refused::new(StatusCode::FORBIDDEN, "a web page may not ask for this; set admin.token for a program that says an `Origin`"))
}

/// HTTP/2 has the name in the URI. Who names no host is no browser.
fn host(request: &Request) -> Option<&str> {
    let header = || request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    request.uri().authority().map(http::uri::Authority::as_str).or_else(header)
}

fn is_local(authority: &str) -> bool {
    let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(is_loopback_address)
}

/// Lets a request through or not, and puts on every answer what browsers are to keep to.
pub(crate) async fn watch(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.admits(&request) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_local() {
        for host in ["localhost", "LOCALHOST:4319", "127.0.0.1:4319", "127.0.0.1", "[::1]:4319", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:4319",
            "127.0.0.1.evil.example",
            "localhost.evil.example:1",
            "10.0.0.1",
            "",
            "user@localhost:1",
            "::",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
