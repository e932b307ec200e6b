//! `POST /api/v1/reload`: has the process read its pipeline file again, and answers what changed, or what is wrong with the file. Who reads the file stands at
//! the other end of a channel: this room knows neither files nor the graph.

use crate::{
    answer::{Refused, json},
    routes::Shared,
};
use axum::{extract::State, response::Response};
use http::StatusCode;
use pipeline::Changes;
use serde_json::{Value, json as value};
use tokio::sync::{mpsc, oneshot};

/// Wishes that wait while a reload is under way; more are refused.
const WAITING_MAX: usize = 8;

/// The end of the channel that wishes come out of: each with where its answer goes.
pub type Wishes = mpsc::Receiver<oneshot::Sender<Reloaded>>;

/// Takes wishes to reload. Clones share it.
#[derive(Clone, Debug)]
pub struct Reloads(mpsc::Sender<oneshot::Sender<Reloaded>>);

/// What came of a reload.
#[derive(Debug)]
pub enum Reloaded {
    /// The process runs by the file as it is now.
    Done {
        /// What is different from before.
        changes: Changes,
        /// Warnings of the new file, as `kansoku check --json` has them.
        warnings: Value,
    },
    /// Nothing was changed, because the file is wrong or something in it cannot be opened.
    Faulty {
        /// What is wrong, as `kansoku check --json` has it.
        faults: Value,
    },
    /// The process runs without a file.
    NoFile,
}

impl Reloads {
    /// Both ends.
    #[must_use]
    pub fn channel() -> (Reloads, Wishes) {
        let (wish, wishes) = mpsc::channel(WAITING_MAX);
        (Reloads(wish), wishes)
    }
}

pub(crate) async fn answer(State(shared): State<Shared>) -> Result<Response, Refused> {
    let (tell, told) = oneshot::channel();
    shared.reloads.0.try_send(tell).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => Refused::new(StatusCode::SERVICE_UNAVAILABLE, "other reloads are waiting; ask again"),
        mpsc::error::TrySendError::Closed(_) => going_down(),
    })?;
    Ok(match told.await.map_err(|_| going_down())? {
        Reloaded::Done { changes, warnings } => {
            json(&value!({ "applied": changes.applied, "needs_restart": changes.needs_restart, "warnings": warnings }))
        }
        Reloaded::Faulty { faults } => {
            let mut response = json(&value!({ "error": "the pipeline file has faults; nothing was changed", "faults": faults }));
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            response
        }
        Reloaded::NoFile => {
            return Err(Refused::new(StatusCode::CONFLICT, "kansoku runs without a pipeline file: there is nothing to read again"));
        }
    })
}

fn going_down() -> Refused {
    Refused::new(StatusCode::SERVICE_UNAVAILABLE, "kansoku is going down and reads nothing again")
}
