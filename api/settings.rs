//! `admin:` and `probes:` of a pipeline file. A listener that others can reach has to know who asks.

use config::{Address, Fault, Graph, Place, Placed};
use net::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

const LISTEN: &str = "127.0.0.1:4319";

/// `admin:`: the port for everything but telemetry: health, metrics, status, queries. By default on 127.0.0.1:4319.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct AdminWords {
    /// HOST:PORT of the admin port. Loopback, unless a token is set.
    #[schemars(with = "Option<String>")]
    pub listen: Option<Placed<Address>>,
    /// Where people reach it, for links in alerts: an http or https URL.
    #[schemars(with = "Option<String>")]
    pub url: Option<WebUrl>,
    /// What clients send as `Authorization: Bearer TOKEN`; best from `${file:PATH}` or `${env:NAME}`.
    pub token: Option<Token>,
}

/// `probes:`: a listener for `/livez`, `/readyz` and `/metrics` only, which needs no token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct ProbesWords {
    /// HOST:PORT, such as `0.0.0.0:4320`.
    #[schemars(with = "String")]
    pub listen: Placed<Address>,
}

/// An http or https URL.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct WebUrl(Url);

impl TryFrom<String> for WebUrl {
    type Error = String;

    fn try_from(text: String) -> Result<WebUrl, String> {
        let url = text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.map(WebUrl).ok_or_else(|| format!("`{text}` is no http or https URL; write it as `https://kansoku.example.org`"))
    }
}

/// A secret that opens the admin port. Never shown.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Token(Placed<String>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Whether somebody said the same. Takes as long whatever is right of it.
    pub(crate) fn is(&self, said: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let differences = said.iter().enumerate().fold(0_u8, |found, (at, byte)| {
            let own = own.get(at % own.len().max(1)).copied().unwrap_or(0);
            std::hint::black_box(found | (byte ^ own))
        });
        (differences == 0) & (said.len() == own.len())
    }
}

/// Where the API listens and who may ask it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) listen: String,
    pub(crate) listen_place: Place,
    pub(crate) url: Option<Url>,
    pub(crate) token: Option<Token>,
    pub(crate) probes: Option<Placed<String>>,
}

impl Settings {
    /// Reads `admin:` and `probes:`; both may be left out.
    ///
    /// # Errors
    /// Every fault of either, among them a listener off loopback without a token.
    pub fn read(graph: &Graph) -> Result<Settings, Vec<Fault>> {
        let (mut admin, mut probes, mut at, mut faults) = (AdminWords::default(), None, Place::default(), Vec::new());
        for (name, place, node) in &graph.settings {
            match name.as_str() {
                "admin" => {
                    at = *place;
                    admin = config::read(node).unwrap_or_else(|found: Vec<Fault>| {
                        faults.extend(found);
                        AdminWords::default()
                    });
                }
                "probes" => match config::read::<ProbesWords>(node) {
                    Ok(words) => probes = Some(words.listen.map(|address| address.0)),
                    Err(found) => faults.extend(found),
                },
                _ => {}
            }
        }
        let readable = faults.is_empty();
        let listen = admin.listen.as_ref().map_or_else(|| LISTEN.to_owned(), |listen| listen.0.clone());
        let listen_place = admin.listen.as_ref().map_or(at, Placed::place);
        if readable && admin.token.is_none() && !is_loopback(&listen) {
            let what = "`admin` listens off loopback without a token";
            faults.push(Fault::at(listen_place, what).help("set admin.token, or listen on 127.0.0.1; for a kubelet there is `probes:`"));
        }
        if let Some(probes) = probes.as_ref().filter(|probes| ***probes == listen && !listen.ends_with(":0")) {
            faults.push(probes.fault(format!("`probes` and `admin` both listen on {listen}")).help("give `probes` a port of its own"));
        }
        if faults.is_empty() {
            Ok(Settings { listen, listen_place, url: admin.url.map(|url| url.0), token: admin.token, probes })
        } else {
            Err(faults)
        }
    }

    /// Where people reach the admin port, if `url` says so; for links in alerts.
    #[must_use]
    pub fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }
}

/// Whether only this machine can connect. A name other than `localhost` may be anything.
pub(crate) fn is_loopback(listen: &str) -> bool {
    match listen.parse::<SocketAddr>() {
        Ok(address) => is_loopback_address(address.ip()),
        Err(_) => listen.rsplit_once(':').is_some_and(|(host, _)| host.eq_ignore_ascii_case("localhost")),
    }
}

pub(crate) fn is_loopback_address(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{Document, document::Real};
    use std::sync::Arc;

    fn read(text: &str) -> Result<Settings, Vec<String>> {
        let document = Document::parse("p.yaml", text, &Real).unwrap();
        let (graph, faults) = Graph::of(Arc::new(document), pipeline::settings::SETTINGS);
        assert_eq!(faults, []);
        Settings::read(&graph).map_err(|faults| faults.into_iter().map(|f| format!("{} at {}", f.what, f.place.start)).collect())
    }

    #[test]
    fn nothing_written_is_loopback_without_probes() {
        let settings = read("sources: {}").unwrap();
        assert_eq!((settings.listen.as_str(), settings.probes.is_none()), (LISTEN, true));
    }

    #[test]
    fn off_loopback_it_needs_a_token() {
        for listen in ["0.0.0.0:4319", "[::]:4319", "10.0.0.1:1", "example.org:80"] {
            let said = read(&format!("admin: {{ listen: '{listen}' }}")).unwrap_err();
            assert_eq!(said, ["`admin` listens off loopback without a token at 17"], "{listen}");
            assert!(read(&format!("admin: {{ listen: '{listen}', token: abc }}")).is_ok());
        }
        for listen in ["127.0.0.1:0", "[::1]:4319", "localhost:4319", "127.9.9.9:1"] {
            assert!(read(&format!("admin: {{ listen: '{listen}' }}")).is_ok(), "{listen}");
        }
    }

    #[test]
    fn every_mistake_is_said_at_once() {
        let said = read("admin: { listne: a, token: '', url: ftp://x }\nprobes: {}").unwrap_err();
        assert_eq!(said.len(), 4, "{said:?}");
        let said = read("probes: { listen: '127.0.0.1:4319' }").unwrap_err();
        assert_eq!(said, ["`probes` and `admin` both listen on 127.0.0.1:4319 at 18"]);
    }

    #[test]
    fn what_is_no_address_is_said_and_nothing_about_a_token() {
        let said = read("admin: { listen: 4319 }").unwrap_err();
        assert_eq!(said, ["`listen: 4319` is no HOST:PORT; did you mean `127.0.0.1:4319`? at 17"]);
    }

    #[test]
    fn a_token_is_compared_whole_and_never_shown() {
        let token = Token(Placed::nowhere("secret".to_owned()));
        assert!(token.is(b"secret"));
        for wrong in ["", "secre", "secrets", "secretsecret", "Secret"] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
        assert!(!format!("{token:?}").contains("secret"));
    }
}
