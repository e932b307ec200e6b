//! WHAT IS ASKED OF IT: traces, logs, one trace with its logs, and why it failed, over the store's `Scan`.
//! The types of the answers are the JSON that people and programs see; the command line reads them back. Every call blocks on the disk.

mod decided;
mod error;
mod filter;
mod late;
mod logs;
mod spans;
mod trace;
mod traces;
mod tree;
mod when;
mod why;

pub use decided::{Answer, Decided};
pub use error::Error;
pub use filter::{Attribute, Times};
pub use late::{Late, LatePart};
pub use logs::{LogLine, LogOrder, LogQuery, logs};
pub use spans::{SpanEvent, SpanRow};
pub use trace::{TraceRef, TraceView, trace};
pub use traces::{ErrorSeen, Outcome, TraceQuery, TraceSummary, traces};
pub use when::When;
pub use why::{Joined, Kept, PathKind, PathStep, Why, why};

#[cfg(test)]
mod tests;
