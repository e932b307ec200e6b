//! An authority of our own and the certificates that it gives out, as PEM files in a folder.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::{Path, PathBuf};

/// Gives out certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
    /// Its own certificate.
    pub ca: PathBuf,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one with a name, which is also the name of its file.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let ca = folder.join(format!("{name}.pem"));
        write(&ca, &issuer.pem());
        Authority { issuer, folder: folder.to_owned(), ca }
    }

    /// Writes a certificate for localhost, 127.0.0.1 and this name over `NAME.pem` and `NAME.key`.
    #[must_use]
    pub fn issue(&self, name: &str) -> Identity {
        let names = ["localhost", "127.0.0.1", name].map(str::to_owned);
        let params = CertificateParams::new(names).expect("names");
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        let at = Identity { cert: self.folder.join(format!("{name}.pem")), key: self.folder.join(format!("{name}.key")) };
        write(&at.key, &key.serialize_pem());
        write(&at.cert, &cert.pem());
        at
    }
}

/// Reads a file as `net` asks for it.
///
/// # Errors
/// The system's words.
pub fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// Writes a file anew, as somebody does who renews certificates.
pub fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("the folder can be written to");
}
