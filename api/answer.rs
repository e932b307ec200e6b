//! What is answered: JSON, or why not, in words.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// Not what was asked for: a status code and a sentence, sent as `{"error": …}`.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) words: String,
}

impl Refused {
    pub(crate) fn new(status: StatusCode, words: impl Into<String>) -> Refused {
        Refused { status, words: words.into() }
    }

    /// The question is wrong.
    pub(crate) fn question(words: impl Into<String>) -> Refused {
        Refused::new(StatusCode::BAD_REQUEST, words)
    }

    /// What is asked for is not here.
    pub(crate) fn absent(words: impl Into<String>) -> Refused {
        Refused::new(StatusCode::NOT_FOUND, words)
    }
}

impl From<query::Error> for Refused {
    fn from(error: query::Error) -> Refused {
        let status = match error {
            query::Error::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Refused::new(status, error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = json(&serde_json::json!({ "error": self.words }));
        *response.status_mut() = self.status;
        let challenge = match self.status {
            StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Bearer")),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "1")),
            _ => None,
        };
        if let Some((name, value)) = challenge {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// An answer with this body.
pub(crate) fn json(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// A plain text.
pub(crate) fn text(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}
