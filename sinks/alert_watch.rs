//! An alert node at work: gives what comes to its ruler, looks at the states once a second, and tells each receiver what it does not know yet.

use crate::alert_notify::Receivers;
use alert::{AdminUrl, Alert, Book, Folder, Instance, Rule, Ruler, notify};
use config::{Fault, Place};
use futures::future::{BoxFuture, join, join_all};
use parking_lot::Mutex;
use pipeline::{Blocking, BuildContext, Clock, Opened, Parcel, Refusal, Sink, SinkError, State, Stop, Why, blocked};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

/// The folder of all alert nodes, below the journal's.
const FOLDER: &str = "alerts";
/// How often states are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often is looked whether a receiver has to be told something.
const INFORM_EVERY: Duration = Duration::from_millis(200);
/// How long a receiver is left alone that could not be told; twice as long each time.
const LEFT_ALONE_MIN: Duration = Duration::from_secs(10);
const LEFT_ALONE_MAX: Duration = Duration::from_secs(300);

/// One instance of a node. Those that follow each other at reloads have one ruler.
pub(crate) struct Alerting {
    ruler: Arc<Ruler>,
    /// Until the ruler has them.
    rules: Mutex<Option<Vec<Rule>>>,
    rules_said: usize,
    receivers: Receivers,
    clock: Clock,
    blocking: Blocking,
    place: Place,
    /// Another instance goes on.
    is_followed: AtomicBool,
    _book: Arc<Book>,
    /// Held for the graph that comes after a reload.
    _admin: Option<Arc<AdminUrl>>,
}

impl Alerting {
    pub(crate) fn new(rules: Vec<Rule>, receivers: Receivers, admin: Option<Arc<AdminUrl>>, context: &BuildContext<'_>) -> Alerting {
        let Ok(book) = context.pool.get_or(context.name, || Ok::<_, Infallible>(Arc::new(Book::default())));
        let folder = context.journal.as_ref().map(|journal| journal.join(FOLDER).join(context.name));
        let folder = folder.map(|path| Folder::new(Arc::clone(context.disk), path));
        let ruler = || Ok::<_, Infallible>(Arc::new(Ruler::new(Arc::clone(&book), folder, Arc::clone(context.blocking))));
        let Ok(ruler) = context.pool.get_or(context.name, ruler);
        Alerting {
            ruler,
            rules_said: rules.len(),
            rules: Mutex::new(Some(rules)),
            receivers,
            clock: context.clock.clone(),
            blocking: Arc::clone(context.blocking),
            place: context.place,
            is_followed: AtomicBool::new(false),
            _book: book,
            _admin: admin,
        }
    }

    /// From now on these rules count.
    fn take_over(&self) {
        if let Some(rules) = self.rules.lock().take() {
            self.ruler.change(rules, self.receivers.names());
        }
    }

    async fn look(&self, stop: &Stop) {
        while !asked_within(stop, TICK).await {
            self.ruler.tick(self.clock.now());
        }
    }

    /// Tells one receiver what it does not know, over and over.
    async fn inform(&self, receiver: &str, stop: &Stop) {
        let (mut left_alone, mut wait) = (LEFT_ALONE_MIN, INFORM_EVERY);
        while !asked_within(stop, wait).await {
            wait = match self.tell(receiver).await {
                Ok(()) => {
                    left_alone = LEFT_ALONE_MIN;
                    INFORM_EVERY
                }
                Err(failure) => {
                    tracing::error!(receiver, failure, again_in = ?left_alone, "a notification could not be delivered");
                    let twice = (left_alone * 2).min(LEFT_ALONE_MAX);
                    std::mem::replace(&mut left_alone, twice)
                }
            };
        }
    }

    async fn tell(&self, receiver: &str) -> Result<(), String> {
        let Some(teller) = self.ruler.teller(receiver) else { return Ok(()) };
        let mut due = self.ruler.due(&teller);
        let alerts: Vec<Alert> = due.iter().map(|(_, alert)| alert.clone()).collect();
        for notice in notify::notices(&alerts) {
            self.receivers.tell(receiver, &notice).await?;
            let (told, rest): (Vec<(Instance, Alert)>, _) = due.into_iter().partition(|(_, alert)| alert.name == notice.alertname);
            self.ruler.told(&teller, &told, self.clock.now());
            due = rest;
        }
        Ok(())
    }

    /// After the last delivery: how it stands then, and that everybody was told so.
    async fn end(&self) {
        self.ruler.tick(self.clock.now());
        if let Err(error) = self.ruler.kept(self.ruler.epoch()).await {
            tracing::error!(error, "what was counted last is counted again after the next start");
        }
        let tell = |receiver: String| async move {
            if let Err(failure) = self.tell(&receiver).await {
                tracing::error!(receiver, failure, "a notification could not be delivered");
            }
        };
        join_all(self.receivers.names().into_iter().map(tell)).await;
    }
}

/// Whether a stop was asked for before so much time had passed.
async fn asked_within(stop: &Stop, wait: Duration) -> bool {
    tokio::select! {
        () = stop.asked() => true,
        () = sleep(wait) => false,
    }
}

impl Sink for Alerting {
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async {
            let (ruler, rules, names, now) = (Arc::clone(&self.ruler), self.rules.lock().clone(), self.receivers.names(), self.clock.now());
            let begun = blocked(&self.blocking, move || ruler.begin(rules.unwrap_or_default(), names, now)).await;
            match begun {
                Some(Ok(begun)) => {
                    if begun.is_some() {
                        *self.rules.lock() = None;
                    }
                    Ok(vec![Opened::new("tells", format!("{} of {} rules", self.receivers.said(), self.rules_said))])
                }
                Some(Err(error)) => Err(vec![Fault::at(self.place, error.to_string())]),
                None => Err(vec![Fault::at(self.place, "the process is going down")]),
            }
        })
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            let epoch = self.ruler.observe(&parcel.flow, self.clock.now());
            self.ruler.kept(epoch).await.map_err(|why| Refusal::Later { after: None, why: Why(why) })
        })
    }

    fn settled(&self, log: u32, position: u64) {
        self.ruler.settled(log, position);
    }

    fn lags(&self, by: Duration) {
        self.ruler.lags(by, self.clock.now());
    }

    fn release(&self) -> Option<State> {
        // What is known stays with the ruler.
        self.is_followed.store(true, Ordering::Release);
        Some(Box::new(()))
    }

    fn adopt(&self, _: State) {
        self.take_over();
    }

    fn run(&self, stop: Stop) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            // At a reload under a name that another sink had, nobody gave anything over.
            self.take_over();
            let clock = self.clock.clone();
            let keep = self.ruler.keep(move || clock.now());
            let names = self.receivers.names();
            let work = async {
                join(self.look(&stop), join_all(names.iter().map(|name| self.inform(name, &stop)))).await;
                if !self.is_followed.load(Ordering::Acquire) {
                    self.end().await;
                }
            };
            tokio::select! {
                () = work => {}
                () = keep => {}
            }
            let clock = self.clock.clone();
            self.ruler.save(move || clock.now()).await;
            Ok(())
        })
    }
}
