//! From a stream to turns: what is there is dealt in order, and while nothing is there, the wall's time as soon as a lane waits for it.

use crate::{
    crew::Successor,
    handed::Handed,
    kept::Kept,
    outlet::Surroundings,
    settling::Settling,
    stream::{Idle, Stream},
    timers::Timers,
    turn::{Dealt, End, Step, Turn},
};
use signal::Time;
use std::{collections::VecDeque, sync::Arc};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::coop::consume_budget,
    time::{Instant, sleep},
};

/// What one turn may have when several lanes are dealt to: enough to make a turn worth its hops, few enough to keep all lanes busy.
const TURN_REQUESTS_MAX: usize = 64;
const TURN_BYTES_MAX: usize = 256 << 10;

/// When to end: none while running, then the time by which reading must be over.
pub(crate) type Finish = watch::Receiver<Option<Instant>>;

/// How turns are made, and for whom.
#[derive(Clone, Copy, Default)]
pub(crate) struct Dealing {
    /// Lanes that are dealt to, in turn.
    pub(crate) lanes: usize,
    pub(crate) work: Work,
    /// Of requests that may be on their way through lanes.
    pub(crate) bytes_max: usize,
}

/// Where the work on a turn is done.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Work {
    /// In the one lane, which is done with a request before it takes the next.
    #[default]
    Here,
    /// In several lanes, beside each other.
    Shared,
}

/// Owns a stream, and outlives lanes that fall.
pub(crate) struct Reader {
    pub(crate) stream: Stream,
    around: Arc<Surroundings>,
    finish: Finish,
    successors: mpsc::Receiver<Successor>,
    /// Takes over from the lanes that are dealt to now.
    pub(crate) successor: Option<Successor>,
    dealing: Dealing,
    life: Life,
}

/// What begins anew with the lanes.
struct Life {
    settling: Arc<Settling>,
    timers: Arc<Timers>,
    flight: Flight,
    /// The number of the next turn.
    next: u64,
    /// The last time that every lane was told while there was nothing to read.
    told: Time,
    /// What so many lanes still have to be told.
    round: Option<(Time, End, usize)>,
    /// The last that these lanes get was dealt.
    over: bool,
}

/// Bytes of requests that may be on their way through the lanes.
struct Flight {
    room: Arc<Semaphore>,
    bytes_max: u32,
}

impl Flight {
    fn new(bytes_max: usize) -> Flight {
        let bytes_max = u32::try_from(bytes_max.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Flight { room: Arc::new(Semaphore::new(bytes_max as usize)), bytes_max }
    }

    /// One turn that is larger than all may go alone.
    async fn take(&self, bytes: usize) -> Option<Arc<OwnedSemaphorePermit>> {
        let bytes = u32::try_from(bytes).map_or(self.bytes_max, |bytes| bytes.min(self.bytes_max));
        Arc::clone(&self.room).acquire_many_owned(bytes).await.ok().map(Arc::new)
    }
}

impl Life {
    fn new(settling: Arc<Settling>, timers: Arc<Timers>, bytes_max: usize) -> Life {
        Life { settling, timers, flight: Flight::new(bytes_max), next: 0, told: Time::default(), round: None, over: false }
    }
}

impl Reader {
    pub(crate) fn new(stream: Stream, around: Arc<Surroundings>, finish: Finish, successors: mpsc::Receiver<Successor>) -> Reader {
        let life = Life::new(Settling::new(None), Timers::new(0), 0);
        Reader { stream, around, finish, successors, successor: None, dealing: Dealing::default(), life }
    }

    /// When it has to be over, once that was said.
    pub(crate) fn ends_by(&self) -> Option<Instant> {
        *self.finish.borrow()
    }

    /// Goes on for another graph.
    pub(crate) fn go_on_with(&mut self, around: Arc<Surroundings>) {
        self.around = around;
    }

    /// Begins to deal anew, to lanes that begin anew.
    pub(crate) fn begin(&mut self, dealing: Dealing, settling: Arc<Settling>, timers: Arc<Timers>) {
        self.dealing = dealing;
        self.life = Life::new(settling, timers, dealing.bytes_max);
    }

    /// Returns once there is a turn to deal.
    ///
    /// # Cancel safety
    /// Safe: nothing is taken out of the stream.
    pub(crate) async fn ready(&mut self) {
        loop {
            // Lets others have their turn, however much there is to read.
            consume_budget().await;
            let by = *self.finish.borrow_and_update();
            if by.is_some() {
                self.stream.close();
            }
            if self.around.journal().is_some() && by.is_some_and(|by| Instant::now() >= by) {
                // What was not read, and what is held, stays in the journal; what is in the queues may still settle, so this life goes on.
                std::future::pending::<()>().await;
            }
            if self.life.round.is_some() {
                return;
            }
            if self.successor.is_none() {
                self.successor = self.successors.try_recv().ok();
            }
            if self.successor.is_some() && !self.life.over {
                // Between two records, wherever the stream is.
                let now = *self.around.progress.borrow();
                self.tell(now, End::HandOver);
                return;
            }
            if by.is_some() && matches!(self.around.kept, Some(Kept::Partition(_))) && !self.life.over {
                // Whoever has the partition next reads on.
                let now = *self.around.progress.borrow();
                self.tell(now, End::Return);
                return;
            }
            let wall = match self.stream.idle() {
                Idle::No => return,
                Idle::Behind => None,
                Idle::At(wall) => Some(wall),
            };
            let due = self.life.timers.next(self.life.told).filter(|_| wall.is_some());
            if let Some(wall) = wall
                && (by.is_some() || due.is_some_and(|due| due <= wall))
            {
                self.around.progress.send_replace(wall);
                self.life.told = wall;
                self.tell(wall, if by.is_some() { End::Last } else { End::Open });
                return;
            }
            let wait = due.map(|due| due.since(wall.unwrap_or_default()));
            tokio::select! {
                () = self.stream.news() => {}
                _ended = self.finish.changed() => {}
                Some(successor) = self.successors.recv(), if self.successor.is_none() => self.successor = Some(successor),
                () = self.life.timers.news() => {}
                () = sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
    }

    /// Every lane is told the time next.
    fn tell(&mut self, time: Time, end: End) {
        self.life.round = Some((time, end, self.dealing.lanes));
        self.life.over = end != End::Open;
    }

    /// The next turn; none where what was there turned out to be nothing.
    ///
    /// # Cancel safety
    /// For lanes that have fallen only: what was taken out comes again when the stream begins again.
    pub(crate) async fn turn(&mut self) -> Option<Turn> {
        if let Some((wall, end, left)) = self.life.round.take() {
            self.life.round = (left > 1).then_some((wall, end, left - 1));
            return Some(self.numbered(VecDeque::from([Step::Time(wall)]), end));
        }
        let first = self.stream.next().await?;
        let mut bytes = first.checked.bytes().len();
        self.around.progress.send_replace(first.arrived);
        let mut steps = VecDeque::from([self.dealt(first)]);
        if self.dealing.work == Work::Here {
            return Some(self.numbered(steps, End::Open));
        }
        while steps.len() < TURN_REQUESTS_MAX && bytes < TURN_BYTES_MAX {
            let Some(more) = self.stream.next_at_hand().await else { break };
            bytes += more.checked.bytes().len();
            steps.push_back(self.dealt(more));
        }
        let flight = self.life.flight.take(bytes).await;
        Some(Turn { flight, ..self.numbered(steps, End::Open) })
    }

    fn numbered(&mut self, steps: VecDeque<Step>, end: End) -> Turn {
        let number = self.life.next;
        self.life.next += 1;
        Turn { number, steps, end, flight: None }
    }

    fn dealt(&self, handed: Handed) -> Step {
        Step::Request(Dealt::new(handed, Arc::clone(&self.life.settling)))
    }
}
