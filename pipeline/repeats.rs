//! Requests that came before: a client that did not hear its yes sends the same bytes again, and that is not new data.

use signal::{Signal, Time};
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::Duration,
};
use xxhash_rust::xxh3::xxh3_128_with_seed;

pub(crate) const REMEMBERED: Duration = Duration::from_secs(60);
pub(crate) const BODIES_MAX: usize = 1 << 16;

/// A request's body as it is told from others: the peer and 128 bits of hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Body {
    /// None for what an earlier process took in: the journal does not say from whom.
    peer: Option<IpAddr>,
    hash: u128,
}

impl Body {
    pub(crate) fn of(peer: IpAddr, signal: Signal, raw: &[u8]) -> Body {
        Body { peer: Some(peer), ..Body::journalled(signal, raw) }
    }

    /// A record of the journal; not known again where `check` had to change what came.
    pub(crate) fn journalled(signal: Signal, raw: &[u8]) -> Body {
        Body { peer: None, hash: xxh3_128_with_seed(raw, signal as u64) }
    }
}

/// What became of a body that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is this record of the journal, which may still be on its way to the disk.
    Journal(u64),
    /// Its sinks have not answered yet.
    OnItsWay,
    /// It needs nothing more.
    Delivered,
}

/// The bodies of the last minute, also those before a restart, at most 65,536 of them.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    known: HashMap<Body, (Known, Time)>,
    oldest: VecDeque<(Body, Time)>,
}

impl Repeats {
    pub(crate) fn find(&mut self, body: Body, now: Time) -> Option<Known> {
        self.expire(now, BODIES_MAX);
        self.known.get(&body).or_else(|| self.known.get(&Body { peer: None, ..body })).map(|(known, _)| *known)
    }

    pub(crate) fn remember(&mut self, body: Body, known: Known, now: Time) {
        self.expire(now, BODIES_MAX - 1);
        self.known.insert(body, (known, now));
        self.oldest.push_back((body, now));
    }

    pub(crate) fn forget(&mut self, body: Body) {
        self.known.remove(&body);
    }

    fn expire(&mut self, now: Time, bodies_max: usize) {
        while let Some((body, at)) = self.oldest.front().copied() {
            if self.oldest.len() <= bodies_max && now.since(at) < REMEMBERED {
                return;
            }
            self.oldest.pop_front();
            // It may have been remembered again since.
            if self.known.get(&body).is_some_and(|(_, known_at)| *known_at == at) {
                self.known.remove(&body);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_known_for_a_minute_and_only_from_its_peer() {
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 1]));
        let body = Body::of(here, Signal::Logs, b"abc");
        let mut repeats = Repeats::default();
        repeats.remember(body, Known::Journal(7), Time(0));
        assert_eq!(repeats.find(body, Time(59_000_000_000)), Some(Known::Journal(7)));
        assert_eq!(repeats.find(Body::of(there, Signal::Logs, b"abc"), Time(0)), None);
        assert_eq!(repeats.find(Body::of(here, Signal::Traces, b"abc"), Time(0)), None);
        assert_eq!(repeats.find(body, Time(60_000_000_000)), None);
    }

    #[test]
    fn what_an_earlier_process_took_in_is_known_from_any_peer() {
        let mut repeats = Repeats::default();
        repeats.remember(Body::journalled(Signal::Logs, b"abc"), Known::Journal(7), Time(0));
        assert_eq!(repeats.find(Body::of(IpAddr::from([10, 0, 0, 1]), Signal::Logs, b"abc"), Time(1)), Some(Known::Journal(7)));
    }

    #[test]
    fn a_flood_of_bodies_pushes_out_the_oldest() {
        let mut repeats = Repeats::default();
        let body = |n: usize| Body::of(IpAddr::from([127, 0, 0, 1]), Signal::Logs, &n.to_le_bytes());
        (0..=BODIES_MAX).for_each(|n| repeats.remember(body(n), Known::Delivered, Time(0)));
        assert_eq!(repeats.find(body(0), Time(0)), None);
        assert_eq!(repeats.find(body(BODIES_MAX), Time(0)), Some(Known::Delivered));
        assert_eq!(repeats.known.len(), BODIES_MAX);
    }
}
