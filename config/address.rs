//! `HOST:PORT`, for listeners. Whether the host exists only shows when it is bound.

use serde::Deserialize;

/// An address to listen on, such as `127.0.0.1:4318` or `[::]:4318`: a host, a colon and a port up to 65535.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Address(pub String);

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Address, String> {
        let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let (host, port) = text.rsplit_once(':').unwrap_or(("", &text));
        let bare = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        Err(match (digits(port), port.parse::<u16>().is_ok()) {
            (true, false) => format!("`{text}` is no HOST:PORT: a port is at most 65535"),
            (true, true) if host.is_empty() => format!("`{text}` is no HOST:PORT; did you mean `127.0.0.1:{port}`?"),
            (true, true) if !bare => return Ok(Address(text)),
            _ => format!("`{text}` is no HOST:PORT; write it like `127.0.0.1:4318` or `[::1]:4318`"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_an_address() {
        for text in ["127.0.0.1:4318", "[::]:0", "localhost:1", "example.org:65535"] {
            assert_eq!(Address::try_from(text.to_owned()), Ok(Address(text.to_owned())));
        }
    }

    #[test]
    fn what_is_none_is_told_what_was_meant() {
        for (text, said) in [
            ("4318", "did you mean `127.0.0.1:4318`?"),
            (":4318", "did you mean `127.0.0.1:4318`?"),
            ("127.0.0.1:99999", "a port is at most 65535"),
            ("0.0.0.0", "write it like"),
            ("otlp", "write it like"),
            ("::1", "write it like"),
            ("host:", "write it like"),
        ] {
            let fault = Address::try_from(text.to_owned()).unwrap_err();
            assert!(fault.starts_with(&format!("`{text}` is no HOST:PORT")) && fault.contains(said), "{fault}");
        }
    }
}
