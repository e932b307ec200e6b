//! How full the trace windows are. `sample` heeds it: the fuller they are the less it keeps of what it leaves to chance, and says so in its thresholds.

use pipeline::Pool;
use signal::Time;
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// From here on less is kept.
const FROM: f64 = 0.7;
/// How often the share is halved between there and a full window.
const HALVINGS: f64 = 4.0;
/// The least share.
const LEAST: f64 = 1.0 / 64.0;
/// How often the windows are looked at: ten times a second.
const LOOK_NANOS: u64 = 100_000_000;

/// Bytes that all lanes of one window hold, and may hold.
#[derive(Debug, Default)]
pub(crate) struct Fullness {
    held: AtomicUsize,
    limit: AtomicUsize,
}

/// One lane's part in it.
#[derive(Debug)]
pub(crate) struct Gauge {
    whole: Arc<Fullness>,
    held: usize,
    limit: usize,
}

impl Gauge {
    /// For a lane of this node that may hold so many bytes.
    pub(crate) fn new(pool: &Pool, node: &str, limit: usize) -> Gauge {
        let whole: Arc<Fullness> = pool.get_or(node, || Ok::<_, Infallible>(Arc::default())).unwrap_or_else(|never| match never {});
        whole.limit.fetch_add(limit, Ordering::Relaxed);
        Gauge { whole, held: 0, limit }
    }

    /// What the lane holds now.
    pub(crate) fn set(&mut self, held: usize) {
        if held >= self.held {
            self.whole.held.fetch_add(held - self.held, Ordering::Relaxed);
        } else {
            self.whole.held.fetch_sub(self.held - held, Ordering::Relaxed);
        }
        self.held = held;
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.set(0);
        self.whole.limit.fetch_sub(self.limit, Ordering::Relaxed);
    }
}

/// The share of what chance keeps that there is room for.
pub(crate) struct Room {
    pool: Pool,
    looked: u64,
    share: f64,
}

impl Room {
    pub(crate) fn new(pool: &Pool) -> Room {
        Room { pool: pool.clone(), looked: 0, share: 1.0 }
    }

    /// By the fullest window.
    pub(crate) fn share(&mut self, now: Time) -> f64 {
        let look = now.0 / LOOK_NANOS;
        if look != self.looked {
            self.looked = look;
            let fill = |whole: &Fullness| whole.held.load(Ordering::Relaxed) as f64 / whole.limit.load(Ordering::Relaxed).max(1) as f64;
            let fullest = self.pool.all::<Fullness>().iter().map(|(_, whole)| fill(whole)).fold(0.0, f64::max);
            self.share = share(fullest);
        }
        self.share
    }
}

/// A share as a word, of which there are few: the power of two that it is not below; none where there is room for all.
pub(crate) fn word(share: f64) -> Option<&'static str> {
    const WORDS: [(f64, &str); 5] = [(0.5, "1/2"), (0.25, "1/4"), (0.125, "1/8"), (0.0625, "1/16"), (0.03125, "1/32")];
    (share < 1.0).then(|| WORDS.iter().find(|(least, _)| share >= *least).map_or("1/64", |(_, word)| word))
}

fn share(fill: f64) -> f64 {
    let over = (fill - FROM).max(0.0) / (1.0 - FROM);
    (-HALVINGS * over).exp2().max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::at;

    #[test]
    fn the_fuller_a_window_is_the_less_is_kept() {
        let pool = Pool::default();
        let mut room = Room::new(&pool);
        let (mut one, mut other) = (Gauge::new(&pool, "traces", 500), Gauge::new(&pool, "traces", 500));
        let mut second = 0;
        let shares = [0, 500, 700, 850, 1_000, 5_000].map(|held| {
            second += 1;
            one.set(held / 2);
            other.set(held - held / 2);
            room.share(at(second))
        });
        let expected = [1.0, 1.0, 1.0, 0.25, 1.0 / 16.0, LEAST];
        assert!(shares.iter().zip(expected).all(|(is, should)| (is - should).abs() < 1e-9), "{shares:?}");
        assert_eq!(shares.map(word), [None, None, None, Some("1/4"), Some("1/16"), Some("1/64")]);
        drop((one, other));
        assert_eq!(room.share(at(60)).to_bits(), 1.0_f64.to_bits(), "a window that is gone fills nothing");
    }
}
