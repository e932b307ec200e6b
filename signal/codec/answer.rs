//! What a server answers to an export request: `Export*ServiceResponse` with its partial success, and google.rpc.Status
//! (opentelemetry-proto, "OTLP/HTTP Response" and "OTLP/gRPC Throttling").

use crate::Signal;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message as _;
use serde_json::{Value, json};
use std::time::Duration;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The protobuf response; empty when nothing was rejected and nothing is to be said.
#[must_use]
pub fn response(rejected: usize, message: &str) -> Bytes {
    if rejected == 0 && message.is_empty() {
        return Bytes::new();
    }
    // The three signals' responses differ in names only.
    let partial =
        ExportTracePartialSuccess { rejected_spans: i64::try_from(rejected).unwrap_or(i64::MAX), error_message: message.to_owned() };
    ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec().into()
}

/// The same response in JSON; `{}` when nothing was rejected and nothing is to be said.
#[must_use]
pub fn response_json(signal: Signal, rejected: usize, message: &str) -> String {
    if rejected == 0 && message.is_empty() {
        return "{}".to_owned();
    }
    let name = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
    };
    json!({ "partialSuccess": { name: rejected.to_string(), "errorMessage": message } }).to_string()
}

/// The rejected count and message of a response that a server sent. None when it took everything and said nothing, and for what is no response: a server that
/// answered 200 with other bytes took the request.
#[must_use]
pub fn partial_success(response: &[u8]) -> Option<(usize, String)> {
    let partial = ExportTraceServiceResponse::decode(response).ok()?.partial_success?;
    let rejected = usize::try_from(partial.rejected_spans).unwrap_or_default();
    (rejected > 0 || !partial.error_message.is_empty()).then_some((rejected, partial.error_message))
}

/// Why a whole request failed: the body of an OTLP/HTTP error, and gRPC's `grpc-status-details-bin`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// A google.rpc.Code, such as 3 (INVALID_ARGUMENT), 8 (RESOURCE_EXHAUSTED), 14 (UNAVAILABLE).
    pub code: i32,
    /// For people.
    pub message: String,
    /// When to try again, of the detail google.rpc.RetryInfo. With RESOURCE_EXHAUSTED its presence alone says that trying again makes sense.
    pub retry: Option<Duration>,
}

impl Status {
    /// In protobuf.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let details =
            self.retry.map(|delay| wire::Any { type_url: RETRY_INFO.to_owned(), value: wire::RetryInfo::of(delay).encode_to_vec() });
        wire::Status { code: self.code, message: self.message.clone(), details: details.into_iter().collect() }.encode_to_vec().into()
    }

    /// In JSON, as protobuf's mapping writes it.
    #[must_use]
    pub fn json(&self) -> String {
        let mut status = json!({ "code": self.code, "message": self.message });
        if let Some(delay) = self.retry {
            status["details"] = json!([{ "@type": RETRY_INFO, "retryDelay": duration_text(delay) }]);
        }
        status.to_string()
    }

    /// From protobuf. Details of other kinds are passed over; a negative delay is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Status> {
        let status = wire::Status::decode(bytes).ok()?;
        let info = status.details.iter().find(|detail| detail.type_url.ends_with("google.rpc.RetryInfo"));
        let retry = info.and_then(|detail| wire::RetryInfo::decode(detail.value.as_slice()).ok()).and_then(|info| info.delay());
        Some(Status { code: status.code, message: status.message, retry })
    }

    /// From JSON, the retry delay included.
    #[must_use]
    pub fn of_json(text: &[u8]) -> Option<Status> {
        let status: Value = serde_json::from_slice(text).ok()?;
        let code = i32::try_from(status.get("code")?.as_i64()?).ok()?;
        let message = status.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        let details = status.get("details").and_then(Value::as_array);
        let delay = details.into_iter().flatten().find_map(|detail| detail.get("retryDelay")?.as_str());
        Some(Status { code, message, retry: delay.and_then(duration_of) })
    }
}

/// `1.500s`: protobuf's JSON form of a duration.
fn duration_text(length: Duration) -> String {
    match length.subsec_millis() {
        0 => format!("{}s", length.as_secs()),
        millis => format!("{}.{millis:03}s", length.as_secs()),
    }
}

fn duration_of(text: &str) -> Option<Duration> {
    let seconds = text.strip_suffix('s')?.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// google.rpc's messages, as far as they are read here (googleapis/google/rpc/status.proto, error_details.proto).
mod wire {
    use std::time::Duration;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Status {
        #[prost(int32, tag = "1")]
        pub(super) code: i32,
        #[prost(string, tag = "2")]
        pub(super) message: String,
        #[prost(message, repeated, tag = "3")]
        pub(super) details: Vec<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Any {
        #[prost(string, tag = "1")]
        pub(super) type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) value: Vec<u8>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        retry_delay: Option<Delay>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }

    impl RetryInfo {
        pub(super) fn of(delay: Duration) -> RetryInfo {
            let seconds = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
            RetryInfo { retry_delay: Some(Delay { seconds, nanos: delay.subsec_nanos().cast_signed() }) }
        }

        pub(super) fn delay(&self) -> Option<Duration> {
            let delay = self.retry_delay?;
            let nanos = u32::try_from(delay.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
            Some(Duration::new(u64::try_from(delay.seconds).ok()?, nanos))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_without_anything_to_say_is_empty() {
        assert_eq!(response(0, ""), Bytes::new());
        assert_eq!(response_json(Signal::Logs, 0, ""), "{}");
        assert_eq!(partial_success(b""), None);
    }

    #[test]
    fn a_partial_success_comes_back_as_it_was_sent() {
        assert_eq!(partial_success(&response(3, "no trace id")), Some((3, "no trace id".to_owned())));
        assert_eq!(partial_success(&response(0, "deprecated")), Some((0, "deprecated".to_owned())));
        assert_eq!(response_json(Signal::Traces, 3, "no \"id\""), r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"no \"id\""}}"#);
    }

    #[test]
    fn bytes_that_are_no_response_reject_nothing() {
        assert_eq!(partial_success(b"<html>"), None);
        assert_eq!(Status::decode(b"<html>"), None);
        assert_eq!(Status::of_json(b"<html>"), None);
    }

    #[test]
    fn a_status_comes_back_as_it_was_sent() {
        for retry in [None, Some(Duration::ZERO), Some(Duration::from_millis(1_500)), Some(Duration::from_secs(30))] {
            let status = Status { code: 8, message: "over the memory budget".to_owned(), retry };
            assert_eq!(Status::decode(&status.encode()).as_ref(), Some(&status));
            assert_eq!(Status::of_json(status.json().as_bytes()).as_ref(), Some(&status));
        }
    }

    #[test]
    fn a_status_is_written_as_the_json_mapping_says() {
        let status = Status { code: 14, message: "draining".to_owned(), retry: Some(Duration::from_millis(1_050)) };
        let expected =
            r#"{"code":14,"message":"draining","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.050s"}]}"#;
        assert_eq!(status.json(), expected);
    }

    #[test]
    fn a_negative_delay_is_none() {
        assert_eq!(Status::of_json(br#"{"code":8,"details":[{"retryDelay":"-1s"}]}"#).and_then(|s| s.retry), None);
    }
}
