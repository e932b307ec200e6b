//! What a server's answer means for the parcel (OTLP specification, "Failures", "OTLP/gRPC Throttling").

use net::{Answer, Code, Silence, Status, client::Unanswered};
use pipeline::{Refusal, Why};
use signal::codec::answer;

/// What was not taken, and whether it was heard at all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct No {
    pub(super) refusal: Refusal,
    /// None where the server answered.
    pub(super) silence: Option<Silence>,
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> No {
        No { refusal, silence: None }
    }
}

/// Of a unary call.
pub(super) fn of_grpc(called: Result<bytes::Bytes, Status>) -> Result<(), No> {
    let status = match called {
        Ok(response) => return Ok(of_success(&response)?),
        Err(status) => status,
    };
    let after = answer::Status::decode(status.details()).and_then(|details| details.retry);
    let (code, message) = (status.code(), status.message());
    let why = Why(format!("{code:?}: {message}"));
    let refusal = match code {
        // Throttling names a time to retry; without one it may be a message over the server's limit.
        Code::ResourceExhausted if after.is_none() && says_too_large(message) => Refusal::TooLarge { max: limit_in(message) },
        Code::ResourceExhausted
        | Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Cancelled
        | Code::OutOfRange
        | Code::DataLoss => Refusal::Later { after, why },
        _ => Refusal::Never { why },
    };
    Err(No { refusal, silence: Silence::of(&status) })
}

/// Of a post.
pub(super) fn of_http(answered: Result<Answer, Unanswered>) -> Result<(), No> {
    let answer = match answered {
        Ok(answer) => answer,
        Err(Unanswered { words, silence }) => {
            return Err(No { refusal: Refusal::Later { after: None, why: Why(words) }, silence: Some(silence) });
        }
    };
    if answer.status.is_success() {
        return Ok(of_success(&answer.body)?);
    }
    let said =
        answer::Status::decode(&answer.body).filter(|status| !status.message.is_empty()).map(|status| format!(": {}", status.message));
    let why = Why(format!("HTTP {}{}", answer.status, said.unwrap_or_default()));
    Err(No::from(match answer.status.as_u16() {
        413 => Refusal::TooLarge { max: None },
        // The specification names the last four; 408 is a proxy that lost patience.
        408 | 429 | 502 | 503 | 504 => Refusal::Later { after: answer.retry_after(), why },
        _ => Refusal::Never { why },
    }))
}

fn of_success(response: &[u8]) -> Result<(), Refusal> {
    match answer::partial_success(response) {
        Some((records, why)) if records > 0 => Err(Refusal::Partly { records, why: Why(why) }),
        Some((_, why)) => {
            tracing::warn!(%why, "the server took everything and has something to say");
            Ok(())
        }
        None => Ok(()),
    }
}

/// gRPC has one code for "slow down" and for "too large"; only the words tell them apart (grpc-go, grpc-java, tonic, kansoku).
fn says_too_large(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["larger than", "too large", "exceeds maximum", "exceeds the maximum", "message length"].iter().any(|words| message.contains(words))
}

/// grpc-go says `received message larger than max (6291467 vs. 4194304)`: the last number is its limit.
fn limit_in(message: &str) -> Option<usize> {
    let numbers = message.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<usize>().ok());
    numbers.filter(|bytes| *bytes >= 1_024).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn failed(code: Code, message: &str, retry: Option<Duration>) -> Refusal {
        let details = retry.map(|_| answer::Status { code: code.into(), message: String::new(), retry }.encode()).unwrap_or_default();
        of_grpc(Err(Status::with_details(code, message, details))).unwrap_err().refusal
    }

    #[test]
    fn every_grpc_code_is_later_or_never() {
        let later = [Code::Unavailable, Code::DeadlineExceeded, Code::Aborted, Code::Cancelled, Code::OutOfRange, Code::DataLoss];
        for code in later {
            assert!(matches!(failed(code, "x", None), Refusal::Later { after: None, .. }), "{code:?}");
        }
        for code in
            [Code::InvalidArgument, Code::Unimplemented, Code::Internal, Code::Unauthenticated, Code::PermissionDenied, Code::Unknown]
        {
            assert_eq!(failed(code, "x", None), Refusal::Never { why: Why(format!("{code:?}: x")) });
        }
        let why = Why("Unavailable: x".into());
        let after = Some(Duration::from_secs(3));
        assert_eq!(failed(Code::Unavailable, "x", after), Refusal::Later { after, why });
    }

    #[test]
    fn exhausted_is_too_large_only_when_it_says_so() {
        let too_large = failed(Code::ResourceExhausted, "grpc: received message larger than max (6291467 vs. 4194304)", None);
        assert_eq!(too_large, Refusal::TooLarge { max: Some(4_194_304) });
        assert_eq!(
            failed(Code::ResourceExhausted, "the body is larger than the 16 MiB that are taken", None),
            Refusal::TooLarge { max: None }
        );
        assert!(matches!(failed(Code::ResourceExhausted, "quota used up", None), Refusal::Later { .. }));
        let throttled = failed(Code::ResourceExhausted, "message larger than usual", Some(Duration::from_secs(1)));
        assert!(matches!(throttled, Refusal::Later { .. }));
    }

    #[test]
    fn every_http_status_has_its_meaning() {
        let answered = |status: u16| {
            let mut headers = http::HeaderMap::new();
            headers.insert("retry-after", "9".parse().unwrap());
            let answered = of_http(Ok(Answer { status: http::StatusCode::from_u16(status).unwrap(), headers, body: bytes::Bytes::new() }));
            answered.map_err(|no| no.refusal)
        };
        assert_eq!(answered(200), Ok(()));
        for status in [429, 502, 503, 504] {
            assert!(
                matches!(answered(status), Err(Refusal::Later { after: Some(after), .. }) if after == Duration::from_secs(9)),
                "{status}"
            );
        }
        assert_eq!(answered(413), Err(Refusal::TooLarge { max: None }));
        for status in [400, 401, 404, 415, 307, 500] {
            assert!(matches!(answered(status), Err(Refusal::Never { .. })), "{status}");
        }
    }

    #[test]
    fn a_partial_success_names_what_was_refused() {
        let refused = of_grpc(Ok(answer::response(3, "no ids"))).unwrap_err().refusal;
        assert_eq!(refused, Refusal::Partly { records: 3, why: Why("no ids".into()) });
        assert_eq!(of_grpc(Ok(answer::response(0, "deprecated"))), Ok(()));
    }
}
