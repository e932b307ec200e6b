//! A lane: one task that takes its turns, runs the chain of processors on them by plain calls, fires timers on the stream's clock and lets out what comes of
//! it. It waits only between calls. A panic ends its parts, not the process.

use crate::{
    Reason,
    falls::{Falls, InHand, Verdict, said},
    handed::Handed,
    inbox::Inbox,
    ledger::Fate,
    letter::{About, Content},
    line::Line,
    out::Outbox,
    outlet::{Outlet, SEALED_MAX, Surroundings},
    settling::Settling,
    timers::Timers,
    turn::{Dealt, End, Step},
};
use signal::{Ack, Outcome, Time};
use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::task::coop::consume_budget;

/// A processor panicked: this life of the lane is over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fallen {
    /// The places in the journal of what it panicked at; none where it let go of what it held.
    pub(crate) at: Vec<u64>,
    /// Those of what it may have held, where lanes have fallen before.
    pub(crate) held: Vec<u64>,
    /// Which processor it was, where that is known.
    pub(crate) node: Option<String>,
    /// The panic's words.
    pub(crate) said: String,
    /// It was no panic: its decisions are not kept.
    pub(crate) refused: bool,
}

/// What a lane knows of the others.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) around: Arc<Surroundings>,
    pub(crate) settling: Arc<Settling>,
    pub(crate) timers: Arc<Timers>,
    /// Its number among those timers.
    pub(crate) number: usize,
    pub(crate) falls: Arc<Falls>,
}

impl Seat {
    /// A request at which lanes fell too often goes to the dead letters, where there is a disk, and is settled. Once, however often others make it be read again.
    async fn give_up(&self, handed: Handed, ack: Ack, position: u64, verdict: Verdict) {
        match verdict {
            Verdict::GivenUp => handed.let_go(Fate::Discarded, Reason::REPLAYED),
            Verdict::GiveUp { reason, why } => {
                let (around, account) = (&self.around, Arc::clone(&handed.account));
                tracing::error!(node = account.name, position, records = handed.records, why, "a request is given up");
                let fate = if around.letters.is_some() { Fate::Rejected } else { Fate::Lost };
                let ending = handed.ending(fate, reason);
                if let Some(letters) = &around.letters {
                    let flow = handed.into_flow(around.log(), Ack::none());
                    let about = About::new(&account.name, reason, &why, letters.now());
                    // For as long as it takes: nothing goes on before it is kept, and cut off it stays in the journal.
                    let _kept = letters.bury(&about, &Content::of(&account.name, &flow), pending()).await;
                }
                account.post(&ending);
                self.falls.give_up(position);
            }
        }
        ack.record(Outcome::Rejected);
    }
}

/// One life of a lane.
pub(crate) struct Lane {
    line: Line,
    seat: Seat,
    now: Time,
    outbox: Outbox,
    window_bytes: usize,
    /// It came to its end, or fell and has said so.
    over: bool,
}

impl Lane {
    pub(crate) fn new(line: Line, seat: Seat) -> Lane {
        // Where it is kept what the parts have is read again.
        let fall = if seat.around.kept.is_some() { (Fate::Discarded, Reason::REPLAYED) } else { (Fate::Lost, Reason::PANICKED) };
        let outbox = Outbox::new(fall, !seat.falls.is_empty());
        let window_bytes = line.held_bytes();
        seat.around.window.force(window_bytes);
        Lane { line, seat, now: Time::default(), outbox, window_bytes, over: false }
    }

    /// Among the lanes of its crew, those in front first.
    pub(crate) fn number(&self) -> usize {
        self.seat.number
    }

    /// Runs until its last turn is over. When the stream has ended, everything held was sent on; a lane that is to hand over still has it.
    pub(crate) async fn run(&mut self, inbox: &mut Inbox<'_>, outlet: &mut Outlet) -> Result<End, Fallen> {
        // What it took over may be due before anything comes.
        self.seat.timers.set(self.seat.number, self.line.due(), self.now);
        loop {
            // Lets others have their turn, however much there is to do.
            consume_budget().await;
            outlet.release(SEALED_MAX).await;
            self.look_at(outlet)?;
            if inbox.at_hand().is_none() {
                let is_sealed = outlet.is_sealed();
                let ready = tokio::select! {
                    () = inbox.ready() => true,
                    () = outlet.kept(), if is_sealed => false,
                };
                if ready {
                    inbox.begin().await;
                }
                continue;
            }
            let end = self.turn(inbox, outlet).await?;
            if end != End::Open {
                outlet.release(0).await;
                self.look_at(outlet)?;
                self.over = true;
                return Ok(end);
            }
        }
    }

    /// Where decisions are not kept, nothing of what was decided may go on: others decide.
    fn look_at(&mut self, outlet: &Outlet) -> Result<(), Fallen> {
        let Some(why) = outlet.refused() else { return Ok(()) };
        self.seat.settling.fall();
        self.over = true;
        let (fate, reason) = self.outbox.fall;
        self.line.end_held(fate, reason);
        Err(Fallen { said: why.to_owned(), refused: true, ..Fallen::default() })
    }

    /// What its parts hold is read again by others.
    pub(crate) fn give_back(&mut self) {
        self.line.end_held(Fate::Discarded, Reason::RETURNED);
    }

    /// The turn at hand, to its end.
    async fn turn(&mut self, inbox: &mut Inbox<'_>, outlet: &mut Outlet) -> Result<End, Fallen> {
        let Some(number) = inbox.at_hand().map(|turn| turn.number) else { return Ok(End::Open) };
        while let Some(time) = inbox.at_hand().and_then(|turn| turn.steps.front()).map(Step::time) {
            // Before the step is taken: if the lane falls here, the step has not been in it.
            self.advance(time, outlet, number).await?;
            match inbox.step() {
                Some(Step::Request(dealt)) => self.take(dealt, outlet, number).await?,
                Some(Step::Across { stage, flow, .. }) => {
                    self.call(None, outlet, number, |line, now, outbox| line.enter(stage, flow, *now, outbox)).await?;
                }
                Some(Step::Time(_)) | None => {}
            }
        }
        if inbox.at_hand().is_some_and(|turn| turn.end == End::Last) {
            self.last(outlet, number).await?;
        }
        self.seat.timers.set(self.seat.number, self.line.due(), self.now);
        if let Some(turn) = inbox.at_hand() {
            outlet.end_turn(turn, turn.end, self.now).await;
        }
        Ok(inbox.end())
    }

    /// One request.
    async fn take(&mut self, dealt: Dealt, outlet: &mut Outlet, turn: u64) -> Result<(), Fallen> {
        let Some((mut handed, ack)) = dealt.take() else { return Ok(()) };
        let position = handed.position;
        if let Some((position, verdict)) = position.and_then(|position| Some((position, self.seat.falls.verdict(position)?))) {
            self.seat.give_up(handed, ack, position, verdict).await;
            return Ok(());
        }
        drop(handed.admission.take());
        let log = self.seat.around.log();
        self.call(position, outlet, turn, |line, now, outbox| line.take(handed, ack, log, *now, outbox)).await
    }

    /// Fires every timer up to `until`, each at its own time, and lets what comes of it out in between.
    async fn advance(&mut self, until: Time, outlet: &mut Outlet, turn: u64) -> Result<(), Fallen> {
        let until = until.max(self.now);
        loop {
            let mut fired = false;
            self.call(None, outlet, turn, |line, now, outbox| fired = line.fire(until, now, outbox)).await?;
            if !fired {
                break;
            }
        }
        self.now = until;
        Ok(())
    }

    /// The input has ended: everything held goes on, stage by stage.
    async fn last(&mut self, outlet: &mut Outlet, turn: u64) -> Result<(), Fallen> {
        for stage in 0..self.line.stages.len() {
            self.call(None, outlet, turn, |line, now, outbox| line.flush_last(stage, *now, outbox)).await?;
        }
        Ok(())
    }

    /// Gives what its parts hold to those of the same name and type in a lane of another graph, and has everything else emit what it holds.
    pub(crate) async fn hand_over(&mut self, heirs: &mut Line, outlet: &mut Outlet) -> Result<(), Fallen> {
        for stage in 0..self.line.stages.len() {
            let call = |line: &mut Line, now: &mut Time, outbox: &mut Outbox| {
                if !line.hand_over(stage, heirs) {
                    line.flush_last(stage, *now, outbox);
                }
            };
            self.call(None, outlet, 0, call).await?;
        }
        outlet.release(0).await;
        Ok(())
    }

    /// One call of the parts, for the request at this place: what comes out goes on, or the lane has fallen.
    async fn call(
        &mut self,
        position: Option<u64>,
        outlet: &mut Outlet,
        turn: u64,
        call: impl FnOnce(&mut Line, &mut Time, &mut Outbox),
    ) -> Result<(), Fallen> {
        if let Some(said) = self.panics(call) {
            let held = self.outbox.at_work.map(|stage| self.outbox.given.open(stage, &self.seat.settling)).unwrap_or_default();
            self.seat.settling.fall();
            self.over = true;
            let mut at_hand = std::mem::take(&mut self.outbox.at_hand);
            at_hand.extend(position.filter(|_| at_hand.is_empty()));
            let stage = self.outbox.at_work.take().and_then(|at| self.line.stages.get(at));
            let node = stage.map(|stage| stage.account.name.clone());
            let (fate, why) = self.outbox.fall;
            self.line.end_held(fate, why);
            if self.seat.around.kept.is_none() {
                // What came out before is counted as out, and nobody reads it again.
                outlet.send(&mut self.outbox, turn, self.now).await;
            }
            return Err(Fallen { at: at_hand, held, node, said, refused: false });
        }
        let held = self.line.held_bytes();
        self.seat.around.window.force(held.saturating_sub(self.window_bytes));
        self.seat.around.window.give_back(self.window_bytes.saturating_sub(held));
        self.window_bytes = held;
        self.outbox.given.prune(&self.seat.settling);
        if self.outbox.len() > 0 {
            outlet.send(&mut self.outbox, turn, self.now).await;
        }
        Ok(())
    }

    /// Calls the parts. While what an earlier process left is read again, the next one can tell what was in hand if this one ends here.
    fn panics(&mut self, call: impl FnOnce(&mut Line, &mut Time, &mut Outbox)) -> Option<String> {
        let Lane { line, seat, now, outbox, .. } = self;
        let blame = seat.around.blame.as_ref().filter(|blame| !blame.is_over());
        let _alone = blame.and_then(|blame| blame.alone());
        outbox.in_hand = blame.map(|blame| InHand::new(Arc::clone(blame), seat.number));
        let panicked = catch_unwind(AssertUnwindSafe(|| call(line, now, outbox))).err();
        outbox.in_hand = None;
        panicked.map(|panic| said(&*panic).to_owned())
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.seat.settling.fall();
        } else if !self.over {
            // Before the parts let go of what they hold.
            self.seat.settling.break_off();
        }
        self.seat.around.window.give_back(self.window_bytes);
    }
}
