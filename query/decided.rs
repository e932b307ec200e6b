//! Why a trace is not in the store, as far as a sampler decided about it lately.

use crate::{When, Why};
use serde::{Deserialize, Serialize};
use signal::{Decision, threshold};

/// The answer of `why` to a trace that is named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// It is in the store.
    Stored(Box<Why>),
    /// It is not, and this was decided about it.
    Decided {
        /// The latest first; more than one where several nodes sample.
        decided: Vec<Decided>,
    },
}

/// What one node decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Decided {
    /// 32 hex digits.
    pub trace_id: String,
    /// The node.
    pub node: String,
    /// The rule, or `no_rule` where none matched.
    pub rule: String,
    /// Whether it was kept.
    pub kept: bool,
    /// The share of such traces that the rule keeps, from 0 to 1.
    pub share: f64,
    /// The least R that is kept, as `th` has it; none where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<String>,
    /// The trace's R, as `rv` has it.
    pub randomness: String,
    /// Whether an alert asked for it.
    pub pinned: bool,
    /// When.
    pub at: When,
}

impl Decided {
    /// As it is told.
    #[must_use]
    pub fn of(decision: &Decision) -> Decided {
        Decided {
            trace_id: decision.trace_id.to_string(),
            node: decision.node.to_string(),
            rule: decision.rule.to_string(),
            kept: decision.keeps(),
            share: threshold::share(decision.threshold),
            threshold: (decision.threshold < Decision::DROP).then(|| threshold::encode(decision.threshold)),
            randomness: threshold::encode_randomness(decision.randomness()),
            pinned: decision.pinned,
            at: When(decision.at.0),
        }
    }
}
