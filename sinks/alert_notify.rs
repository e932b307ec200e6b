//! The receivers of one alert node: tries a webhook a few times, with pauses, and says in the log when it gave up.

use alert::notify::{Notice, console, webhook};
use config::{Fault, Placed};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use net::{Client, Protocol, Url};
use std::{io::Write, time::Duration};

const TRIES: u32 = 5;
const WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);

/// Who is told.
pub(crate) struct Receivers {
    name: String,
    webhook: Option<(Client, Url)>,
    console: bool,
    external_url: String,
}

impl Receivers {
    /// Receivers as configured; a URL that is none is a fault.
    pub(crate) fn new(name: &str, webhook: Option<&Placed<String>>, console: bool, external_url: &str) -> Result<Receivers, Fault> {
        let client = |written: &Placed<String>| {
            let url = Url::parse(written).map_err(|error| written.fault(format!("`{}` is no URL: {error}", **written)))?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(written.fault(format!("`{}` is no web address", **written)).help("as in http://alertmanager:9093/hook"));
            }
            let client = Client::new(Protocol::Http, &url).map_err(|error| written.fault(error.to_string()))?;
            Ok((client, url))
        };
        Ok(Receivers { name: name.to_owned(), webhook: webhook.map(client).transpose()?, console, external_url: external_url.to_owned() })
    }

    /// Whether nobody is told.
    pub(crate) fn is_none(&self) -> bool {
        self.webhook.is_none() && !self.console
    }

    /// For the line at start; a URL without what may be secret in it.
    pub(crate) fn said(&self) -> String {
        let webhook = self.webhook.as_ref().map(|(_, url)| url.origin().ascii_serialization());
        let console = self.console.then(|| "the console".to_owned());
        [console, webhook].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }

    /// Tells everybody.
    pub(crate) async fn tell(&self, notice: &Notice) {
        if self.console {
            // Nobody reads on when the terminal is gone.
            let _gone = std::io::stderr().lock().write_all(console::text(notice).as_bytes());
        }
        if let Some((client, url)) = &self.webhook {
            self.post(client, url, notice).await;
        }
    }

    async fn post(&self, client: &Client, url: &Url, notice: &Notice) {
        let body = webhook::body(notice, &self.name, &self.external_url).to_string();
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let mut pause = PAUSE;
        let mut failure = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            match client.post(url, headers.clone(), vec![body.clone().into()], WITHIN).await {
                Ok(answer) if answer.status.is_success() => return,
                Ok(answer) if answer.status.is_client_error() && answer.status.as_u16() != 429 => {
                    failure = format!("the answer was {}", answer.status);
                    break;
                }
                Ok(answer) => failure = format!("the answer was {}", answer.status),
                Err(error) => failure = error.to_string(),
            }
        }
        tracing::error!(alert = notice.alertname, to = %url.origin().ascii_serialization(), failure, "a notification could not be delivered");
    }
}
