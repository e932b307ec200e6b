//! Credentials in the `Authorization` header: shown by a client, asked for by a listener (RFC 6750, RFC 7617).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use std::{fmt, hint::black_box, sync::Arc};

/// Who somebody says to be. Never shown.
#[derive(Clone)]
pub struct Credential {
    scheme: Scheme,
    /// As it stands after the scheme.
    secret: Arc<str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Basic,
}

/// The credential of a listener is missing, or another one was shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unauthorized {
    what: &'static str,
    /// For the header `WWW-Authenticate`.
    pub challenge: HeaderValue,
}

impl Credential {
    /// A token.
    #[must_use]
    pub fn bearer(token: &str) -> Credential {
        Credential { scheme: Scheme::Bearer, secret: token.into() }
    }

    /// A user, who can have no colon, and a password.
    #[must_use]
    pub fn basic(user: &str, password: &str) -> Credential {
        Credential { scheme: Scheme::Basic, secret: STANDARD.encode(format!("{user}:{password}")).into() }
    }

    /// For the header `Authorization`; none where the token has characters that no header can hold.
    #[must_use]
    pub fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("{} {}", self.scheme.word(), self.secret)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether these headers show it. Takes as long whatever is right of what they show.
    pub fn admits(&self, headers: &HeaderMap) -> Result<(), Unauthorized> {
        let scheme = self.scheme.word();
        let shown = headers.get(AUTHORIZATION).and_then(|value| {
            let (word, rest) = value.as_bytes().split_at_checked(scheme.len() + 1)?;
            word.eq_ignore_ascii_case(format!("{scheme} ").as_bytes()).then(|| rest.trim_ascii())
        });
        let what = match (shown, self.scheme) {
            (Some(shown), _) if same(self.secret.as_bytes(), shown) => return Ok(()),
            (Some(_), _) => "this is not the credential of this listener",
            (None, Scheme::Bearer) => "send the token of this listener as `Authorization: Bearer TOKEN`",
            (None, Scheme::Basic) => "send the user and password of this listener as `Authorization: Basic …`",
        };
        let challenge = match self.scheme {
            Scheme::Bearer => HeaderValue::from_static("Bearer"),
            Scheme::Basic => HeaderValue::from_static("Basic realm=\"kansoku\""),
        };
        Err(Unauthorized { what, challenge })
    }
}

impl Scheme {
    fn word(self) -> &'static str {
        match self {
            Scheme::Bearer => "Bearer",
            Scheme::Basic => "Basic",
        }
    }
}

/// Compares every byte that was said, whatever came before it.
fn same(own: &[u8], said: &[u8]) -> bool {
    let differences = said.iter().enumerate().fold(0_u8, |found, (at, byte)| {
        let own = own.get(at % own.len().max(1)).copied().unwrap_or(0);
        black_box(found | (byte ^ own))
    });
    (differences == 0) & (said.len() == own.len())
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} …)", self.scheme.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_credential_in_the_right_scheme_is_admitted() {
        let (bearer, basic) = (Credential::bearer("secret"), Credential::basic("shop", "pass:word"));
        let table = [
            (&bearer, None, false),
            (&bearer, Some("Bearer secret"), true),
            (&bearer, Some("bearer  secret "), true),
            (&bearer, Some("Bearer Secret"), false),
            (&bearer, Some("Bearer secre"), false),
            (&bearer, Some("Bearer secretsecret"), false),
            (&bearer, Some("Bearer "), false),
            (&bearer, Some("Basic secret"), false),
            (&basic, None, false),
            (&basic, Some("Basic c2hvcDpwYXNzOndvcmQ="), true),
            (&basic, Some("Basic c2hvcDpwYXNz"), false),
            (&basic, Some("Bearer c2hvcDpwYXNzOndvcmQ="), false),
        ];
        for (credential, said, admitted) in table {
            let headers = HeaderMap::from_iter(said.map(|said| (AUTHORIZATION, said.parse().unwrap())));
            assert_eq!(credential.admits(&headers).is_ok(), admitted, "{credential:?} {said:?}");
            let own = HeaderMap::from_iter([(AUTHORIZATION, credential.header().unwrap())]);
            assert_eq!(credential.admits(&own), Ok(()));
        }
        assert!(Credential::bearer("new\nline").header().is_none());
    }

    #[test]
    fn a_credential_is_never_shown() {
        let credential = Credential::basic("shop", "secret");
        assert_eq!(format!("{credential:?} {:?}", credential.header().unwrap()), "Credential(Basic …) Sensitive");
    }
}
