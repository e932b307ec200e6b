//! A post that is tried a few times, for what has no queue behind it: a notification, a program's output.

use crate::client::{Answer, Client};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use reqwest::Url;
use std::time::Duration;

/// How patient.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Posts at the most.
    pub tries: u32,
    /// How long each may take.
    pub within: Duration,
    /// Before the second try; twice as long before each further one.
    pub pause: Duration,
}

impl Client {
    /// Posts until the answer is a success, or one that another try would not change. A time that the server asks for is waited, but not longer than `within`.
    ///
    /// # Errors
    /// The last failure in words.
    ///
    /// # Cancel safety
    /// Dropped midway, the server may or may not have got it.
    pub async fn post_patiently(&self, url: &Url, headers: &HeaderMap, body: &Bytes, patience: Patience) -> Result<Answer, String> {
        let mut pause = patience.pause;
        let mut tried = 0;
        loop {
            tried += 1;
            let (failure, asked) = match self.post(url, headers.clone(), vec![body.clone()], patience.within).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) if is_final(answer.status) => return Err(format!("the answer was {}", answer.status)),
                Ok(answer) => (format!("the answer was {}", answer.status), answer.retry_after()),
                Err(unanswered) => (unanswered.to_string(), None),
            };
            if tried >= patience.tries {
                return Err(failure);
            }
            tokio::time::sleep(asked.unwrap_or_default().min(patience.within).max(pause)).await;
            pause = pause.saturating_mul(2);
        }
    }
}

/// The server says that the request itself is wrong.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && ![StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status)
}
