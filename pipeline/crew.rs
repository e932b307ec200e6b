//! All lanes that share a reader, and their lives. With a journal the fall of one ends the life of all: what they had is read again from the cursor. Without
//! one a lane that falls begins again by itself, and what it held is lost.

use crate::{
    Reason,
    assemble::{Blueprint, Lines, Tier},
    backoff::Backoff,
    exchange::exchange,
    falls::Falls,
    inbox::{Feed, Inbox},
    kept::Kept,
    lane::{Fallen, Lane, Seat},
    ledger::Fate,
    line::Line,
    lives::whats,
    order::Order,
    outlet::{Outlet, Surroundings},
    reader::{Dealing, Reader, Work},
    replay::remember,
    settling::{CURSOR, Settling},
    timers::Timers,
    turn::{End, Turn},
};
use futures::{
    FutureExt,
    future::{BoxFuture, try_join},
};
use signal::{Decision, lane_of};
use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout_at},
};

/// Turns that wait for a lane which is not done with the one before.
const DEALT_TURNS_MAX: usize = 2;
/// Bytes that may be on their way through lanes, at the least.
const FLIGHT_BYTES_MIN: usize = 1 << 20;

/// Kept by every task of a crew: that all have ended shows in its other end.
pub(crate) type Token = mpsc::Sender<Infallible>;

/// Lives of several lanes: each ends with what is to hand over, if anything.
type Lives = JoinSet<Result<Option<Lane>, Fallen>>;

/// What goes on where the lanes of a crew stop.
pub(crate) struct Successor {
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) around: Arc<Surroundings>,
    pub(crate) lines: Lines,
    /// Told once its lanes have what they take over, and everything else is on its way to sinks.
    pub(crate) done: oneshot::Sender<()>,
}

/// The lanes of one reader.
pub(crate) struct Crew {
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) around: Arc<Surroundings>,
    pub(crate) reader: Reader,
    pub(crate) falls: Arc<Falls>,
    pub(crate) token: Token,
}

impl Crew {
    /// Life after life, until the stream was read to its end. `lines`: of the first life. `decisions`: made before the start.
    pub(crate) async fn run(mut self, lines: Lines, mut decisions: Vec<Decision>) {
        let falls = Arc::clone(&self.falls);
        let (mut backoff, mut lines, mut promises) = (Backoff::new("lane"), Some(lines), None);
        loop {
            let Some(mut parts) = lines.take().or_else(|| self.lines()) else { return };
            recall(&mut parts, &std::mem::take(&mut decisions));
            let settling = promises.take().unwrap_or_else(|| Settling::new(self.around.kept.as_ref()));
            let ended = match self.life(parts, Arc::clone(&falls), Arc::clone(&settling)).await {
                Ok(lanes) if lanes.is_empty() => return,
                Ok(lanes) if self.reader.successor.is_none() => return self.give_back(lanes, &settling).await,
                Ok(lanes) => self.hand_over(lanes).await,
                Err(fallen) => Err(fallen),
            };
            let fallen = match ended {
                Ok(heirs) => {
                    // What was promised for records that lanes of the graph before took in is kept by those who hold them now.
                    (lines, promises) = (heirs, Some(settling));
                    continue;
                }
                Err(fallen) => fallen,
            };
            let Some(log) = self.around.journal().cloned() else {
                // A partition begins again at its watermark, by whoever has it.
                return self.around.kept.iter().for_each(|kept| falls.note(fallen.clone(), kept.next()));
            };
            for account in self.blueprint.accounts_of_lanes() {
                // What lanes that did not fall held, or were about to get.
                account.end_held(Fate::Discarded, Reason::REPLAYED);
            }
            falls.note(fallen, log.next());
            sleep(backoff.next()).await;
            // Also the decisions that the fallen made are seen only once they are on disk.
            if let Err(error) = log.flush().await {
                tracing::error!(%error, "cannot sync the journal");
            }
            let cursor = log.cursor(CURSOR);
            falls.forget_below(cursor);
            self.reader.stream.again(cursor);
            match remember(&log, &self.blueprint.world).await {
                Ok(remembered) => decisions = remembered.decisions,
                Err(error) => tracing::error!(%error, "cannot read the decisions back"),
            }
        }
    }

    /// What lanes hold of a partition is read again by whoever has it next. What is on its way to sinks is waited for first, as long as there is time.
    async fn give_back(&mut self, mut lanes: Vec<Lane>, settling: &Settling) {
        let (Some(Kept::Partition(partition)), Some(by)) = (&self.around.kept, self.reader.ends_by()) else { return };
        // An error means that there is no time left.
        let _late = timeout_at(by, partition.marks.arrived()).await;
        partition.marks.close();
        settling.break_off();
        lanes.iter_mut().for_each(Lane::give_back);
    }

    fn lines(&self) -> Option<Lines> {
        // What was built before is built again; a fault would have shown then.
        self.blueprint.lines().inspect_err(|faults| tracing::error!(why = ?whats(faults), "lanes cannot be built again")).ok()
    }

    /// The lanes of the graph so far give what they hold to those of the next, in place, or let it go by the ways that they know.
    async fn hand_over(&mut self, mut lanes: Vec<Lane>) -> Result<Option<Lines>, Fallen> {
        let Some(Successor { blueprint, around, mut lines, done }) = self.reader.successor.take() else { return Ok(None) };
        let front = lanes.len().saturating_sub(self.blueprint.tiers.keyed);
        // Only as many lanes share the keys in the same way.
        let as_many = (lines.front.len() == front, lines.behind.len() == self.blueprint.tiers.keyed);
        let (mut nobody, mut ended) = (Line::default(), Ok(()));
        for lane in &mut lanes {
            let heirs = match lane.number().checked_sub(front) {
                None => lines.front.get_mut(lane.number()).filter(|_| as_many.0),
                Some(number) => lines.behind.get_mut(number).filter(|_| as_many.1),
            };
            let mut outlet = Outlet::new(Arc::clone(&self.around), None, None);
            if let Err(fallen) = lane.hand_over(heirs.unwrap_or(&mut nobody), &mut outlet).await {
                tracing::error!("a processor panicked as it was replaced: this is a defect");
                if self.around.kept.is_some() {
                    ended = Err(fallen);
                    break;
                }
            }
        }
        drop(lanes);
        self.reader.go_on_with(Arc::clone(&around));
        (self.blueprint, self.around) = (blueprint, around);
        // Whoever asked may have gone.
        let _gone = done.send(());
        ended.map(|()| Some(lines))
    }

    /// Until the end, until another graph takes over, or with a journal until a lane falls. Lanes that are to hand over are returned.
    async fn life(&mut self, lines: Lines, falls: Arc<Falls>, settling: Arc<Settling>) -> Result<Vec<Lane>, Fallen> {
        let Crew { blueprint, around, reader, token, .. } = self;
        *around.settling.lock() = Some(Arc::clone(&settling));
        let timers = Timers::new(lines.front.len() + lines.behind.len());
        let work = if lines.front.len() + lines.behind.len() == 1 { Work::Here } else { Work::Shared };
        let bytes_max = (blueprint.budget.intake.bytes_max / 4).max(FLIGHT_BYTES_MIN);
        reader.begin(Dealing { lanes: lines.front.len(), work, bytes_max }, Arc::clone(&settling), Arc::clone(&timers));
        let seat = Seat { around: Arc::clone(around), settling: Arc::clone(&settling), timers, number: 0, falls };
        let mut seats = Seats { blueprint, token, seat, lanes: JoinSet::new() };
        let here = seats.fill(lines, reader);
        let mut lanes = seats.lanes;
        // Dropped first where this life is cut off, so that nothing of what goes with it settles.
        let mut cut_off = BreaksOff(Some(&settling));
        let ended = try_join(here, all(&mut lanes)).await;
        match ended {
            Ok((here, mut others)) => {
                // What is in the queues still settles.
                cut_off.0 = None;
                others.extend(here);
                Ok(others)
            }
            Err(fallen) => {
                settling.fall();
                lanes.shutdown().await;
                Err(fallen)
            }
        }
    }
}

/// Nothing settles any more once it is dropped.
struct BreaksOff<'a>(Option<&'a Settling>);

impl Drop for BreaksOff<'_> {
    fn drop(&mut self) {
        self.0.into_iter().for_each(Settling::break_off);
    }
}

/// Where lanes are set going.
struct Seats<'a> {
    blueprint: &'a Arc<Blueprint>,
    token: &'a Token,
    /// The next one.
    seat: Seat,
    lanes: Lives,
}

impl Seats<'_> {
    /// Sets lanes going, those in front first. What is left to do here: to deal to the lanes in front, or to be the only one.
    fn fill<'r>(&mut self, lines: Lines, reader: &'r mut Reader) -> BoxFuture<'r, Result<Option<Lane>, Fallen>> {
        let Lines { mut front, behind } = lines;
        let order = self.blueprint.tiers.ordered.then(Order::new);
        let (before, after) = exchange(front.len(), behind.len(), &self.blueprint.accounts_behind());
        let mut before = before.into_iter().filter(|_| !behind.is_empty());
        let around = Arc::clone(&self.seat.around);
        let mut outlet = move || Outlet::new(Arc::clone(&around), order.clone(), before.next());
        let here = if front.len() == 1
            && let Some(line) = front.pop()
        {
            lives(Arc::clone(self.blueprint), Tier::Front, self.next(), line, Inbox::new(Feed::Own(reader)), outlet()).boxed()
        } else {
            let ways = front.into_iter().map(|line| {
                let (way, turns) = mpsc::channel(DEALT_TURNS_MAX);
                self.begin(Tier::Front, line, Feed::Dealt(turns), outlet());
                way
            });
            deal(reader, ways.collect()).map(|()| Ok(None)).boxed()
        };
        for (line, merged) in behind.into_iter().zip(after) {
            let outlet = Outlet::new(Arc::clone(&self.seat.around), None, None);
            self.begin(Tier::Behind, line, Feed::Merged(merged), outlet);
        }
        here
    }

    fn begin(&mut self, tier: Tier, line: Line, from: Feed<'static>, outlet: Outlet) {
        let (blueprint, seat, token) = (Arc::clone(self.blueprint), self.next(), self.token.clone());
        self.lanes.spawn(async move {
            let _token = token;
            lives(blueprint, tier, seat, line, Inbox::new(from), outlet).await
        });
    }

    fn next(&mut self) -> Seat {
        let seat = self.seat.clone();
        self.seat.number += 1;
        seat
    }
}

/// Deals every turn to the lane whose turn it is, to the end.
async fn deal(reader: &mut Reader, ways: Vec<mpsc::Sender<Turn>>) {
    let mut ended = 0;
    while ended < ways.len() {
        reader.ready().await;
        let Some(turn) = reader.turn().await else { continue };
        ended += usize::from(turn.end != End::Open);
        let lane = usize::try_from(turn.number % ways.len().max(1) as u64).unwrap_or(0);
        if let Some(way) = ways.get(lane) {
            // An error means that the lane is being cut off.
            let _cut_off = way.send(turn).await;
        }
    }
}

/// Returns when all lanes have come to their end, or one has fallen.
async fn all(lanes: &mut Lives) -> Result<Vec<Lane>, Fallen> {
    let mut ended = Vec::new();
    while let Some(joined) = lanes.join_next().await {
        ended.extend(joined.unwrap_or_else(|_| Err(Fallen::default()))?);
    }
    Ok(ended)
}

/// Lives of one lane. Returned if it is to hand over.
async fn lives(
    blueprint: Arc<Blueprint>,
    tier: Tier,
    seat: Seat,
    line: Line,
    mut inbox: Inbox<'_>,
    mut outlet: Outlet,
) -> Result<Option<Lane>, Fallen> {
    let (mut backoff, mut line) = (Backoff::new("lane"), Some(line));
    loop {
        let again =
            || blueprint.line(tier).inspect_err(|faults| tracing::error!(why = ?whats(faults), "a lane cannot be built again")).ok();
        let Some(parts) = line.take().or_else(again) else { return Ok(None) };
        let mut lane = Lane::new(parts, seat.clone());
        let ended = AssertUnwindSafe(lane.run(&mut inbox, &mut outlet)).catch_unwind().await;
        let fallen = match ended {
            Ok(Ok(end)) => return Ok(matches!(end, End::HandOver | End::Return).then_some(lane)),
            Ok(Err(fallen)) => fallen,
            Err(_panic) => {
                seat.settling.fall();
                Fallen::default()
            }
        };
        drop(lane);
        if fallen.refused {
            tracing::warn!(why = fallen.said, "decisions are not kept; the partition begins again, or others have it");
        } else {
            tracing::error!("a processor panicked: this is a defect; its lane begins again");
        }
        if seat.around.kept.is_some() {
            return Err(fallen);
        }
        sleep(backoff.next()).await;
    }
}

/// Tells of decisions whoever gets the rest of their traces.
fn recall(lines: &mut Lines, decisions: &[Decision]) {
    let behind = lines.behind.len();
    for decision in decisions {
        if behind == 0 {
            lines.front.iter_mut().for_each(|line| line.recall(decision));
        } else if let Some(line) = lines.behind.get_mut(lane_of(decision.trace_id.low(), behind)) {
            line.recall(decision);
        }
    }
}

/// The tasks of all lanes.
pub(crate) struct Lanes {
    pub(crate) crews: JoinSet<()>,
    /// Ends when the last task of a crew has.
    gone: mpsc::Receiver<Infallible>,
    token: Option<Token>,
}

impl Lanes {
    pub(crate) fn new() -> Lanes {
        let (token, gone) = mpsc::channel(1);
        Lanes { crews: JoinSet::new(), gone, token: Some(token) }
    }

    /// Sets a crew going.
    pub(crate) fn begin(&mut self, crew: impl FnOnce(Token) -> Crew, lines: Lines, decisions: Vec<Decision>) {
        if let Some(token) = &self.token {
            self.crews.spawn(crew(token.clone()).run(lines, decisions));
        }
    }

    /// Cuts off what is still there.
    pub(crate) async fn shutdown(&mut self) {
        self.crews.shutdown().await;
        self.token = None;
        // A crew that is cut off cannot wait for its lanes.
        let _gone = self.gone.recv().await;
    }
}
