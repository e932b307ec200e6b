//! What is written of a Kafka cluster, the same for who writes to it and who reads from it. `net` makes of it what librdkafka is told.

use crate::{
    Fault, Placed, Secret,
    wire::{identity, path},
};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// `HOST:PORT` of a broker.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct Broker(pub String);

const USUAL_PORT: u16 = 9092;

impl TryFrom<String> for Broker {
    type Error = String;

    fn try_from(text: String) -> Result<Broker, String> {
        if let Some((scheme, rest)) = text.split_once("://") {
            return Err(format!("`{text}` is no HOST:PORT; leave `{scheme}://` out: `{rest}`"));
        }
        if text.contains(',') {
            return Err(format!("`{text}` is no HOST:PORT; write several brokers as a list"));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.starts_with('[') && host.ends_with(']') => (host, Some(port)),
            Some(_) => return Err(format!("`{text}` is no HOST:PORT; write it like `[{text}]:{USUAL_PORT}`")),
            None => (text.as_str(), None),
        };
        match port {
            None => Err(format!("`{text}` is no HOST:PORT; did you mean `{text}:{USUAL_PORT}`?")),
            Some(_) if host.is_empty() => Err(format!("`{text}` is no HOST:PORT: it has no host")),
            Some(port) if port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(Broker(text)),
            Some(_) => Err(format!("`{text}` is no HOST:PORT: a port is from 1 to 65535")),
        }
    }
}

/// TLS of the connections to the brokers; `tls: {}` trusts the machine's authorities. The files are PEM, and are taken over within seconds when they change.
/// A broker's certificate has to be for the host that the cluster gives out for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct KafkaTls {
    /// Authorities to trust in the place of the machine's.
    ca: Option<Placed<String>>,
    /// A certificate to show, where the brokers ask for one.
    cert: Option<Placed<String>>,
    /// The key of the certificate.
    key: Option<Placed<String>>,
}

/// The files of `tls`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KafkaFiles {
    /// Authorities.
    pub ca: Option<PathBuf>,
    /// A certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl KafkaTls {
    /// Its files, which are relative to the folder of the pipeline file.
    ///
    /// # Errors
    /// A certificate stands without its key, or a key without its certificate.
    pub fn files(&self, folder: &Path) -> Result<KafkaFiles, Fault> {
        let identity = identity(self.cert.as_ref(), self.key.as_ref(), folder)?;
        Ok(KafkaFiles { ca: self.ca.as_ref().map(|ca| path(ca, folder)), identity })
    }
}

/// Who one is, for brokers that ask for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Sasl {
    /// `plain`, `scram_sha_256` or `scram_sha_512`.
    pub mechanism: SaslMechanism,
    /// The user.
    pub user: String,
    /// The password; best from `${env:NAME}` or `${file:PATH}`.
    pub password: Secret,
}

/// How the password is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SaslMechanism {
    /// As it is: only within TLS.
    Plain,
    /// SCRAM-SHA-256, which shows only that one knows it.
    #[serde(rename = "scram_sha_256")]
    ScramSha256,
    /// SCRAM-SHA-512.
    #[serde(rename = "scram_sha_512")]
    ScramSha512,
}

impl SaslMechanism {
    /// Its registered name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// An error of a cluster stands where its files are written, or its brokers.
#[must_use]
pub fn fault(brokers: &Placed<Vec<Broker>>, tls: Option<&KafkaTls>, what: &str) -> Fault {
    let written = tls.and_then(|tls| [&tls.ca, &tls.cert].into_iter().flatten().next());
    written.map_or_else(|| brokers.fault(what), |written| written.fault(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_a_broker() {
        for text in ["kafka:9092", "127.0.0.1:1", "[::1]:9092", "b-1.msk.example.org:9096"] {
            assert_eq!(Broker::try_from(text.to_owned()), Ok(Broker(text.to_owned())));
        }
    }

    #[test]
    fn mechanisms_have_their_registered_names() {
        let words = [SaslMechanism::Plain, SaslMechanism::ScramSha256, SaslMechanism::ScramSha512].map(SaslMechanism::word);
        assert_eq!(words, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);
    }

    #[test]
    fn what_is_none_is_told_what_was_meant() {
        for (text, said) in [
            ("kafka", "did you mean `kafka:9092`?"),
            ("kafka:0", "a port is from 1 to 65535"),
            ("kafka:99999", "a port is from 1 to 65535"),
            ("kafka:", "a port is from 1 to 65535"),
            (":9092", "it has no host"),
            ("::1", "write it like `[::1]:9092`"),
            ("a:9092,b:9092", "write several brokers as a list"),
            ("SASL_SSL://a:9092", "leave `SASL_SSL://` out: `a:9092`"),
        ] {
            let fault = Broker::try_from(text.to_owned()).unwrap_err();
            assert!(fault.starts_with(&format!("`{text}` is no HOST:PORT")) && fault.contains(said), "{fault}");
        }
    }
}
