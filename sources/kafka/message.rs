//! From a message of Kafka to a request as it flows.

use bytes::Bytes;
use pipeline::partitions::{Message, Said};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Kinds, Malformed, Signal, Time, codec};

/// What is in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    /// An OTLP request in protobuf, of one signal.
    #[default]
    OtlpProto,
    /// The same in JSON.
    OtlpJson,
}

impl Encoding {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Encoding::OtlpProto => "otlp_proto",
            Encoding::OtlpJson => "otlp_json",
        }
    }

    pub(super) const fn is_otlp(self) -> bool {
        matches!(self, Encoding::OtlpProto | Encoding::OtlpJson)
    }
}

/// How the messages of a topic are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) encoding: Encoding,
    /// Of OTLP messages that do not say it.
    pub(super) signal: Option<Signal>,
}

/// The headers that matter.
const SIGNAL: &str = "signal";
const CONTENT_TYPE: &str = "content-type";
const JSON: &str = "application/json";

impl Reads {
    /// What may come of it.
    pub(super) fn gives(self) -> Kinds {
        match self.signal {
            Some(signal) if self.encoding.is_otlp() => Kinds::of(signal),
            _ if self.encoding.is_otlp() => Kinds::RECORDS,
            _ => Kinds::LOGS,
        }
    }

    /// A message, as it was received. Copies its bytes once.
    pub(super) fn read(self, message: &BorrowedMessage<'_>) -> Message {
        let millis = message.timestamp().to_millis().and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
        let said = match message.payload() {
            None | Some([]) => Said::Nothing,
            Some(payload) => self.said(message, payload),
        };
        Message { position: u64::try_from(message.offset()).unwrap_or(0), at: Time(millis.saturating_mul(1_000_000)), said }
    }

    fn said(self, message: &BorrowedMessage<'_>, payload: &[u8]) -> Said {
        let (mut signal, mut is_json) = (None, self.encoding == Encoding::OtlpJson);
        for header in message.headers().into_iter().flat_map(|headers| headers.iter()) {
            let value = header.value.and_then(|value| std::str::from_utf8(value).ok());
            match header.key {
                SIGNAL => signal = value.and_then(Signal::of_word),
                CONTENT_TYPE => is_json = value == Some(JSON),
                _ => {}
            }
        }
        let Some(signal) = signal.or(self.signal) else {
            let what = "nothing says which signal it is: it has no header `signal`, and no `signal:` is set for its topic".to_owned();
            let why = Malformed { path: "message".to_owned(), offset: 0, what };
            return Said::Unreadable(Signal::Logs, Bytes::copy_from_slice(payload), why);
        };
        if !is_json {
            return Said::Request(signal, Bytes::copy_from_slice(payload));
        }
        match codec::json::to_protobuf(signal, payload) {
            Ok(request) => Said::Request(signal, request),
            Err(why) => Said::Unreadable(signal, Bytes::copy_from_slice(payload), why),
        }
    }
}
