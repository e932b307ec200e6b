//! The receivers of one alert node: tries a webhook a few times, with pauses, before it says that it could not.

use crate::{alert::Notify, wire};
use alert::notify::{Notice, console, webhook};
use config::{Fault, Placed};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use net::{Client, Patience, Url};
use std::{io::Write, path::Path, time::Duration};

const CONSOLE: &str = "console";
const WEBHOOK: &str = "webhook";
const PATIENCE: Patience = Patience { tries: 5, within: Duration::from_secs(10), pause: Duration::from_secs(1) };

/// Who is told.
pub(crate) struct Receivers {
    name: String,
    webhook: Option<Hook>,
    console: bool,
    external_url: String,
}

/// A receiver of Alertmanager's JSON.
struct Hook {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

impl Receivers {
    /// Receivers as configured, with links that begin with `external_url`; a URL that is none, and files that cannot be used, are a fault.
    pub(crate) fn new(name: &str, notify: &Notify, external_url: &str, folder: &Path) -> Result<Receivers, Fault> {
        let hook = |written: &Placed<String>| {
            let url = Url::parse(written).map_err(|error| written.fault(format!("`{}` is no URL: {error}", **written)))?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(written.fault(format!("`{}` is no web address", **written)).help("as in http://alertmanager:9093/hook"));
            }
            let client = wire::webhook(written, &url, notify.tls.as_ref(), folder)?;
            let shown = notify.auth.as_ref().map(wire::authorization).transpose()?;
            let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().chain(shown).collect();
            Ok(Hook { client, url, headers })
        };
        let webhook = notify.webhook.as_ref().map(hook).transpose()?;
        Ok(Receivers { name: name.to_owned(), webhook, console: notify.console.is_some(), external_url: external_url.to_owned() })
    }

    /// Whether nobody is told.
    pub(crate) fn is_none(&self) -> bool {
        self.webhook.is_none() && !self.console
    }

    /// For the line at start; a URL without what may be secret in it.
    pub(crate) fn said(&self) -> String {
        let webhook = self.webhook.as_ref().map(|hook| hook.url.origin().ascii_serialization());
        let console = self.console.then(|| "the console".to_owned());
        [console, webhook].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    /// By which the notification log knows them.
    pub(crate) fn names(&self) -> Vec<String> {
        let webhook = self.webhook.as_ref().map(|_| WEBHOOK);
        let console = self.console.then_some(CONSOLE);
        [console, webhook].into_iter().flatten().map(str::to_owned).collect()
    }

    /// Tells one of them.
    ///
    /// # Errors
    /// The last failure in words, after a few tries.
    pub(crate) async fn tell(&self, receiver: &str, notice: &Notice) -> Result<(), String> {
        match (&self.webhook, receiver) {
            (Some(hook), WEBHOOK) => self.post(hook, notice).await,
            _ => {
                // Nobody reads on when the terminal is gone.
                let _gone = std::io::stderr().lock().write_all(console::text(notice).as_bytes());
                Ok(())
            }
        }
    }

    async fn post(&self, Hook { client, url, headers }: &Hook, notice: &Notice) -> Result<(), String> {
        let body = webhook::body(notice, &self.name, &self.external_url).to_string();
        client.post_patiently(url, headers, &body.into(), PATIENCE).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;
    use kit::tls::{Authority, read};
    use net::{Transport, serve, tls::ServerFiles};
    use std::convert::Infallible;
    use tokio::{sync::mpsc, task::JoinSet};

    #[tokio::test]
    async fn a_webhook_is_told_over_mutual_tls_with_its_credential() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "authority");
        let (server, _client) = (authority.issue("server"), authority.issue("client"));
        let files = ServerFiles { cert: server.cert, key: server.key, client_ca: Some(authority.ca.clone()) };
        let (listener, transport) = (net::listen("127.0.0.1:0").await.unwrap(), Transport::tls(files, read).unwrap());
        let address = listener.address();
        let (tell, mut told) = mpsc::channel(1);
        let service = tower::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let tell = tell.clone();
            async move {
                tell.send(request.headers()[AUTHORIZATION].clone()).await.unwrap();
                Ok::<_, Infallible>(http::Response::new(http_body_util::Empty::new()))
            }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { net::serve(&listener, transport, service, serve::Limits::default(), std::future::pending()).await });

        let words = format!(
            "webhook: https://{address}/hook\nauth: {{ bearer: token }}\ntls: {{ ca: authority.pem, cert: client.pem, key: client.key }}\n"
        );
        let document = config::Document::parse("notify.yaml", &words, &config::document::Real).unwrap();
        let notify: Notify = document.read().unwrap();
        let receivers = Receivers::new("alerts", &notify, "", folder.path()).unwrap();
        assert_eq!(receivers.said(), format!("https://{address}"));
        receivers.tell(WEBHOOK, &Notice { alertname: "error_trace".to_owned(), alerts: Vec::new() }).await.unwrap();
        assert_eq!(told.recv().await.unwrap(), "Bearer token");
    }
}
