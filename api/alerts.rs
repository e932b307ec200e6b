//! `/api/v1/alerts`: what every alert node has in its book.

use crate::{answer::json, routes::Shared};
use alert::{Alert, Book};
use axum::{extract::State, response::Response};
use pipeline::Pool;
use serde::{Deserialize, Serialize};

/// The answer of `/api/v1/alerts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// Pending and firing, the oldest first.
    pub active: Vec<Alert>,
    /// What changed lately, the oldest first; the last thousand of each alert node.
    pub history: Vec<Alert>,
}

pub(crate) fn active(pool: &Pool) -> Vec<Alert> {
    let mut active: Vec<Alert> = pool.all::<Book>().into_iter().flat_map(|(_, book)| book.active()).collect();
    active.sort_by_key(|alert| alert.active_since);
    active
}

pub(crate) async fn answer(State(shared): State<Shared>) -> Response {
    let pool = shared.view.pool();
    let mut history: Vec<Alert> = pool.all::<Book>().into_iter().flat_map(|(_, book)| book.history()).collect();
    history.sort_by_key(|alert| alert.at);
    json(&Alerts { active: active(pool), history })
}
