//! Why a request was not taken, in the words of both protocols (OTLP specification, "Failures").

use ::http::{HeaderValue, StatusCode};
use bytes::Bytes;
use net::{Code, Status, auth::Unauthorized, body::ReadError};
use pipeline::{Busy, Refused};
use signal::{Malformed, codec::answer};
use std::time::Duration;

/// A refusal. Whether there is a time to retry decides whether a client may try again at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) code: Code,
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) retry: Option<Duration>,
    /// How to say who one is, for who did not.
    pub(super) challenge: Option<HeaderValue>,
}

/// For a process that goes down: by then another may have come up.
const CLOSING: Duration = Duration::from_secs(1);

impl Trouble {
    pub(super) fn new(code: Code, status: StatusCode, message: impl Into<String>) -> Trouble {
        Trouble { code, status, message: message.into(), retry: None, challenge: None }
    }

    pub(super) fn malformed(message: String) -> Trouble {
        Trouble::new(Code::InvalidArgument, StatusCode::BAD_REQUEST, message)
    }

    fn retry(self, after: Duration) -> Trouble {
        Trouble { retry: Some(after), ..self }
    }

    /// As google.rpc.Status.
    pub(super) fn rpc(&self) -> answer::Status {
        answer::Status { code: self.code.into(), message: self.message.clone(), retry: self.retry }
    }

    /// As the end of a gRPC call.
    pub(super) fn grpc(self) -> Status {
        let details = if self.retry.is_some() { self.rpc().encode() } else { Bytes::new() };
        Status::with_details(self.code, self.message, details)
    }
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Trouble {
        let trouble = Trouble::new(error.code(), error.status(), error.to_string());
        match error {
            ReadError::NoRoom(full) => trouble.retry(full.after),
            _ => trouble,
        }
    }
}

impl From<Unauthorized> for Trouble {
    fn from(stranger: Unauthorized) -> Trouble {
        let trouble = Trouble::new(Code::Unauthenticated, StatusCode::UNAUTHORIZED, stranger.to_string());
        Trouble { challenge: Some(stranger.challenge), ..trouble }
    }
}

impl From<Malformed> for Trouble {
    fn from(malformed: Malformed) -> Trouble {
        Trouble::malformed(malformed.to_string())
    }
}

impl From<Busy> for Trouble {
    fn from(busy: Busy) -> Trouble {
        Trouble::new(Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS, busy.what).retry(busy.after)
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Trouble {
        let unavailable = |what: String, after| Trouble::new(Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, what).retry(after);
        match refused {
            Refused::Malformed(malformed) => malformed.into(),
            Refused::Busy(busy) => busy.into(),
            Refused::Unavailable { after, what } => unavailable(what, after),
            Refused::Closing => unavailable("this kansoku is going down".to_owned(), CLOSING),
        }
    }
}
