//! HOW IT FLOWS: the traits of every part, the plan made from the graph, and the only code that spawns.
//! Knows no concrete component. Start reading at `component.rs`, then `lane.rs`.

mod assemble;
mod backoff;
pub mod catalog;
pub mod changes;
pub mod clock;
pub mod component;
mod crew;
pub mod dead_letters;
pub mod delivery;
mod exchange;
mod heirs;
mod inbox;
pub mod intake;
mod keeper;
mod lane;
pub mod ledger;
pub mod letter;
mod limits;
mod line;
mod lives;
pub mod meter;
mod opening;
mod order;
mod out;
mod outlet;
mod owed;
mod payload;
pub mod plan;
pub mod pool;
pub mod processor;
pub mod queue;
mod reader;
pub mod reason;
mod repeats;
mod replay;
pub mod retry;
pub mod running;
pub mod schema;
pub mod settings;
mod settling;
pub mod sink;
pub mod source;
pub mod spill;
mod start;
pub mod status;
mod stream;
mod tail;
pub mod testing;
#[cfg(test)]
mod tests;
mod timers;
mod turn;
pub mod world;

// What a part is handed in `BuildContext`; the room it comes from is not every room's to use.
pub use journal::{Blocking, Disk};

pub use assemble::Assembled;
pub use catalog::{Entry, Kind, Spec};
pub use changes::Changes;
pub use clock::Clock;
pub use component::{BuildContext, Component, Keyed, Opened, Shape, Speaks};
pub use intake::{Accepted, Admission, Busy, Caller, Intake, Refused};
pub use ledger::Snapshot;
pub use limits::Memory;
pub use plan::Plan;
pub use pool::{Claim, Pool};
pub use processor::{Flush, Held, Out, Processor, State};
pub use reason::Reason;
pub use retry::Retried;
pub use running::{Drained, Running, View};
pub use sink::{Parcel, Refusal, Sink, SinkError, Why};
pub use source::{Source, SourceContext, SourceError, Stop};
pub use status::Status;
pub use world::World;
