//! The listening side: a certificate, and whose clients' certificates are asked for.

use super::{Fresh, ReadText, Text, TlsError, provider};
use rustls::{ServerConfig, server::WebPkiClientVerifier};
use std::{io, path::PathBuf, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

/// The files of a listener, in PEM.
#[derive(Clone, Debug)]
pub struct ServerFiles {
    /// Its certificate, and those between it and an authority.
    pub cert: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
    /// Authorities: every client has to show a certificate of one of them.
    pub client_ca: Option<PathBuf>,
}

/// What bytes travel in. Clones share it.
#[derive(Clone, Debug)]
pub enum Transport {
    /// As they are.
    Plain,
    /// In TLS 1.2 or 1.3.
    Tls(Certificates),
}

/// A listener's certificates, kept as fresh as their files.
#[derive(Clone, Debug)]
pub struct Certificates(Arc<Fresh<Arc<ServerConfig>>>);

impl Transport {
    /// TLS with these files, which are read now and looked at again when connections come.
    pub fn tls(files: ServerFiles, read: ReadText) -> Result<Transport, TlsError> {
        let paths = [Some(files.cert), Some(files.key), files.client_ca].into_iter().flatten().collect();
        Ok(Transport::Tls(Certificates(Arc::new(Fresh::new(paths, read, config)?))))
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self {
            Transport::Plain => "http",
            Transport::Tls(_) => "https",
        }
    }

    /// Shakes hands. Without a time limit.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Box<dyn Stream>> {
        match self {
            Transport::Plain => Ok(Box::new(stream)),
            Transport::Tls(Certificates(config)) => Ok(Box::new(TlsAcceptor::from(config.get()).accept(stream).await?)),
        }
    }
}

/// A connection, whatever it travels in.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

fn config(texts: &[Text]) -> Result<Arc<ServerConfig>, TlsError> {
    let [cert, key, authorities @ ..] = texts else { return Err(TlsError { path: PathBuf::new(), what: "no files".into() }) };
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| cert.wrong(error.to_string()))?;
    let builder = match authorities.first() {
        Some(authorities) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities.roots()?), provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| authorities.wrong(error.to_string()))?)
        }
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(cert.certificates()?, key.key()?);
    let mut config = config.map_err(|error| key.wrong(format!("it does not go with {} ({error})", cert.path.display())))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
