//! Answers that go on: NDJSON, a line for each trace or log record that comes to match, looked for whenever the store says that it grew.

use crate::{
    answer::Refused,
    routes::Shared,
    seen::{Line, Seen},
};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use http::{StatusCode, header};
use pipeline::{Clock, Stop};
use query::{LogQuery, TraceQuery};
use std::{
    convert::Infallible,
    sync::{Arc, Weak},
    time::Duration,
};
use store::Store;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};

/// Between two looks, so that a busy store is not asked without a break.
const GAP: Duration = Duration::from_millis(250);
/// After so long without a line an empty one is sent, so that a reader who is gone is noticed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How far back each look goes: records come late and out of order.
const LOGS_BACK: Duration = Duration::from_secs(60);
/// Traces are stored when they close, and ordered by their start.
const TRACES_BACK: Duration = Duration::from_secs(300);
/// Lines of one look at the most.
const LINES_MAX: usize = 5_000;

/// What is followed.
pub(crate) enum Question {
    Traces(TraceQuery),
    Logs(LogQuery),
}

struct Follower {
    question: Question,
    store: Weak<Store>,
    changed: watch::Receiver<u64>,
    clock: Clock,
    stop: Stop,
    queries: Arc<Semaphore>,
    seen: Seen,
    /// The latest time of a line.
    latest: u64,
    round: Round,
    _place: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    First,
    Further,
    Over,
}

/// Begins an answer that goes on until the reader leaves or the process stops.
pub(crate) fn answer(shared: &Shared, store: &Arc<Store>, question: Question) -> Result<Response, Refused> {
    let full = |_| Refused::new(StatusCode::TOO_MANY_REQUESTS, "too many answers are being followed already");
    let place = Arc::clone(&shared.followers).try_acquire_owned().map_err(full)?;
    let follower = Follower {
        question,
        store: Arc::downgrade(store),
        changed: store.changed(),
        clock: shared.clock.clone(),
        stop: shared.stop.clone(),
        queries: Arc::clone(&shared.queries),
        seen: Seen::default(),
        latest: 0,
        round: Round::First,
        _place: place,
    };
    let lines = stream::unfold(follower, async |mut follower| follower.next().await.map(|told| (Ok::<_, Infallible>(told), follower)));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

impl Follower {
    /// The next lines, or the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.round {
                Round::Over => return None,
                Round::First => {}
                Round::Further => {
                    let stop = self.stop.clone();
                    let grown = async {
                        sleep(GAP).await;
                        self.changed.changed().await
                    };
                    tokio::select! {
                        () = stop.asked() => return None,
                        () = sleep(SIGN_OF_LIFE) => return Some(Bytes::from_static(b"\n")),
                        grown = grown => grown.ok()?,
                    }
                }
            }
            let told = match self.look().await? {
                Ok(told) => told,
                Err(error) => {
                    self.round = Round::Over;
                    return Some(line(&serde_json::json!({ "error": error.to_string() })));
                }
            };
            self.round = Round::Further;
            if !told.is_empty() {
                return Some(told.into());
            }
        }
    }

    /// What is new; none if the store is gone.
    async fn look(&mut self) -> Option<Result<Vec<u8>, query::Error>> {
        let store = self.store.upgrade()?;
        let turn = Arc::clone(&self.queries).acquire_owned().await.ok()?;
        let found = tokio::task::block_in_place(|| self.question.ask(&store));
        drop(turn);
        let found = match found {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        let full = found.len() >= self.question.limit();
        // A record from the future must not blind the follower to the present.
        let now = self.clock.now().0;
        self.latest = found.iter().map(|line| line.time.min(now)).fold(self.latest, u64::max);
        let mut from = signal::Time(self.latest).minus(self.question.back()).0;
        if full && self.round == Round::First {
            // What the first look had to leave out is not wanted later either.
            from = found.first().map_or(from, |oldest| from.max(oldest.time.min(now)));
        }
        let from = self.question.look_on_from(from);
        let mut told = Vec::new();
        if full && self.round == Round::Further {
            told.extend(line(&serde_json::json!({ "note": "more comes in than can be followed; some lines are left out" })));
        }
        for fresh in self.seen.leave_out(found, from) {
            told.extend(fresh.json.into_bytes());
            told.push(b'\n');
        }
        Some(Ok(told))
    }
}

impl Question {
    /// What matches, oldest first.
    fn ask(&self, store: &Store) -> Result<Vec<Line>, query::Error> {
        let mut lines: Vec<Line> = match self {
            Question::Traces(query) => query::traces(store, query)?
                .into_iter()
                .map(|trace| Line { time: trace.start.0, json: json(&trace), identity: trace.trace_id })
                .collect(),
            Question::Logs(query) => query::logs(store, query)?
                .into_iter()
                .map(|log| {
                    let json = json(&log);
                    Line { time: log.time.0, identity: json.clone(), json }
                })
                .collect(),
        };
        lines.reverse();
        Ok(lines)
    }

    fn limit(&self) -> usize {
        match self {
            Question::Traces(query) => query.limit,
            Question::Logs(query) => query.limit,
        }
    }

    /// How far back a look goes.
    fn back(&self) -> Duration {
        match self {
            Question::Traces(_) => TRACES_BACK,
            Question::Logs(_) => LOGS_BACK,
        }
    }

    /// Lets further looks begin at this time, but never earlier than before; the time at which they really do.
    fn look_on_from(&mut self, from: u64) -> u64 {
        let (times, limit) = match self {
            Question::Traces(query) => (&mut query.times, &mut query.limit),
            Question::Logs(query) => (&mut query.times, &mut query.limit),
        };
        *limit = LINES_MAX;
        times.from = times.from.max(from);
        times.from
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn line(value: &serde_json::Value) -> Bytes {
    format!("{value}\n").into()
}
