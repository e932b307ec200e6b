//! Several gateways: a parcel is taken apart by who has what, each part is sent to its gateway, and what was not taken is handed back. Beside that it asks who the gateways
//! are, and whether those that were silent answer again.

use super::{
    answer::No,
    endpoint::{GATEWAYS_MAX, Name, Whom},
    members::{Member, Members},
    sender::{At, Form, Sender},
};
use config::Fault;
use futures::future::{BoxFuture, join, join_all};
use net::{Silence, Url};
use parking_lot::Mutex;
use pipeline::{Gateways, Opened, Parcel, Refusal, Sink, SinkError, State, Stop, Why};
use schemars::JsonSchema;
use serde::Deserialize;
use signal::{Batch, Flow, Key, Signal};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// For the answer of one that was silent before.
const PROBE: Duration = Duration::from_secs(5);
/// Between two looks, however often somebody is silent.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Which of several gateways gets what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    /// All of a trace goes to the same.
    TraceId,
    /// Each in turn.
    RoundRobin,
}

impl By {
    pub(super) fn said(self) -> &'static str {
        match self {
            By::TraceId => "each trace to one of them",
            By::RoundRobin => "to each in turn",
        }
    }
}

pub(super) struct Balanced {
    /// As it is said at start.
    to: String,
    by: By,
    form: Arc<Form>,
    /// What all addresses of a name are asked for; none where the gateways are a list.
    name: Option<(Name, Url)>,
    resolve_every: Duration,
    members: Arc<Mutex<Members>>,
    turn: AtomicUsize,
    /// What came of the last time that the name was looked up, if there was one.
    looked: Mutex<Option<Result<(), String>>>,
    /// Somebody was silent: who are the gateways now, and does he answer again?
    stirred: [Notify; 2],
}

impl Balanced {
    pub(super) fn new(
        (to, by): (String, By),
        form: Arc<Form>,
        (whom, urls): (Whom, Vec<Url>),
        resolve_every: Duration,
        mut members: Members,
    ) -> Balanced {
        let (turn, mut looked) = (AtomicUsize::new(0), None);
        let name = match whom {
            Whom::Name(name) => urls.into_iter().next().map(|url| (name, url)),
            Whom::One(_) | Whom::Each(_) => {
                members.are(urls.into_iter().map(At::Url).collect(), |at| sender(&form, at));
                looked = Some(Ok(()));
                None
            }
        };
        let (members, looked) = (Arc::new(Mutex::new(members)), Mutex::new(looked));
        Balanced { to, by, form, name, resolve_every, members, turn, looked, stirred: Default::default() }
    }

    /// Asks for the addresses of the name; while nobody can tell, the gateways stay those that they were.
    async fn look_up(&self) {
        let Some((name, url)) = &self.name else { return };
        let found = name.resolver.addresses(&name.host).await.map_err(|error| format!("`{}` cannot be looked up ({error})", name.host));
        let result = found.map(|mut found| {
            if found.len() > GATEWAYS_MAX {
                tracing::warn!(to = self.to, addresses = found.len(), "a name has too many addresses: the first {GATEWAYS_MAX} are used");
                found.truncate(GATEWAYS_MAX);
            }
            let at = |address| At::Address(url.clone(), SocketAddr::new(address, name.port));
            self.members.lock().are(found.into_iter().map(at).collect(), |at| sender(&self.form, at));
        });
        let mut looked = self.looked.lock();
        if let (Err(why), None | Some(Ok(()))) = (&result, looked.as_ref()) {
            tracing::warn!(to = self.to, why, "gateways stay as they are");
        }
        *looked = Some(result);
    }

    /// So that nobody is told that there are no gateways before they were looked for.
    async fn begin(&self) {
        let looked = self.looked.lock().is_some();
        if !looked {
            self.look_up().await;
        }
    }

    /// Why there are none.
    fn nobody(&self) -> Refusal {
        let why = self.looked.lock().clone().and_then(Result::err).unwrap_or_else(|| "there is no gateway".to_owned());
        Refusal::Later { after: None, why: Why(why) }
    }

    /// Finds out who answers of those that did not.
    async fn probe_the_silent(&self) {
        let silent = self.members.lock().uncertain();
        let probe = |member: Arc<Member>| async move {
            // Whatever it says: it is there.
            let up = !matches!(member.sender.probe(PROBE).await, Err(No { silence: Some(_), .. }));
            self.members.lock().is_up(&member, up);
        };
        join_all(silent.into_iter().map(probe)).await;
    }

    /// Each gateway's part.
    fn parts(&self, flow: &Flow) -> Vec<(Arc<Member>, Batch)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut members = self.members.lock();
        if members.is_empty() {
            return Vec::new();
        }
        let all: Vec<Arc<Member>> = members.members().cloned().collect();
        let mut parts = Vec::new();
        for batch in flow.batches().filter(|batch| !batch.is_empty()) {
            let signal = batch.signal();
            let owner = |key: Key| match (signal, key, self.by) {
                // The points of a series stay in order.
                (Signal::Metrics, _, _) | (_, Key::Trace(_), By::TraceId) => members.owner(key),
                _ => members.in_turn(turn),
            };
            let spread = batch.clone().spread(all.len(), owner);
            parts.extend(all.iter().cloned().zip(spread).filter(|(_, part)| !part.is_empty()));
        }
        parts
    }

    /// What came of all parts.
    fn judge(&self, parts: Vec<(Arc<Member>, Batch)>, answers: Vec<Result<(), No>>) -> Result<(), Refusal> {
        let (mut verdict, mut members) = (Verdict::default(), self.members.lock());
        for ((member, part), answer) in parts.into_iter().zip(answers) {
            let records = part.len();
            let rejected = match answer {
                Ok(()) => 0,
                Err(No { refusal: Refusal::Partly { records: rejected, why }, .. }) => {
                    verdict.partly = Some(Why(format!("{}: {}", member.place, why.0)));
                    rejected.min(records)
                }
                Err(no) => {
                    if let Some(silence) = no.silence {
                        members.was_silent(&member, silence);
                        self.stirred.iter().for_each(Notify::notify_one);
                    }
                    verdict.failed.push((member, part, no));
                    continue;
                }
            };
            verdict.taken += records;
            verdict.rejected += rejected;
            member.records.fetch_add((records - rejected) as u64, Ordering::Relaxed);
        }
        let others = members.any_is_up();
        drop(members);
        verdict.refusal(others)
    }
}

/// What came of the parts of a parcel.
#[derive(Default)]
struct Verdict {
    taken: usize,
    rejected: usize,
    partly: Option<Why>,
    failed: Vec<(Arc<Member>, Batch, No)>,
}

impl Verdict {
    /// As the runner is told. `others` are up: what a dead gateway should have got goes to them at once.
    fn refusal(self, others: bool) -> Result<(), Refusal> {
        let Verdict { taken, rejected, partly, failed } = self;
        let is_later = |no: &No| matches!(no.refusal, Refusal::Later { .. });
        let moves = failed.iter().any(|(_, _, no)| others && no.silence == Some(Silence::Unreached));
        // Without those that were taken it shows at once what there is to say of the others.
        let at_once = moves || taken > 0 && !failed.iter().all(|(_, _, no)| is_later(no));
        let mut rest: Option<Batch> = None;
        let mut refusals = Vec::new();
        for (member, part, no) in failed {
            refusals.push(named(&member, no.refusal));
            match &mut rest {
                // A parcel is of one signal.
                Some(rest) => rest.absorb(part),
                None => rest = Some(part),
            }
        }
        // What is put off comes first: it may be none of the others' fault that all was refused.
        let (Some(worst), Some(rest)) = (refusals.into_iter().max_by_key(weight), rest) else {
            return partly.map_or(Ok(()), |why| Err(Refusal::Partly { records: rejected, why }));
        };
        let (after, why) = match &worst {
            Refusal::Later { after, why } => (*after, why.clone()),
            Refusal::Never { why } => (None, why.clone()),
            _ => (None, Why("a gateway wants smaller requests".to_owned())),
        };
        let after = if at_once { Some(Duration::ZERO) } else { after };
        Err(match taken {
            0 if moves => Refusal::Later { after, why },
            0 => worst,
            _ => Refusal::Rest { rest: Box::new(Parcel { flow: Flow::Batch(rest) }), rejected, after, why },
        })
    }
}

/// What is put off, then what is too large, then what is refused; of what is put off the longest.
fn weight(refusal: &Refusal) -> (u8, Duration) {
    match refusal {
        Refusal::Later { after, .. } | Refusal::Rest { after, .. } => (2, after.unwrap_or_default()),
        Refusal::TooLarge { .. } => (1, Duration::ZERO),
        Refusal::Never { .. } | Refusal::Partly { .. } => (0, Duration::ZERO),
    }
}

/// With the gateway that said it.
fn named(member: &Member, refusal: Refusal) -> Refusal {
    let said = |why: Why| if why.0.contains(&member.place) { why } else { Why(format!("{}: {}", member.place, why.0)) };
    match refusal {
        Refusal::Later { after, why } => Refusal::Later { after, why: said(why) },
        Refusal::Never { why } => Refusal::Never { why: said(why) },
        other => other,
    }
}

/// So often, and soon after somebody was silent.
async fn again<F: Future<Output = ()>>(every: Duration, stirred: &Notify, mut work: impl FnMut() -> F) {
    loop {
        work().await;
        let soon = Instant::now() + LOOK_AGAIN;
        tokio::select! {
            () = sleep(every) => {}
            () = stirred.notified() => sleep_until(soon).await,
        }
    }
}

fn sender(form: &Arc<Form>, at: &At) -> Option<Sender> {
    let client = match at {
        At::Url(url) => form.dial.client(url),
        At::Address(url, address) => form.dial.client_at(url, *address),
    };
    match client {
        Ok(client) => Some(Sender::new(form, at.url(), client)),
        Err(why) => {
            tracing::warn!(gateway = at.place(), why, "a gateway cannot be called and is left out");
            None
        }
    }
}

impl Sink for Balanced {
    fn open(&self) -> BoxFuture<'_, Result<Vec<Opened>, Vec<Fault>>> {
        Box::pin(async move { Ok(vec![Opened::new("sends", self.to.clone())]) })
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move {
            self.begin().await;
            let parts = self.parts(&parcel.flow);
            if parts.is_empty() && !parcel.flow.is_empty() {
                return Err(self.nobody());
            }
            let answers = join_all(parts.iter().map(|(member, part)| member.sender.send(part))).await;
            self.judge(parts, answers)
        })
    }

    fn run(&self, stop: Stop) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            let [stirred, stirred_too] = &self.stirred;
            let work = join(
                again(self.resolve_every, stirred, || self.look_up()),
                again(self.resolve_every, stirred_too, || self.probe_the_silent()),
            );
            tokio::select! {
                _ = work => {}
                () = stop.asked() => {}
            }
            Ok(())
        })
    }

    fn gateways(&self) -> Option<Gateways> {
        Some(self.members.lock().status())
    }

    fn release(&self) -> Option<State> {
        Some(Box::new(Arc::clone(&self.members)))
    }

    fn adopt(&self, state: State) {
        if let Ok(before) = state.downcast::<Arc<Mutex<Members>>>() {
            self.members.lock().take_over(&mut before.lock(), |at| sender(&self.form, at));
        }
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async move {
            self.begin().await;
            let members: Vec<Arc<Member>> = self.members.lock().members().cloned().collect();
            let answers = join_all(members.iter().map(|member| member.sender.probe(PROBE))).await;
            if answers.iter().any(Result::is_ok) { Ok(()) } else { Err(self.nobody()) }
        })
    }
}
