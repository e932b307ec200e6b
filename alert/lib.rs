//! WHEN TO SPEAK: rules over what flows, told once when they begin to hold and once when they no longer do.
//! Reading order: `rule.rs` (as written) → `evaluate.rs` (counts per key) → `state.rs` (pending, firing, resolved) → `notify/`.

pub mod book;
pub mod builtin;
pub mod evaluate;
pub mod evidence;
pub mod notify;
pub mod pane;
pub mod rule;
pub mod state;
pub mod template;

pub use book::{Alert, Book};
pub use evaluate::{Evaluator, Seen};
pub use evidence::Evidence;
pub use notify::AdminUrl;
pub use rule::{Rule, RuleFile, Subject};
pub use state::{Phase, State, Transition};
