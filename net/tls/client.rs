//! The calling side: whom to trust, and what to show.

use super::{Text, TlsError, provider};
use rustls::{
    ClientConfig, RootCertStore,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::{path::PathBuf, sync::Arc};

/// The files of a client, in PEM; without any, the machine's authorities are trusted and nothing is shown.
#[derive(Clone, Debug, Default)]
pub struct ClientFiles {
    /// Authorities to trust in the place of the machine's.
    pub ca: Option<PathBuf>,
    /// A certificate to show, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// What the server's certificate has to be for, where that is not the host of the URL.
    pub server_name: Option<ServerName<'static>>,
}

impl ClientFiles {
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let (cert, key) = self.identity.clone().unzip();
        [self.ca.clone(), cert, key].into_iter().flatten().collect()
    }
}

/// Of the texts of `files.paths()`.
pub(crate) fn config(files: &ClientFiles, texts: &[Text]) -> Result<ClientConfig, TlsError> {
    let broken = |what: String| TlsError { path: files.paths().into_iter().next().unwrap_or_default(), what };
    let (ca, identity) = if files.ca.is_some() { (texts.first(), texts.get(1..)) } else { (None, Some(texts)) };
    let roots = match ca {
        Some(ca) => ca.roots()?,
        None => of_this_machine(),
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    let verifier = verifier.map_err(|error| broken(format!("nobody can be trusted ({error})")))?;
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| broken(error.to_string()))?.dangerous();
    let builder = builder.with_custom_certificate_verifier(Arc::new(Named { name: files.server_name.clone(), verifier }));
    match identity {
        Some([cert, key]) => {
            let config = builder.with_client_auth_cert(cert.certificates()?, key.key()?);
            config.map_err(|error| key.wrong(format!("it does not go with {} ({error})", cert.path.display())))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// Those that cannot be read are left out, as everywhere.
fn of_this_machine() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// The same as one text in PEM.
#[cfg(feature = "kafka")]
pub(crate) fn authorities() -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let pem = |certificate: CertificateDer<'_>| {
        let text = STANDARD.encode(certificate);
        let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    rustls_native_certs::load_native_certs().certs.into_iter().map(pem).collect()
}

/// Asks for another name than that of the URL, where one is set; nothing else is laxer.
#[derive(Debug)]
struct Named {
    name: Option<ServerName<'static>>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier.verify_server_cert(certificate, between, self.name.as_ref().unwrap_or(name), ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
