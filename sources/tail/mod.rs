//! Follows files: finds them, reads what is new in each by turns, and makes requests of records. What `file` and `container_logs` share. Start at `tailer.rs`.

mod discover;
pub(crate) mod follow;
pub(crate) mod found;
pub(crate) mod glob;
pub(crate) mod lineage;
pub(crate) mod stream;
mod tailer;
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes the files that are followed")]
mod tests;
mod tracked;

pub(crate) use tailer::{Options, Start};
