//! What is written of TLS and of credentials, the same for every listener and every client. `net` makes of it what it serves and calls with.

use crate::Placed;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// A text that is never shown: a token, a password.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(Placed<String>);

impl Secret {
    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Where it stands, for errors, which must not quote it.
    #[must_use]
    pub fn place(&self) -> crate::Place {
        self.0.place()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// TLS of a listener. The files are PEM, and are taken over within seconds when they change.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct ServerTls {
    /// The certificate, followed by those between it and an authority.
    pub cert: Placed<String>,
    /// The key of the certificate.
    pub key: Placed<String>,
    /// Authorities: with it every client has to show a certificate of one of them (mTLS).
    pub client_ca: Option<Placed<String>>,
}

/// TLS of a client, for an `https` address. The files are PEM, and are taken over within seconds when they change.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct ClientTls {
    /// Authorities to trust in the place of the machine's.
    pub ca: Option<Placed<String>>,
    /// A certificate to show, where the server asks for one.
    pub cert: Option<Placed<String>>,
    /// The key of the certificate.
    pub key: Option<Placed<String>>,
    /// The name that the server's certificate is for, by default the host of the address.
    pub server_name: Option<Placed<String>>,
}

/// The files of a certificate and its key, which are shown together.
///
/// # Errors
/// One is set without the other.
pub fn identity(
    cert: Option<&Placed<String>>,
    key: Option<&Placed<String>>,
    folder: &Path,
) -> Result<Option<(PathBuf, PathBuf)>, crate::Fault> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some((path(cert, folder), path(key, folder)))),
        (None, None) => Ok(None),
        (Some(one), None) => Err(one.fault("`cert` is shown with its `key`; set both")),
        (None, Some(one)) => Err(one.fault("`key` is of a `cert`; set both")),
    }
}

/// What a client shows and a listener asks for: one of the two.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "AuthWords")]
pub enum Auth {
    /// A token.
    Bearer(Secret),
    /// A user and a password.
    Basic(Basic),
}

/// As it is written.
#[derive(Deserialize, JsonSchema)]
pub struct AuthWords {
    /// A token, as `Authorization: Bearer TOKEN`; best from `${env:NAME}` or `${file:PATH}`.
    bearer: Option<Secret>,
    /// A user and a password, as `Authorization: Basic …`.
    basic: Option<Basic>,
}

/// A user and a password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Basic {
    /// The user, without a colon.
    pub user: String,
    /// The password; best from `${env:NAME}` or `${file:PATH}`.
    pub password: Secret,
}

impl TryFrom<AuthWords> for Auth {
    type Error = String;

    fn try_from(words: AuthWords) -> Result<Auth, String> {
        match (words.bearer, words.basic) {
            (Some(token), None) if token.expose().is_empty() => Err("`bearer` is empty".to_owned()),
            (Some(token), None) => Ok(Auth::Bearer(token)),
            (None, Some(basic)) if basic.user.contains(':') => {
                Err("the user of `basic` has a colon, which ends it for every server".to_owned())
            }
            (None, Some(basic)) => Ok(Auth::Basic(basic)),
            _ => Err("write one of `bearer: TOKEN` and `basic: { user, password }`".to_owned()),
        }
    }
}

/// The path of a file named in a pipeline file, which is relative to that file's folder.
#[must_use]
pub fn path(written: &Placed<String>, folder: &Path) -> PathBuf {
    folder.join(written.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, document::Real};

    #[derive(Debug, Deserialize)]
    struct Words {
        auth: Auth,
    }

    fn auth(text: &str) -> Result<Auth, String> {
        let document = Document::parse("p.yaml", &format!("auth: {text}"), &Real).unwrap();
        document.read::<Words>().map(|words| words.auth).map_err(|faults| faults[0].what.clone())
    }

    #[test]
    fn one_credential_is_written_and_no_secret_is_shown() {
        let bearer = auth("{ bearer: hidden-token }").unwrap();
        let basic = auth("{ basic: { user: shop, password: hidden-password } }").unwrap();
        let shown = format!("{bearer:?} {basic:?}");
        assert!(shown.contains("shop") && !shown.contains("hidden"), "{shown}");
        let one_of = "write one of `bearer: TOKEN` and `basic: { user, password }`";
        for (written, said) in [
            ("{}", one_of),
            ("{ bearer: a, basic: { user: b, password: c } }", one_of),
            ("{ bearer: '' }", "`bearer` is empty"),
            ("{ basic: { user: 'a:b', password: c } }", "the user of `basic` has a colon"),
        ] {
            let fault = auth(written).unwrap_err();
            assert!(fault.contains(said), "{fault}");
        }
    }
}
