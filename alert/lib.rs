//! WHEN TO SPEAK: rules over what flows, told once when they begin to hold and once when they no longer do.
//! Reading order: `rule.rs` (as written) → `evaluate.rs` (counts per key) → `state.rs` (pending, firing, resolved) → `told.rs` (who knows) → `ruler.rs` (all of it,
//! and what outlives the process) → `notify/`.

pub mod book;
pub mod builtin;
mod checkpoint;
mod downtime;
pub mod evaluate;
pub mod evidence;
mod folder;
mod known;
mod lag;
pub mod notify;
pub mod pane;
mod pin;
pub mod rule;
mod ruler;
pub mod state;
pub mod template;
#[cfg(test)]
mod tests;
mod told;

pub use book::{Alert, Book};
pub use evaluate::Seen;
pub use evidence::Evidence;
pub use folder::{Error, Folder};
pub use notify::AdminUrl;
pub use pin::Pins;
pub use rule::{Rule, RuleFile, Subject};
pub use ruler::{Begun, Ruler, Teller};
pub use state::{Phase, State, Transition};
pub use told::Instance;
