//! Speaks up: asks its rules of everything that comes in, and tells whoever is to be told when an alert fires and when it is resolved.

use alert::{AdminUrl, Alert as Told, Book, Evaluator, Rule, builtin, notify, rule};
use config::{Auth, ClientTls, Fault, Placed};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use pipeline::{BuildContext, Clock, Component, Opened, Parcel, Refusal, Shape, Sink, SinkError, State, Stop};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::Kinds;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::mpsc;

use crate::alert_notify::Receivers;

/// Watches what flows and tells when a rule begins to hold and when it no longer does. Read a node before `sample`, so that every record counts.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Alert {
    /// Rule files in Prometheus' form with `when` in the place of `expr`, or names of built-in rules: error_trace, slow_trace, error_log_burst. By default all built-in ones.
    rules: Option<Vec<Placed<String>>>,
    /// Who is told; nobody is not allowed.
    notify: Notify,
}

/// Who is told.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Notify {
    /// A URL that takes Alertmanager's webhook JSON.
    pub(crate) webhook: Option<Placed<String>>,
    /// Whom the webhook trusts and what it shows, for an `https` URL; without it the machine's authorities are trusted.
    pub(crate) tls: Option<ClientTls>,
    /// What the webhook shows its receiver.
    pub(crate) auth: Option<Auth>,
    /// The terminal.
    pub(crate) console: Option<Console>,
    /// Where people reach the admin port, for links. By default `admin.url`, else `http://127.0.0.1:4319`.
    pub(crate) url: Option<String>,
}

/// The terminal; takes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Console {}

const ADMIN_URL: &str = "http://127.0.0.1:4319";

/// How often states are looked at.
const TICK: Duration = Duration::from_secs(1);
/// Notices that wait for a slow receiver; beyond it the newest is dropped and logged.
const NOTICES_MAX: usize = 256;

impl Component for Alert {
    type Runs = dyn Sink;
    const TYPE: &'static str = "alert";
    const EXAMPLE: &'static str = "{ rules: [error_log_burst], notify: { console: {} } }";

    fn shape(&self, takes: Kinds) -> Shape {
        Shape { acts_on: takes, ..Shape::passing(Kinds::NONE) }
    }

    fn rests_on(&self, context: &BuildContext<'_>) -> Vec<PathBuf> {
        let files = self.rules.iter().flatten().filter(|word| looks_like_a_file(word));
        files.map(|word| context.folder.join(word.as_str())).collect()
    }

    fn build(&self, context: &BuildContext<'_>) -> Result<Box<dyn Sink>, Vec<Fault>> {
        let mut faults = Vec::new();
        let rules = self.rules(context).unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        });
        let admin = context.pool.get::<AdminUrl>(AdminUrl::KEY);
        let url = self.notify.url.as_deref().or(admin.as_ref().map(|admin| admin.0.as_str())).unwrap_or(ADMIN_URL);
        let receivers = Receivers::new(context.name, &self.notify, url, context.folder);
        match receivers {
            Ok(receivers) if receivers.is_none() => {
                faults.extend(context.fault(format!("`{}` would tell nobody; set notify.console or notify.webhook", context.name)))
            }
            Ok(receivers) if faults.is_empty() => {
                return Ok(Box::new(Alerting { _admin: admin, ..Alerting::new(rules, receivers, context) }));
            }
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
        Err(faults)
    }
}

impl Alert {
    fn rules(&self, context: &BuildContext<'_>) -> Result<Vec<Rule>, Vec<Fault>> {
        let Some(written) = &self.rules else { return builtin::rules(&builtin::NAMES, context.takes) };
        let mut rules = Vec::new();
        let mut faults = Vec::new();
        for word in written {
            let read = match word.as_str() {
                name if builtin::NAMES.contains(&name) => builtin::rules(&[name], context.takes),
                file if looks_like_a_file(file) => files(word, context).and_then(|paths| {
                    let loaded: Result<Vec<_>, _> = paths.iter().map(|path| rule::load(path, context.takes)).collect();
                    Ok(loaded?.into_iter().flatten().collect())
                }),
                other => {
                    let fault = word.fault(format!("no built-in rule is called `{other}`"));
                    let help =
                        builtin::nearest_name(other).map_or("a file ends in .yaml".to_owned(), |near| format!("did you mean `{near}`?"));
                    Err(vec![fault.help(help)])
                }
            };
            match read {
                Ok(read) => rules.extend(read),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(rules) } else { Err(faults) }
    }
}

fn looks_like_a_file(word: &str) -> bool {
    [".yaml", ".yml"].iter().any(|end| word.ends_with(end))
}

/// The files that a word names; `*` stands for any part of a file's name.
fn files(word: &Placed<String>, context: &BuildContext<'_>) -> Result<Vec<std::path::PathBuf>, Vec<Fault>> {
    let path = context.folder.join(word.as_str());
    config::document::matching(path.strip_prefix(".").unwrap_or(&path)).map_err(|why| vec![word.fault(why)])
}

struct Alerting {
    evaluator: Mutex<Evaluator>,
    book: Arc<Book>,
    receivers: Receivers,
    clock: Clock,
    rules: usize,
    /// Held for the graph that comes after a reload.
    _admin: Option<Arc<AdminUrl>>,
}

impl Alerting {
    fn new(rules: Vec<Rule>, receivers: Receivers, context: &BuildContext<'_>) -> Alerting {
        let book = context.pool.get_or(context.name, || Ok::<_, std::convert::Infallible>(Arc::new(Book::default())));
        let Ok(book) = book;
        let (count, evaluator) = (rules.len(), Mutex::new(Evaluator::new(rules)));
        Alerting { rules: count, evaluator, book, receivers, clock: context.clock.clone(), _admin: None }
    }

    /// Looks at every state once and returns what has to be told.
    fn tick(&self) -> Vec<notify::Notice> {
        let now = self.clock.now();
        let (changed, active) = {
            let mut evaluator = self.evaluator.lock();
            if evaluator.rules().next().is_none() {
                // Another instance has them now and writes into the same book.
                return Vec::new();
            }
            (evaluator.tick(now), evaluator.active(now))
        };
        let changed: Vec<Told> = changed.into_iter().map(|seen| Told::of(seen, now)).collect();
        self.book.write(active.into_iter().map(|seen| Told::of(seen, now)).collect(), &changed);
        notify::notices(&changed)
    }

    async fn watch(&self, stop: Stop, notices: mpsc::Sender<notify::Notice>) {
        loop {
            let stopped = tokio::select! {
                () = stop.asked() => true,
                () = tokio::time::sleep(TICK) => false,
            };
            for notice in self.tick() {
                if let Err(error) = notices.try_send(notice) {
                    tracing::error!(%error, "a notification is dropped: the receiver has been slow for long");
                }
            }
            if stopped {
                return;
            }
        }
    }
}

impl Sink for Alerting {
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async { Ok(vec![Opened::new("tells", format!("{} of {} rules", self.receivers.said(), self.rules))]) })
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async {
            self.evaluator.lock().observe(&parcel.flow, self.clock.now());
            Ok(())
        })
    }

    fn release(&self) -> Option<State> {
        Some(Box::new(std::mem::replace(&mut *self.evaluator.lock(), Evaluator::new(Vec::new()))))
    }

    fn adopt(&self, state: State) {
        if let Ok(older) = state.downcast::<Evaluator>() {
            self.evaluator.lock().adopt(*older);
        }
    }

    fn run(&self, stop: Stop) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            let (send, mut receive) = mpsc::channel(NOTICES_MAX);
            // The sender goes with `watch`, so that the last notice is told before this returns.
            let tell = async {
                while let Some(notice) = receive.recv().await {
                    self.receivers.tell(&notice).await;
                }
            };
            futures::future::join(self.watch(stop, send), tell).await;
            Ok(())
        })
    }
}
