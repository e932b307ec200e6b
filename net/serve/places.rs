//! The places for connections: so many in all, so many for one address, and so many as their windows fit into the bytes set aside for them.

use super::Limits;
use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc};

/// The least that HTTP/2 allows a connection, and about what HTTP/1 buffers of one.
const WINDOW_MIN: u32 = (64 << 10) - 1;

/// Every place of one port. Clones share them.
#[derive(Clone)]
pub(super) struct Places(Arc<Room>);

struct Room {
    connections_max: usize,
    peer_connections_max: usize,
    window_bytes_max: usize,
    /// What a connection gets while there is plenty.
    window: u32,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    connections: usize,
    of: HashMap<IpAddr, Share>,
    window_bytes: usize,
    /// Connections with a large window.
    large: usize,
}

/// What one address has.
#[derive(Clone, Copy, Default)]
struct Share {
    connections: usize,
    window_bytes: usize,
}

impl Places {
    pub(super) fn new(limits: &Limits) -> Places {
        Places(Arc::new(Room {
            connections_max: limits.connections_max,
            peer_connections_max: limits.peer_connections_max,
            window_bytes_max: limits.window_bytes_max,
            window: limits.connection_window.max(WINDOW_MIN),
            taken: Mutex::default(),
        }))
    }

    /// Whether anybody at all may come; who comes meanwhile waits in the system's queue.
    pub(super) fn free(&self) -> bool {
        let taken = self.0.taken.lock();
        let fits = taken.window_bytes.saturating_add(bytes(WINDOW_MIN)) <= self.0.window_bytes_max;
        // One connection is always served, so that a tiny budget is slow and not deaf.
        taken.connections < self.0.connections_max && (fits || taken.connections == 0)
    }

    /// A place for a connection from there, unless that address has its share: so many connections, and half of the bytes, which only this machine may use up. The first ones get a large window; when these have half of the bytes, the others get small ones.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Place> {
        let mut taken = self.0.taken.lock();
        let share = taken.of.get(&peer).copied().unwrap_or_default();
        let is_heavy = !peer.is_loopback() && share.window_bytes >= self.0.window_bytes_max / 2 && share.connections > 0;
        if is_heavy || share.connections >= self.0.peer_connections_max {
            return None;
        }
        let (large, max) = (bytes(self.0.window), self.0.window_bytes_max);
        let is_large = (taken.large + 1).saturating_mul(large) <= max / 2 && taken.window_bytes.saturating_add(large) <= max;
        let window = if is_large { self.0.window } else { WINDOW_MIN };
        taken.connections += 1;
        taken.large += usize::from(is_large);
        taken.window_bytes = taken.window_bytes.saturating_add(bytes(window));
        let grown = Share { connections: share.connections + 1, window_bytes: share.window_bytes.saturating_add(bytes(window)) };
        taken.of.insert(peer, grown);
        Some(Place { room: Arc::clone(&self.0), peer, window, is_large })
    }
}

fn bytes(window: u32) -> usize {
    usize::try_from(window).unwrap_or(usize::MAX)
}

/// One connection's place; dropped, it is free again.
pub(super) struct Place {
    room: Arc<Room>,
    peer: IpAddr,
    /// Bytes of it that may be under way unread.
    pub(super) window: u32,
    is_large: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock();
        taken.connections = taken.connections.saturating_sub(1);
        taken.window_bytes = taken.window_bytes.saturating_sub(bytes(self.window));
        taken.large = taken.large.saturating_sub(usize::from(self.is_large));
        let Some(share) = taken.of.get_mut(&self.peer) else { return };
        share.connections = share.connections.saturating_sub(1);
        share.window_bytes = share.window_bytes.saturating_sub(bytes(self.window));
        if share.connections == 0 {
            taken.of.remove(&self.peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);

    #[test]
    fn windows_shrink_as_places_go_and_never_pass_the_bytes_set_aside() {
        let max = 4 << 20;
        let places = Places::new(&Limits { window_bytes_max: max, ..Limits::default() });
        let mut taken = Vec::new();
        while places.free() {
            taken.push(places.take(HERE).unwrap());
        }
        let windows: Vec<u32> = taken.iter().map(|place| place.window).collect();
        assert_eq!((windows[..3].to_vec(), windows.len()), (vec![1 << 20, 1 << 20, WINDOW_MIN], 34));
        assert!(windows.iter().map(|window| bytes(*window)).sum::<usize>() <= max);
        taken.remove(0);
        assert_eq!(places.take(HERE).unwrap().window, 1 << 20);
    }

    #[test]
    fn one_address_has_its_share_and_no_more() {
        let places = Places::new(&Limits { connections_max: 3, peer_connections_max: 2, ..Limits::default() });
        let taken = [places.take(HERE), places.take(HERE), places.take(THERE)].map(Option::unwrap);
        assert!(!places.free());
        drop(taken);
        let _two = [places.take(HERE), places.take(HERE)].map(Option::unwrap);
        assert!(places.take(HERE).is_none() && places.free() && places.take(THERE).is_some());

        let places = Places::new(&Limits { window_bytes_max: 4 << 20, ..Limits::default() });
        let held: Vec<_> = std::iter::from_fn(|| places.take(THERE)).collect();
        assert!(held.len() == 2 && places.free() && places.take(HERE).is_some(), "{}", held.len());
    }

    #[test]
    fn without_bytes_there_is_one_place() {
        let places = Places::new(&Limits { window_bytes_max: 0, ..Limits::default() });
        let one = places.take(HERE);
        assert!(one.is_some() && !places.free());
        drop(one);
        assert!(places.free());
    }
}
