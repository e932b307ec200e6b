//! `POST /api/v1/dead-letters/retry`: has sinks try again what they refused for good.

use crate::{
    answer::{Refused, json},
    parameters::{OF_RETRY, Parameters},
    routes::Shared,
};
use axum::{extract::State, response::Response};
use http::{StatusCode, Uri};
use std::time::Duration;
use tokio::time::timeout;

/// How long an answer waits for room in the queues of sinks; the letters go on without it.
const WITHIN: Duration = Duration::from_secs(20);

pub(crate) async fn retry(State(shared): State<Shared>, uri: Uri) -> Result<Response, Refused> {
    let parameters = Parameters::read(&uri, OF_RETRY)?;
    let retried = timeout(WITHIN, shared.view.retry(parameters.node())).await;
    let unavailable = |words: String| Refused::new(StatusCode::SERVICE_UNAVAILABLE, words);
    match retried {
        Ok(Ok(retried)) => Ok(json(&retried)),
        Ok(Err(why)) => Err(unavailable(why)),
        Err(_) => Err(unavailable("letters are still on their way to a sink that takes nothing; `kansoku status` names it".to_owned())),
    }
}
