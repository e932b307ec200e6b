//! How a call ended, and its form in headers: `grpc-status`, `grpc-message`, `grpc-status-details-bin`.

use super::Code;
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use std::{borrow::Cow, fmt};

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What kind of failure.
    pub code: Code,
    /// In words, for a person.
    pub message: String,
    /// An encoded google.rpc.Status that says the same and more (RetryInfo), or empty.
    pub details: Bytes,
}

const CODE: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
/// What is percent-encoded besides all that is not ASCII (grpc/doc/PROTOCOL-HTTP2.md).
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Status {
    /// A failure without details.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Status {
        Status { code, message: message.into(), details: Bytes::new() }
    }

    /// Writes it into the headers or trailers of an answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(CODE, HeaderValue::from(self.code.number()));
        let message: Cow<'_, str> = utf8_percent_encode(&self.message, ENCODED).into();
        // Neither encoding leaves anything that a header cannot hold.
        headers.insert(MESSAGE, HeaderValue::try_from(&*message).unwrap_or(HeaderValue::from_static("")));
        if !self.details.is_empty() {
            let details = BASE64.encode(&self.details);
            headers.insert(DETAILS, HeaderValue::try_from(details).unwrap_or(HeaderValue::from_static("")));
        }
    }

    /// Reads it from headers or trailers; none where there is no `grpc-status`. Details that are no base64 are left out.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Status> {
        let code = headers.get(CODE)?.to_str().ok().and_then(|number| number.parse().ok()).map_or(Code::Unknown, Code::of_number);
        let message = headers.get(MESSAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let message = percent_decode_str(message).decode_utf8_lossy().into_owned();
        let details = headers.get(DETAILS).and_then(|value| BASE64.decode(value).ok()).unwrap_or_default();
        Some(Status { code, message, details: details.into() })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.word(), self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_its_headers() {
        let table = [
            Status::new(Code::InvalidArgument, "100 % wrong: läuft\nnicht"),
            Status { details: Bytes::from_static(b"\0\x01more"), ..Status::new(Code::ResourceExhausted, "full") },
            Status::new(Code::Unavailable, ""),
        ];
        for status in table {
            let mut headers = HeaderMap::new();
            status.write(&mut headers);
            assert_eq!(Status::read(&headers), Some(status));
        }
        assert_eq!(Status::read(&HeaderMap::new()), None);
    }

    #[test]
    fn what_a_stranger_writes_into_the_headers_harms_nothing() {
        let mut headers = HeaderMap::new();
        headers.insert(CODE, "99".parse().unwrap());
        headers.insert(MESSAGE, "%ff%zz".parse().unwrap());
        headers.insert(DETAILS, "!!!".parse().unwrap());
        assert_eq!(Status::read(&headers), Some(Status::new(Code::Unknown, "\u{fffd}%zz")));
    }
}
