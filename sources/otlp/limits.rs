//! What clients may ask for: the settings, and what they mean for a body and for a port.

use config::{Bytes, Period};
use net::{body, serve};
use pipeline::Memory;
use schemars::JsonSchema;
use serde::Deserialize;

/// What one client may ask for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(default)]
pub(super) struct Limits {
    /// Bytes of a request as it comes over the wire, by default `16MiB`.
    request: Bytes,
    /// Bytes of a request once inflated, by default `64MiB`.
    inflated: Bytes,
    /// From a request's head to the last byte of its body, by default `30s`; after the first 10 s it also has to come at 1 KiB/s.
    body: Period,
    /// From the first byte of a request's head to its last, and from a connection to its first byte; by default `10s`.
    head: Period,
    /// A connection without a request is closed after this, by default `90s`: SDKs send their metrics every 60.
    idle: Period,
    /// Requests at a time on one connection over HTTP/2, by default 256.
    streams: u32,
    /// Open connections of each of the two, by default 12000, and fewer where their windows would not fit into half of the memory for requests (`memory:`).
    connections: usize,
    /// Of these from one address, by default half.
    connections_per_address: Option<usize>,
}

impl Default for Limits {
    fn default() -> Limits {
        let (body, serve) = (body::Limits::default(), serve::Limits::default());
        let bytes = |max: usize| Bytes(u64::try_from(max).unwrap_or(u64::MAX));
        Limits {
            request: bytes(body.wire_bytes_max),
            inflated: bytes(body.plain_bytes_max),
            body: Period(body.time_max),
            head: Period(serve.head),
            idle: Period(serve.idle),
            streams: serve.streams_max,
            connections: serve.connections_max,
            connections_per_address: None,
        }
    }
}

impl Limits {
    pub(super) fn of_a_body(&self) -> body::Limits {
        let bytes = |bytes: Bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX);
        body::Limits {
            wire_bytes_max: bytes(self.request),
            plain_bytes_max: bytes(self.inflated),
            time_max: self.body.0,
            ..body::Limits::default()
        }
    }

    /// Each of the two doors has half of the half that windows may fill.
    pub(super) fn of_a_door(&self, memory: &Memory) -> serve::Limits {
        let connections_max = self.connections.max(1);
        serve::Limits {
            connections_max,
            peer_connections_max: self.connections_per_address.unwrap_or(connections_max / 2).max(1),
            window_bytes_max: memory.intake_bytes_max / 4,
            first_bytes: self.head.0,
            head: self.head.0,
            idle: self.idle.0,
            streams_max: self.streams.max(1),
            ..serve::Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_defaults_are_what_the_table_says() {
        let memory = Memory { intake_bytes_max: 64 << 20, window_bytes_max: 0, lanes: 1, store_bytes_max: 0 };
        let (body, door) = (Limits::default().of_a_body(), Limits::default().of_a_door(&memory));
        assert_eq!((body.wire_bytes_max, body.plain_bytes_max, body.ratio_max), (16 << 20, 64 << 20, 200));
        assert_eq!((body.time_max, body.rate_min, body.grace), (Duration::from_secs(30), 1_024, Duration::from_secs(10)));
        assert_eq!((door.connections_max, door.peer_connections_max, door.window_bytes_max), (12_000, 6_000, 16 << 20));
        let seconds = [door.first_bytes, door.head, door.idle, door.keep_alive, door.keep_alive_answer].map(|time| time.as_secs());
        assert_eq!((seconds, door.streams_max, door.head_bytes_max), ([10, 10, 90, 30, 10], 256, 64 << 10));
    }
}
