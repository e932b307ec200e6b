//! What both ends of Kafka share: how a cluster is reached (TLS, SASL) as librdkafka is told, and what librdkafka says, as we say it. It takes PEM as text, so that
//! nobody but `journal/disk.rs` and `config/document.rs` opens files.

use crate::tls::{ClientFiles, Fresh, ReadText, Text, TlsError, authorities, client_config};
use parking_lot::Mutex;
use rdkafka::{ClientConfig, config::RDKafkaLogLevel, error::KafkaError};
use std::{fmt, sync::Arc, time::Duration};

/// How long a broker that was down may be back before anybody notices.
const RECONNECT_MAX: Duration = Duration::from_secs(2);

/// A user and a password.
#[derive(Clone)]
pub struct Sasl {
    /// How they are shown: the registered name of a mechanism.
    pub mechanism: &'static str,
    /// The user.
    pub user: String,
    /// Never shown here.
    pub password: String,
}

/// A cluster, as a producer or consumer is told of it.
#[derive(Debug)]
pub struct Cluster {
    brokers: String,
    config: Fresh<Told>,
}

/// What librdkafka is told.
type Told = Arc<ClientConfig>;

impl Cluster {
    /// Of these `HOST:PORT`s. With `tls`, even without any file in it, TLS is spoken.
    ///
    /// # Errors
    /// A file cannot be read, or TLS cannot be spoken with it.
    pub fn new(
        brokers: &[String],
        client_id: &str,
        tls: Option<ClientFiles>,
        sasl: Option<Sasl>,
        read: ReadText,
    ) -> Result<Cluster, TlsError> {
        let brokers = brokers.join(",");
        let mut base = ClientConfig::new();
        base.set("bootstrap.servers", &brokers).set("client.id", client_id);
        base.set(
            "security.protocol",
            match (&tls, &sasl) {
                (None, None) => "plaintext",
                (Some(_), None) => "ssl",
                (None, Some(_)) => "sasl_plaintext",
                (Some(_), Some(_)) => "sasl_ssl",
            },
        );
        if let Some(Sasl { mechanism, user, password }) = sasl {
            base.set("sasl.mechanisms", mechanism).set("sasl.username", user).set("sasl.password", password);
        }
        base.set("reconnect.backoff.max.ms", RECONNECT_MAX.as_millis().to_string());
        // Brokers close connections that idle.
        base.set("log.connection.close", "false");
        let Some(files) = tls else { return Ok(Cluster { brokers, config: Fresh::fixed(Arc::new(base)) }) };
        let config = Fresh::new(files.paths(), read, move |texts| with_tls(&base, &files, texts).map(Arc::new))?;
        Ok(Cluster { brokers, config })
    }

    /// The brokers, as a person reads them.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// What librdkafka is told of the cluster. Another `Arc` once a certificate has changed: whoever holds a client that was made of the last one makes it anew.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        self.config.get()
    }
}

/// The texts, once rustls has said that they are what they should be: it says better than OpenSSL what is wrong.
fn with_tls(base: &ClientConfig, files: &ClientFiles, texts: &[Text]) -> Result<ClientConfig, TlsError> {
    client_config(files, texts)?;
    let mut config = base.clone();
    let mut texts = texts.iter().map(Text::as_str);
    match &files.ca {
        Some(_) => config.set("ssl.ca.pem", texts.next().unwrap_or_default()),
        None => config.set("ssl.ca.pem", authorities()),
    };
    if files.identity.is_some() {
        config.set("ssl.certificate.pem", texts.next().unwrap_or_default());
        config.set("ssl.key.pem", texts.next().unwrap_or_default());
    }
    Ok(config)
}

/// What librdkafka says on its own: its log goes to ours, and the last thing that it complained of is kept for whoever has to say why nothing moves.
#[derive(Debug, Default)]
pub struct Heard(Mutex<Option<String>>);

impl Heard {
    /// For `ClientContext::log`. Complaints come as errors, too, and are told by whoever they keep waiting.
    pub fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(facility, "librdkafka: {text}");
            }
            _ => tracing::debug!(facility, "librdkafka: {text}"),
        }
    }

    /// For `ClientContext::error`. That all brokers are down says less than why one of them is.
    pub fn error(&self, error: &KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka");
        let all_down = error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::AllBrokersDown);
        let mut last = self.0.lock();
        if !all_down || last.is_none() {
            *last = Some(reason.to_owned());
        }
    }

    /// Something went well: what was complained of is over.
    pub fn well(&self) {
        self.0.lock().take();
    }

    /// What was complained of last.
    #[must_use]
    pub fn last(&self) -> Option<String> {
        self.0.lock().clone()
    }
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sasl").field("mechanism", &self.mechanism).field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::tls::{Authority, read};

    fn told(tls: Option<ClientFiles>, sasl: Option<Sasl>) -> Arc<ClientConfig> {
        let brokers = ["a:9092".to_owned(), "b:9092".to_owned()];
        Cluster::new(&brokers, "kansoku", tls, sasl, read).unwrap().config()
    }

    fn sasl() -> Sasl {
        Sasl { mechanism: "SCRAM-SHA-512", user: "shop".to_owned(), password: "hidden".to_owned() }
    }

    #[test]
    fn the_protocol_follows_from_what_is_set() {
        let folder = tempfile::tempdir().unwrap();
        let files = || Some(ClientFiles { ca: Some(Authority::new(folder.path(), "ca").ca), ..ClientFiles::default() });
        for (tls, sasl, protocol) in [
            (None, None, "plaintext"),
            (files(), None, "ssl"),
            (None, Some(sasl()), "sasl_plaintext"),
            (files(), Some(sasl()), "sasl_ssl"),
            (Some(ClientFiles::default()), None, "ssl"),
        ] {
            let config = told(tls, sasl);
            assert_eq!(config.get("security.protocol"), Some(protocol));
            assert_eq!(config.get("bootstrap.servers"), Some("a:9092,b:9092"));
            config.create_native_config().unwrap();
        }
        assert_eq!(told(None, Some(sasl())).get("sasl.mechanisms"), Some("SCRAM-SHA-512"));
    }

    #[test]
    fn certificates_are_shown_as_texts_and_broken_ones_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path(), "ca");
        let shown = authority.issue("shop");
        let files = ClientFiles { ca: Some(authority.ca.clone()), identity: Some((shown.cert.clone(), shown.key)), server_name: None };
        let config = told(Some(files.clone()), None);
        for (key, begins) in
            [("ssl.ca.pem", "-----BEGIN CERT"), ("ssl.certificate.pem", "-----BEGIN CERT"), ("ssl.key.pem", "-----BEGIN PRIVATE")]
        {
            assert!(config.get(key).unwrap().starts_with(begins), "{key}");
        }
        kit::tls::write(&shown.cert, "nothing");
        let broken = Cluster::new(&[], "x", Some(files), None, read).unwrap_err().to_string();
        assert!(broken.ends_with("shop.pem: it holds no certificate in PEM"), "{broken}");
    }

    #[test]
    fn what_is_heard_last_is_why() {
        let (heard, global) = (Heard::default(), |code| KafkaError::Global(code));
        heard.error(&global(rdkafka::types::RDKafkaErrorCode::BrokerTransportFailure), "connection refused");
        heard.error(&global(rdkafka::types::RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert_eq!(heard.last().as_deref(), Some("connection refused"));
        heard.well();
        assert_eq!(heard.last(), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        assert!(!format!("{:?}", sasl()).contains("hidden"));
    }
}
