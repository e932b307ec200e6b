//! `admin:` and `probes:` of a pipeline file. A listener that others can reach has to know who asks.

use config::{Address, Environment, Fault, Graph, Place, Placed, Secret, ServerTls, document::Real, wire::path};
use net::{Transport, Url, tls::ServerFiles};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
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
    pub token: Option<Secret>,
    /// Without it the port speaks plain text.
    pub tls: Option<ServerTls>,
}

/// `probes:`: a listener for `/livez`, `/readyz` and `/metrics` only, which needs no token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct ProbesWords {
    /// HOST:PORT, such as `0.0.0.0:4320`.
    #[schemars(with = "String")]
    pub listen: Placed<Address>,
    /// Without it the port speaks plain text.
    pub tls: Option<ServerTls>,
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

/// Where the API listens and who may ask it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) listen: String,
    pub(crate) listen_place: Place,
    pub(crate) url: Option<Url>,
    pub(crate) token: Option<Secret>,
    pub(crate) transport: Transport,
    pub(crate) probes: Option<Probes>,
}

/// The probes' port.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    pub(crate) listen: Placed<String>,
    pub(crate) transport: Transport,
}

impl Settings {
    /// Reads `admin:` and `probes:`; both may be left out. Paths in them are relative to `folder`.
    ///
    /// # Errors
    /// Every fault of either, among them a listener off loopback without a token.
    pub fn read(graph: &Graph, folder: &Path) -> Result<Settings, Vec<Fault>> {
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
                    Ok(words) => match transport(words.tls.as_ref(), folder) {
                        Ok(transport) => probes = Some(Probes { listen: words.listen.map(|address| address.0), transport }),
                        Err(fault) => faults.push(fault),
                    },
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
        let transport = transport(admin.tls.as_ref(), folder).unwrap_or_else(|fault| {
            faults.push(fault);
            Transport::Plain
        });
        if let Some(probes) = probes.as_ref().filter(|probes| *probes.listen == listen && !listen.ends_with(":0")) {
            faults
                .push(probes.listen.fault(format!("`probes` and `admin` both listen on {listen}")).help("give `probes` a port of its own"));
        }
        if faults.is_empty() {
            Ok(Settings { listen, listen_place, url: admin.url.map(|url| url.0), token: admin.token, transport, probes })
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

/// Files that cannot be used are a fault at the certificate.
fn transport(tls: Option<&ServerTls>, folder: &Path) -> Result<Transport, Fault> {
    let Some(tls) = tls else { return Ok(Transport::Plain) };
    let at = |written| path(written, folder);
    let files = ServerFiles { cert: at(&tls.cert), key: at(&tls.key), client_ca: tls.client_ca.as_ref().map(at) };
    Transport::tls(files, |path| Real.file(&path.to_string_lossy())).map_err(|error| tls.cert.fault(error.to_string()))
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
        Settings::read(&graph, Path::new("."))
            .map_err(|faults| faults.into_iter().map(|f| format!("{} at {}", f.what, f.place.start)).collect())
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
}
