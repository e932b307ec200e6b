//! The query API: `traces`, `logs`, `trace/{id}`, `why/{id}`. Queries block, so each is run where the runtime is told so, a few at a time.

use crate::{
    answer::{Refused, json},
    follow::{self, Question},
    parameters::{Going, OF_LOGS, OF_ONE, OF_TRACES, Parameters},
    routes::Shared,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use http::{StatusCode, Uri};
use pipeline::{Decisions, Pool};
use query::{Answer, Decided, TraceRef, When};
use serde_json::json as value;
use std::{sync::Arc, time::Duration};
use store::{Store, Table};

/// How long a query waits for its turn.
const TURN: Duration = Duration::from_secs(10);
/// Decisions that are looked at to tell why a trace is not there.
const DECISIONS_MAX: usize = 16;

pub(crate) async fn traces(State(shared): State<Shared>, uri: Uri) -> Result<Response, Refused> {
    let parameters = Parameters::read(&uri, OF_TRACES)?;
    let query = parameters.trace_query(shared.clock.now())?;
    let store = store(shared.view.pool(), parameters.store())?;
    if parameters.going()? == Going::On {
        return follow::answer(&shared, &store, Question::Traces(query));
    }
    let traces = blocking(&shared, || query::traces(&store, &query)).await?;
    Ok(json(&value!({ "traces": traces })))
}

pub(crate) async fn logs(State(shared): State<Shared>, uri: Uri) -> Result<Response, Refused> {
    let parameters = Parameters::read(&uri, OF_LOGS)?;
    let query = parameters.log_query(shared.clock.now())?;
    let store = store(shared.view.pool(), parameters.store())?;
    if parameters.going()? == Going::On {
        return follow::answer(&shared, &store, Question::Logs(query));
    }
    let logs = blocking(&shared, || query::logs(&store, &query)).await?;
    Ok(json(&value!({ "logs": logs })))
}

pub(crate) async fn trace(State(shared): State<Shared>, Path(id): Path<String>, uri: Uri) -> Result<Response, Refused> {
    let store = store(shared.view.pool(), Parameters::read(&uri, OF_ONE)?.store())?;
    let which = TraceRef::read(&id)?;
    let found = blocking(&shared, || query::trace(&store, &which)).await?;
    found.map(|trace| json(&trace)).ok_or_else(|| absent(&store, &id))
}

pub(crate) async fn why(State(shared): State<Shared>, Path(id): Path<String>, uri: Uri) -> Result<Response, Refused> {
    let (parameters, which) = (Parameters::read(&uri, OF_ONE)?, TraceRef::read(&id)?);
    let decided = decided(shared.view.pool(), &which);
    let store = match store(shared.view.pool(), parameters.store()) {
        Ok(store) => store,
        Err(_) if !decided.is_empty() && parameters.store().is_none() => return Ok(json(&Answer::Decided { decided })),
        Err(refused) => return Err(refused),
    };
    let ask = || match which {
        // Who asks why means what failed; where nothing did, the latest.
        TraceRef::Last => {
            query::why(&store, &TraceRef::LastError)?.map_or_else(|| query::why(&store, &TraceRef::Last), |why| Ok(Some(why)))
        }
        ref which => query::why(&store, which),
    };
    match blocking(&shared, ask).await? {
        Some(why) => Ok(json(&Answer::Stored(Box::new(why)))),
        None if !decided.is_empty() => Ok(json(&Answer::Decided { decided })),
        None => Err(absent(&store, &id)),
    }
}

/// What was decided lately about the trace that is named, by each node.
fn decided(pool: &Pool, which: &TraceRef) -> Vec<Decided> {
    let digits = match which {
        TraceRef::Id(id) => id.to_string(),
        TraceRef::Prefix(digits) => digits.clone(),
        TraceRef::Last | TraceRef::LastError => return Vec::new(),
    };
    let decisions: Vec<_> = pool.all::<Decisions>().into_iter().flat_map(|(_, all)| all.about(&digits, DECISIONS_MAX)).collect();
    let first = decisions.first().map(|decision| decision.trace_id);
    decisions.iter().filter(|decision| Some(decision.trace_id) == first).map(Decided::of).collect()
}

/// The one store, or the one that is named.
fn store(pool: &Pool, key: Option<&str>) -> Result<Arc<Store>, Refused> {
    let mut stores = pool.all::<Store>();
    let keys = || stores.iter().map(|(key, _)| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    let at = match key {
        _ if stores.is_empty() => {
            return Err(Refused::absent(
                "this pipeline has no store sink; add one under `sinks:`, such as `store: { inputs: [...], path: data/store }`",
            ));
        }
        Some(key) => stores
            .iter()
            .position(|(k, _)| k == key)
            .ok_or_else(|| Refused::absent(format!("there is no store `{key}`; there is {}", keys())))?,
        None if stores.len() > 1 => {
            return Err(Refused::question(format!("there are several stores: {}; say which with `store=KEY`", keys())));
        }
        None => 0,
    };
    Ok(stores.swap_remove(at).1)
}

/// Runs a query once it has its turn.
async fn blocking<T>(shared: &Shared, ask: impl FnOnce() -> Result<T, query::Error>) -> Result<T, Refused> {
    let busy = || Refused::new(StatusCode::SERVICE_UNAVAILABLE, "other queries take all the time; ask again");
    let turn = tokio::time::timeout(TURN, shared.queries.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())?;
    let answer = tokio::task::block_in_place(ask);
    drop(turn);
    Ok(answer?)
}

/// Says that there is no such trace, and what there is.
fn absent(store: &Store, id: &str) -> Refused {
    let stats = store.stats();
    let rows = |table: Table| stats.tables.iter().find(|t| t.table == table).map_or(0, |t| t.rows);
    let here = match (rows(Table::Traces), rows(Table::Spans), rows(Table::Logs)) {
        (0, 0, 0) => {
            "the store is empty: has anything been sent yet? (a trace is stored once it has closed, up to ten seconds after it began)"
                .to_owned()
        }
        (0, spans, logs) => format!("the store has {spans} spans and {logs} logs"),
        (traces, ..) => format!("the store has {traces} traces"),
    };
    let since = stats.oldest.map(|oldest| format!(", the oldest of {}", When(oldest.0))).unwrap_or_default();
    let sought = if id == "last" { "no trace is here".to_owned() } else { format!("no trace `{id}` is here") };
    Refused::absent(format!(
        "{sought}; {here}{since}. It may have been sampled out, or still be open. `kansoku query traces` lists what there is"
    ))
}
