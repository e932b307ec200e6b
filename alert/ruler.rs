//! The rules of one alert node at work: what flows in, what is to be told, and the checkpoint that a restart goes on from.
//! A record counts as delivered once a checkpoint that knows it is on disk, and an alert is told once one that has it is: so a crash neither counts twice nor
//! forgets, and tells again only what it was just telling.

use crate::{
    book::{Alert, Book},
    checkpoint::Checkpoint,
    evaluate::{Evaluator, Seen},
    folder::{Error, Folder, Found},
    lag::Lag,
    rule::Rule,
    state::Transition,
    told::{Instance, NotificationLog, Seen as How},
};
use journal::{Blocking, blocked};
use parking_lot::Mutex;
use signal::{Flow, Time};
use std::{borrow::Cow, collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};

/// Between two checkpoints, so that whoever comes meanwhile shares the next.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_millis(900);
/// What checkpoints may write within a second: the pause follows from their size.
const BYTES_A_SECOND: u64 = 32 << 20;
/// How often the time is written down while something is counted and nothing comes.
const WRITTEN_EVERY: Duration = Duration::from_secs(10);
/// A parcel that is this far ahead of the last look at the states has them looked at first.
const AHEAD: Duration = Duration::from_secs(2);

/// Shared by the instances of a node that follow each other at reloads.
pub struct Ruler {
    book: Arc<Book>,
    folder: Option<Folder>,
    blocking: Blocking,
    state: Mutex<State>,
    synced: watch::Sender<Synced>,
    /// There is something to write.
    unsaved: Notify,
    /// Held by who writes a checkpoint, from the look at the state until it is on disk.
    writing: Mutex<()>,
    /// Receivers that are being told now.
    telling: Mutex<BTreeSet<String>>,
}

#[derive(Default)]
struct State {
    evaluator: Evaluator,
    log: NotificationLog,
    lag: Lag,
    /// Counts what a restart must not forget.
    epoch: u64,
    written: Time,
    has_begun: bool,
    damaged: u64,
}

/// What is on disk.
#[derive(Clone, Debug, Default)]
struct Synced {
    epoch: u64,
    failures: u64,
    why: String,
}

/// What a start found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing is counted yet.
    Anew,
    /// It goes on from a checkpoint.
    Resumed,
}

impl Ruler {
    /// One that counts nothing yet. Without a folder nothing outlives the process, and everything counts as delivered at once.
    #[must_use]
    pub fn new(book: Arc<Book>, folder: Option<Folder>, blocking: Blocking) -> Ruler {
        Ruler {
            book,
            folder,
            blocking,
            state: Mutex::default(),
            synced: watch::Sender::default(),
            unsaved: Notify::new(),
            writing: Mutex::default(),
            telling: Mutex::default(),
        }
    }

    /// Goes on from what an earlier process left, by these rules; what a rule that is gone has told is ended. Where it has begun before, it only says so:
    /// [`Ruler::change`] brings other rules. Blocks.
    ///
    /// # Errors
    /// What is there is of a version that is not known here, or the disk refuses. What is damaged is set aside and said in the log.
    pub fn begin(&self, rules: Vec<Rule>, receivers: Vec<String>, wall: Time) -> Result<Option<Begun>, Error> {
        if self.state.lock().has_begun {
            return Ok(None);
        }
        let found = self.folder.as_ref().map_or(Ok(Found::Nothing), Folder::read)?;
        let mut state = self.state.lock();
        let state = &mut *state;
        state.has_begun = true;
        state.written = wall;
        state.evaluator = Evaluator::new(rules);
        state.damaged = u64::from(matches!(found, Found::Damaged(_)));
        let mut begun = Begun::Anew;
        if let Found::State(left) = found {
            let Checkpoint { written, now, downtimes, known, rules, notices } = *left;
            state.evaluator.downtimes = downtimes.into_owned();
            state.evaluator.known = known.into_owned();
            let nanos = state.evaluator.downtimes.add(written, wall);
            state.evaluator.resume(rules, now, nanos);
            let notices = notices.into_iter().map(|(instance, entry)| (instance.into_owned(), entry.into_owned()));
            state.log = NotificationLog::of(notices.collect());
            begun = Begun::Resumed;
        }
        self.follow(state, receivers);
        Ok(Some(begun))
    }

    /// Goes on by other rules and with other receivers, with what was counted for those that count the same.
    pub fn change(&self, rules: Vec<Rule>, receivers: Vec<String>) {
        let mut state = self.state.lock();
        let mut evaluator = Evaluator::new(rules);
        evaluator.adopt(std::mem::take(&mut state.evaluator));
        state.evaluator = evaluator;
        self.follow(&mut state, receivers);
    }

    /// What is told follows the rules that are there now.
    fn follow(&self, state: &mut State, receivers: Vec<String>) {
        state.epoch += 1;
        state.log.tell(receivers);
        let mut firing = state.evaluator.firing();
        firing.extend(state.lag.is_much().then(Lag::instance));
        self.book.note(state.log.end_all_but(&firing, state.evaluator.now(), state.epoch));
        self.unsaved.notify_one();
    }

    /// Counts what flows. [`Ruler::kept`] returns once the returned number is on disk.
    pub fn observe(&self, flow: &Flow, wall: Time) -> u64 {
        let mut state = self.state.lock();
        let now = state.time(wall).max(newest(flow).min(wall));
        if now.since(state.evaluator.now()) >= AHEAD {
            self.advance(&mut state, now);
        }
        if state.evaluator.observe(flow, now) {
            state.epoch += 1;
        }
        state.epoch
    }

    /// Returns once a checkpoint of this or a later number is on disk.
    ///
    /// # Errors
    /// Why the disk did not take the next one. It is tried again, whoever waits.
    pub async fn kept(&self, epoch: u64) -> Result<(), String> {
        if self.folder.is_none() {
            return Ok(());
        }
        let mut synced = self.synced.subscribe();
        let failures = synced.borrow().failures;
        self.unsaved.notify_one();
        let now = synced.wait_for(|synced| synced.epoch >= epoch || synced.failures > failures).await;
        match now {
            Ok(now) if now.epoch < epoch => Err(now.why.clone()),
            // The sender is here, so it cannot be gone.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Looks at every state: once a second.
    pub fn tick(&self, wall: Time) {
        let mut state = self.state.lock();
        let now = state.time(wall);
        self.advance(&mut state, now);
        let mut active: Vec<Alert> = state.evaluator.active().into_iter().map(Alert::of).collect();
        active.extend(state.lag.active(wall));
        self.book.write(active);
        if !state.evaluator.is_idle() && wall.since(state.written) >= WRITTEN_EVERY {
            state.epoch += 1;
            state.written = wall;
        }
        if self.folder.is_some() && state.epoch > self.synced.borrow().epoch {
            self.unsaved.notify_one();
        }
    }

    fn advance(&self, state: &mut State, now: Time) {
        let seen = state.evaluator.advance(now);
        if seen.is_empty() {
            return;
        }
        state.epoch += 1;
        let how = if state.lag.is_much() { How::Late } else { How::InTime };
        let changed = seen.into_iter().map(|seen: Seen| {
            let (instance, alert) = (seen.instance(), Alert::of(seen));
            if matches!(alert.transition, Transition::Firing | Transition::Resolved) {
                state.log.write(instance, alert.clone(), how, state.epoch);
            }
            alert
        });
        self.book.note(changed);
    }

    /// The stream is behind by so much.
    pub fn lags(&self, by: Duration, wall: Time) {
        let mut state = self.state.lock();
        let Some(alert) = state.lag.tell(by, wall) else { return };
        state.epoch += 1;
        let epoch = state.epoch;
        self.book.note([alert.clone()]);
        state.log.write(Lag::instance(), alert, How::InTime, epoch);
    }

    /// Nothing of this log at or below the position comes again.
    pub fn settled(&self, log: u32, position: u64) {
        self.state.lock().evaluator.known.settled(log, position);
    }

    /// Checkpoints found damaged and set aside.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.state.lock().damaged
    }

    /// Writes checkpoints, as often as there is something new, and never returns. Without a folder it only never returns.
    ///
    /// # Cancel safety
    /// Safe: one that is being written is written.
    pub async fn keep(self: &Arc<Ruler>, clock: impl Fn() -> Time + Send + Clone + 'static) {
        if self.folder.is_none() {
            return std::future::pending().await;
        }
        loop {
            self.unsaved.notified().await;
            tokio::time::sleep(self.save(clock.clone()).await).await;
        }
    }

    /// Writes a checkpoint, if there is something new, and returns how long to pause after it.
    pub async fn save(self: &Arc<Ruler>, clock: impl Fn() -> Time + Send + 'static) -> Duration {
        let ruler = Arc::clone(self);
        let bytes = blocked(&self.blocking, move || ruler.write(clock())).await.unwrap_or_default();
        Duration::from_millis(bytes * 1_000 / BYTES_A_SECOND).clamp(PAUSE_MIN, PAUSE_MAX)
    }

    /// Returns how many bytes were written.
    fn write(&self, wall: Time) -> u64 {
        let Some(folder) = &self.folder else { return 0 };
        let _one = self.writing.lock();
        let (encoded, epoch) = {
            let mut state = self.state.lock();
            if state.epoch <= self.synced.borrow().epoch {
                return 0;
            }
            state.written = wall;
            (state.checkpoint(wall).encode(), state.epoch)
        };
        let bytes = encoded.as_ref().map_or(0, |encoded| encoded.len() as u64);
        let put = encoded.map_err(Error::Words).and_then(|encoded| folder.put(encoded));
        self.synced.send_modify(|synced| match &put {
            Ok(()) => synced.epoch = epoch,
            Err(error) => (synced.failures, synced.why) = (synced.failures + 1, error.to_string()),
        });
        if let Err(error) = put {
            tracing::error!(%error, "what is counted for alerts cannot be written down");
        }
        bytes
    }

    /// What this receiver has to be told now, for whoever has the right to tell it.
    #[must_use]
    pub fn due(&self, teller: &Teller<'_>) -> Vec<(Instance, Alert)> {
        let synced = if self.folder.is_some() { self.synced.borrow().epoch } else { u64::MAX };
        let state = self.state.lock();
        let (much, of_lag) = (state.lag.is_much(), Lag::instance());
        state.log.due(&teller.receiver, synced, |instance| !much || *instance == of_lag)
    }

    /// This receiver was told.
    pub fn told(&self, teller: &Teller<'_>, told: &[(Instance, Alert)], wall: Time) {
        let mut state = self.state.lock();
        state.log.sent(&teller.receiver, told, wall);
        state.epoch += 1;
        drop(state);
        self.unsaved.notify_one();
    }

    /// The number of what is so now, for [`Ruler::kept`].
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.state.lock().epoch
    }

    /// The right to tell a receiver; none while somebody else has it, since two would tell twice.
    #[must_use]
    pub fn teller(&self, receiver: &str) -> Option<Teller<'_>> {
        let is_free = self.telling.lock().insert(receiver.to_owned());
        is_free.then(|| Teller { ruler: self, receiver: receiver.to_owned() })
    }
}

/// The right to tell a receiver, until it is dropped.
pub struct Teller<'a> {
    ruler: &'a Ruler,
    receiver: String,
}

impl Drop for Teller<'_> {
    fn drop(&mut self) {
        self.ruler.telling.lock().remove(&self.receiver);
    }
}

impl State {
    /// The stream's time.
    fn time(&self, wall: Time) -> Time {
        wall.minus(self.lag.by).max(self.evaluator.now())
    }

    fn checkpoint(&self, wall: Time) -> Checkpoint<'_> {
        let Evaluator { known, downtimes, .. } = &self.evaluator;
        Checkpoint {
            written: wall,
            now: self.evaluator.now(),
            downtimes: Cow::Borrowed(downtimes),
            known: Cow::Borrowed(known),
            rules: self.evaluator.states(),
            notices: self.log.entries().map(|(instance, entry)| (Cow::Borrowed(instance), Cow::Borrowed(entry))).collect(),
        }
    }
}

/// When the last of it arrived.
fn newest(flow: &Flow) -> Time {
    flow.batches().flat_map(|batch| batch.chunks()).map(signal::Chunk::arrived).max().unwrap_or_default()
}
