//! From a message of Kafka to a request as it flows.

use bytes::Bytes;
use pipeline::partitions::{Message, Said};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{
    Kinds, Malformed, Signal, Time,
    codec::{self, foreign},
};

/// What is in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    /// An OTLP request in protobuf, of one signal.
    #[default]
    OtlpProto,
    /// The same in JSON.
    OtlpJson,
    /// Text: each message is a log, as a line of a file would be.
    Text,
    /// A JSON object, or a list of them: each is a log, with the object as its body. So write Fluent Bit, Logstash and many loggers.
    Json,
    /// A message of syslog, by RFC 5424 or RFC 3164.
    Syslog,
    /// Diagnostic logs that Azure exports, also over Event Hubs: each of `records` is a log. CloudTrail's `Records` are read in the same way.
    AzureDiagnostics,
}

impl Encoding {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Encoding::OtlpProto => "otlp_proto",
            Encoding::OtlpJson => "otlp_json",
            Encoding::Text => "text",
            Encoding::Json => "json",
            Encoding::Syslog => "syslog",
            Encoding::AzureDiagnostics => "azure_diagnostics",
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
const ORIGIN: &str = "kansoku-origin";
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

    /// A message, as it was received.
    pub(super) fn read(self, message: &BorrowedMessage<'_>) -> Message {
        let millis = message.timestamp().to_millis().and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
        let at = Time(millis.saturating_mul(1_000_000));
        let said = match message.payload() {
            None | Some([]) => Said::Nothing,
            Some(payload) if self.encoding.is_otlp() => self.otlp(message, payload),
            Some(payload) => self.foreign(payload, at),
        };
        let position = u64::try_from(message.offset()).unwrap_or(0);
        let origins = header(message, ORIGIN).map(Bytes::copy_from_slice);
        Message { position, at, said, origins }
    }

    /// Copies the bytes of protobuf once.
    fn otlp(self, message: &BorrowedMessage<'_>, payload: &[u8]) -> Said {
        let text = |name: &str| header(message, name).and_then(|value| std::str::from_utf8(value).ok());
        let signal = text(SIGNAL).and_then(Signal::of_word);
        let is_json = text(CONTENT_TYPE).map_or(self.encoding == Encoding::OtlpJson, |kind| kind == JSON);
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

    fn foreign(self, payload: &[u8], at: Time) -> Said {
        let read = match self.encoding {
            Encoding::Json => foreign::json(payload, at),
            Encoding::Syslog => Ok(foreign::syslog(payload, at)),
            Encoding::AzureDiagnostics => foreign::records(payload, at),
            Encoding::Text | Encoding::OtlpProto | Encoding::OtlpJson => Ok(foreign::text(payload, at)),
        };
        match read {
            Ok(Some(request)) => Said::Request(Signal::Logs, request),
            Ok(None) => Said::Nothing,
            Err(why) => Said::Unreadable(Signal::Logs, Bytes::copy_from_slice(payload), why),
        }
    }
}

/// The value of a header, where the message has it.
fn header<'a>(message: &'a BorrowedMessage<'_>, name: &str) -> Option<&'a [u8]> {
    message.headers()?.iter().find(|header| header.key == name)?.value
}
