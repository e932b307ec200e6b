//! What a question can fail with, said to who asked.

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Neither an id nor the start of one nor `last`.
    #[error("`{0}` is no trace id; write 32 hex digits, the first few of them, or `last`")]
    NoId(String),
    /// The digits fit several traces.
    #[error("`{prefix}` is the start of {} traces and more: {}; write more digits", candidates.len(), candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// The first of those it fits.
        candidates: Vec<String>,
    },
    /// A level that does not exist.
    #[error("`{0}` is no level; the levels are TRACE, DEBUG, INFO, WARN, ERROR, FATAL")]
    NoLevel(String),
}
