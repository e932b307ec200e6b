//! `tls` and `auth` of a listener, as `net` serves with them.

use config::Environment;
use config::{Auth, Fault, ServerTls, document::Real, wire::path};
use net::{Credential, Transport, tls::ServerFiles};
use std::path::Path;

/// Files that cannot be used are a fault at the certificate.
pub(super) fn transport(tls: &ServerTls, folder: &Path) -> Result<Transport, Fault> {
    let files = ServerFiles {
        cert: path(&tls.cert, folder),
        key: path(&tls.key, folder),
        client_ca: tls.client_ca.as_ref().map(|written| path(written, folder)),
    };
    Transport::tls(files, |path| Real.file(&path.to_string_lossy())).map_err(|error| tls.cert.fault(error.to_string()))
}

pub(super) fn credential(auth: &Auth) -> Credential {
    match auth {
        Auth::Bearer(token) => Credential::bearer(token.expose()),
        Auth::Basic(basic) => Credential::basic(&basic.user, basic.password.expose()),
    }
}
