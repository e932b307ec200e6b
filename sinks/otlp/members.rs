//! The gateways of a sink, and who has what: a trace belongs to the one whose address and id give the highest number (rendezvous hashing), so that everybody who knows
//! the same addresses sends it to the same one, and a gateway that comes or goes moves only its share.

use super::{
    remembered::Remembered,
    sender::{At, Sender},
};
use net::Silence;
use pipeline::{GatewayState, GatewayStatus, Gateways};
use signal::Key;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::time::Instant;

/// Gateways that are none any more and still get the rest of their traces.
const LEAVING_MAX: usize = 256;

/// One of them.
pub(super) struct Member {
    /// Never given twice.
    number: u32,
    pub(super) at: At,
    pub(super) place: String,
    hash: u64,
    pub(super) sender: Sender,
    /// That it has taken.
    pub(super) records: AtomicU64,
}

struct Standing {
    member: Arc<Member>,
    /// It does not answer.
    down: bool,
    /// It did not answer once, which may have been chance.
    doubted: bool,
    /// Since when it is not among the gateways any more.
    left: Option<Instant>,
}

/// All of them.
pub(super) struct Members {
    all: Vec<Standing>,
    /// Places in `all` of those that get new traces.
    takers: Vec<usize>,
    remembered: Remembered,
    next: u32,
    moved: u64,
    unremembered: u64,
}

impl Members {
    pub(super) fn new(remembered: Remembered) -> Members {
        Members { all: Vec::new(), takers: Vec::new(), remembered, next: 0, moved: 0, unremembered: 0 }
    }

    /// These are the gateways now; those of them that are new are made by `make`, and left out where that fails.
    pub(super) fn are(&mut self, now: Vec<At>, mut make: impl FnMut(&At) -> Option<Sender>) {
        for standing in &mut self.all {
            let is_one = now.contains(&standing.member.at);
            standing.left = if is_one { None } else { standing.left.or_else(|| Some(Instant::now())) };
        }
        for at in now {
            if self.all.iter().any(|standing| standing.member.at == at) {
                continue;
            }
            let Some(sender) = make(&at) else { continue };
            let place = at.place();
            let member = Member { number: self.next, hash: hash(&place), at, place, sender, records: AtomicU64::new(0) };
            self.next += 1;
            self.all.push(Standing { member: Arc::new(member), down: false, doubted: false, left: None });
        }
        // Nothing that is remembered can be of one that left so long ago.
        let (length, mut leaving) = (2 * self.remembered.length(), 0);
        for standing in self.all.iter_mut().rev().filter(|standing| standing.left.is_some()) {
            leaving += 1;
            standing.down |= leaving > LEAVING_MAX;
        }
        self.all.retain(|standing| standing.left.is_none_or(|left| left.elapsed() < length && !standing.down));
        self.choose_takers();
    }

    /// Goes on with the gateways and traces of another, as `make` calls them now.
    pub(super) fn take_over(&mut self, other: &mut Members, mut make: impl FnMut(&At) -> Option<Sender>) {
        let own: Vec<At> = self.all.drain(..).map(|standing| standing.member.at.clone()).collect();
        for Standing { member, down, doubted, .. } in &other.all {
            let Some(sender) = make(&member.at) else { continue };
            let records = AtomicU64::new(member.records.load(Ordering::Relaxed));
            let (at, place) = (member.at.clone(), member.place.clone());
            let member = Arc::new(Member { number: member.number, at, place, hash: member.hash, sender, records });
            self.all.push(Standing { member, down: *down, doubted: *doubted, left: None });
        }
        (self.next, self.moved, self.unremembered) = (other.next, other.moved, other.unremembered);
        self.remembered.take_over(&mut other.remembered);
        // Where they are a name's addresses, it is asked what they are now.
        let now = if own.is_empty() { self.all.iter().map(|standing| standing.member.at.clone()).collect() } else { own };
        self.are(now, make);
    }

    /// Who they are now, by place.
    pub(super) fn members(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.all.iter().map(|standing| &standing.member)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.takers.is_empty()
    }

    /// Whether somebody is there who answers.
    pub(super) fn any_is_up(&self) -> bool {
        self.all.iter().any(|standing| standing.left.is_none() && !standing.down)
    }

    /// The place of whoever gets this.
    pub(super) fn owner(&mut self, key: Key) -> usize {
        let Key::Trace(id) = key else { return self.highest(key.number()) };
        let trace = id.low();
        let known = self.remembered.get(trace);
        if let Some(at) = known.and_then(|number| self.place(number)).filter(|at| !self.all[*at].down) {
            return at;
        }
        let owner = self.highest(trace);
        let Some(standing) = self.all.get(owner) else { return owner };
        let number = standing.member.number;
        self.moved += u64::from(known.is_some_and(|before| before != number));
        self.unremembered += u64::from(!self.remembered.put(trace, number));
        owner
    }

    /// Where it is in `all`, whose numbers ascend.
    fn place(&self, number: u32) -> Option<usize> {
        self.all.binary_search_by_key(&number, |standing| standing.member.number).ok()
    }

    /// The one whose turn it is.
    pub(super) fn in_turn(&self, turn: usize) -> usize {
        self.takers.get(turn % self.takers.len().max(1)).copied().unwrap_or(0)
    }

    fn highest(&self, key: u64) -> usize {
        self.takers.iter().copied().max_by_key(|at| mixed(key ^ self.all[*at].member.hash)).unwrap_or(0)
    }

    /// All that answer, or all, where none does.
    fn choose_takers(&mut self) {
        let some = |wanted: &dyn Fn(&Standing) -> bool| -> Vec<usize> {
            self.all.iter().enumerate().filter(|(_, standing)| standing.left.is_none() && wanted(standing)).map(|(at, _)| at).collect()
        };
        let up = some(&|standing| !standing.down);
        self.takers = if up.is_empty() { some(&|_| true) } else { up };
    }

    /// It did not answer: one that cannot be reached is down, and of another it is not known.
    pub(super) fn was_silent(&mut self, member: &Member, silence: Silence) {
        let Some(standing) = self.place(member.number).and_then(|at| self.all.get_mut(at)) else { return };
        match silence {
            Silence::Unreached => {
                if !std::mem::replace(&mut standing.down, true) {
                    tracing::warn!(gateway = member.place, "a gateway cannot be reached: its share goes to the others");
                }
            }
            Silence::Broken | Silence::Late => standing.doubted = true,
        }
        self.choose_takers();
    }

    /// Those of which it has to be found out whether they answer.
    pub(super) fn uncertain(&self) -> Vec<Arc<Member>> {
        self.all.iter().filter(|standing| standing.down || standing.doubted).map(|standing| Arc::clone(&standing.member)).collect()
    }

    /// Whether it answers.
    pub(super) fn is_up(&mut self, member: &Member, up: bool) {
        let Some(standing) = self.place(member.number).and_then(|at| self.all.get_mut(at)) else { return };
        standing.doubted = false;
        match (std::mem::replace(&mut standing.down, !up), up) {
            (true, true) => tracing::info!(gateway = member.place, "a gateway answers again"),
            (false, false) => tracing::warn!(gateway = member.place, "a gateway does not answer: its share goes to the others"),
            (true, false) | (false, true) => {}
        }
        self.choose_takers();
    }

    pub(super) fn status(&self) -> Gateways {
        let each = self.all.iter().map(|standing| GatewayStatus {
            address: standing.member.place.clone(),
            state: match standing {
                Standing { down: true, .. } => GatewayState::Down,
                Standing { left: Some(_), .. } => GatewayState::Leaving,
                _ => GatewayState::Up,
            },
            records: standing.member.records.load(Ordering::Relaxed),
        });
        Gateways { each: each.collect(), moved_traces: self.moved, unremembered_traces: self.unremembered }
    }
}

/// FNV-1a. Everybody who sends to the same gateways has to come to the same numbers, in whatever version.
fn hash(place: &str) -> u64 {
    mixed(place.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// The end of splitmix64.
fn mixed(number: u64) -> u64 {
    let a = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    b ^ (b >> 31)
}
