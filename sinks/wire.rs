//! `tls` and `auth` of whoever calls out, as `net` calls with them.

#[cfg(feature = "kafka")]
use config::kafka::{self, Broker, KafkaFiles, KafkaTls, Sasl};
use config::{
    Auth, ClientTls, Environment, Fault, Placed,
    document::Real,
    wire::{identity, path},
};
use http::{HeaderValue, header::AUTHORIZATION};
#[cfg(feature = "kafka")]
use net::kafka::Cluster;
use net::{
    Client, Credential, Protocol, Url, reach,
    tls::{ClientFiles, name},
};
use std::{net::SocketAddr, path::Path};

/// How one calls out, also to servers that become known later.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    protocol: Protocol,
    files: Option<ClientFiles>,
}

impl Dial {
    /// A client for this URL.
    pub(crate) fn client(&self, url: &Url) -> Result<Client, String> {
        match &self.files {
            Some(files) => Client::with_tls(self.protocol, files.clone(), read).map_err(|error| error.to_string()),
            None => Client::new(self.protocol, url).map_err(|error| error.to_string()),
        }
    }

    /// The same, which connects to this address.
    pub(crate) fn client_at(&self, url: &Url, address: SocketAddr) -> Result<Client, String> {
        match &self.files {
            Some(files) => Client::with_tls_at(self.protocol, files.clone(), read, url, address).map_err(|error| error.to_string()),
            None => Client::new_at(self.protocol, url, address).map_err(|error| error.to_string()),
        }
    }
}

/// How the URL that is written there is called, and a client for it.
pub(crate) fn dial(
    protocol: Protocol,
    written: &Placed<String>,
    url: &Url,
    tls: Option<&ClientTls>,
    folder: &Path,
) -> Result<(Dial, Client), Fault> {
    let (files, first) = match tls {
        Some(tls) => files(written, url, tls, folder).map(|(files, first)| (Some(files), first))?,
        None => (None, written),
    };
    let dial = Dial { protocol, files };
    let client = dial.client(url).map_err(|why| first.fault(why))?;
    Ok((dial, client))
}

/// One for the URL of a webhook.
pub(crate) fn webhook(written: &Placed<String>, url: &Url, tls: Option<&ClientTls>, folder: &Path) -> Result<Client, Fault> {
    reach::check(url).map_err(|forbidden| written.fault(forbidden.to_string()))?;
    let Some(tls) = tls else { return Client::webhook(url).map_err(|error| written.fault(error.to_string())) };
    let (files, first) = files(written, url, tls, folder)?;
    Client::webhook_with_tls(files, read).map_err(|error| first.fault(error.to_string()))
}

fn read(path: &Path) -> Result<String, String> {
    Real.file(&path.to_string_lossy())
}

/// The files that `tls` names, and what a fault in them is said of.
fn files<'a>(
    written: &'a Placed<String>,
    url: &Url,
    tls: &'a ClientTls,
    folder: &Path,
) -> Result<(ClientFiles, &'a Placed<String>), Fault> {
    if url.scheme() != "https" {
        return Err(written.fault("`tls` is set, but the address is not").help("write it as `https://…`, or leave `tls` out"));
    }
    let at = |written: &Option<Placed<String>>| written.as_ref().map(|written| path(written, folder));
    let identity = identity(tls.cert.as_ref(), tls.key.as_ref(), folder)?;
    let server_name = match &tls.server_name {
        Some(written) => Some(name(written).ok_or_else(|| written.fault(format!("`{}` is no name of a server", written.as_str())))?),
        None => None,
    };
    let files = ClientFiles { ca: at(&tls.ca), identity, server_name };
    Ok((files, [&tls.ca, &tls.cert].into_iter().flatten().next().unwrap_or(written)))
}

/// The Kafka cluster of these brokers.
#[cfg(feature = "kafka")]
pub(crate) fn cluster(
    brokers: &Placed<Vec<Broker>>,
    client_id: &str,
    (tls, sasl): (Option<&KafkaTls>, Option<&Sasl>),
    folder: &Path,
) -> Result<Cluster, Fault> {
    let files = tls.map(|tls| tls.files(folder)).transpose()?;
    let files = files.map(|KafkaFiles { ca, identity }| ClientFiles { ca, identity, server_name: None });
    let sasl = sasl.map(|Sasl { mechanism, user, password }| net::kafka::Sasl {
        mechanism: mechanism.word(),
        user: user.clone(),
        password: password.expose().to_owned(),
    });
    let hosts: Vec<String> = brokers.iter().map(|broker| broker.0.clone()).collect();
    Cluster::new(&hosts, client_id, files, sasl, read).map_err(|error| kafka::fault(brokers, tls, &error.to_string()))
}

/// The header that shows who one is.
pub(crate) fn authorization(auth: &Auth) -> Result<(http::HeaderName, HeaderValue), Fault> {
    let (credential, place) = match auth {
        Auth::Bearer(token) => (Credential::bearer(token.expose()), token.place()),
        Auth::Basic(basic) => (Credential::basic(&basic.user, basic.password.expose()), basic.password.place()),
    };
    let value = credential.header().ok_or_else(|| Fault::at(place, "it has characters that no header can hold"))?;
    Ok((AUTHORIZATION, value))
}
