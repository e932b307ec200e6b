//! TLS both ways (rustls with ring). Certificates are read by whoever may read files, looked at again when a connection is made, and taken over when they have changed.

mod client;
mod fresh;
mod server;
#[cfg(test)]
mod tests;

pub use client::ClientFiles;
pub use server::{Certificates, ServerFiles, Transport};

#[cfg(feature = "kafka")]
pub(crate) use client::authorities;
pub(crate) use client::config as client_config;
pub(crate) use fresh::Fresh;

use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Reads a text file; the error says why there is none, without the path.
pub type ReadText = fn(&Path) -> Result<String, String>;

/// A file that TLS cannot be spoken with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {what}", path.display())]
pub struct TlsError {
    /// Which.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    path: PathBuf,
    text: String,
}

impl Text {
    #[cfg(feature = "kafka")]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn wrong(&self, what: impl Into<String>) -> TlsError {
        TlsError { path: self.path.clone(), what: what.into() }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(self.text.as_bytes()).collect();
        let found = read.map_err(|error| self.wrong(format!("a certificate in it cannot be read ({error})")))?;
        if found.is_empty() { Err(self.wrong("it holds no certificate in PEM")) } else { Ok(found) }
    }

    /// What rustls says of a key may quote it; so it is not told.
    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(self.text.as_bytes()).map_err(|_| self.wrong("it holds no private key in PEM"))
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.wrong(format!("a certificate in it is no authority ({error})")))?;
        }
        Ok(roots)
    }
}

/// The name of a server, or its address; none where it is neither.
#[must_use]
pub fn name(text: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(text.to_owned()).ok()
}

/// The one crypto provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
