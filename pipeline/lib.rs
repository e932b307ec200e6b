//! HOW IT FLOWS: the traits of every part, the plan made from the graph, and the only code that spawns.
//! Knows no concrete component. Start reading at `component.rs`, then `lane.rs`.

pub mod catalog;
pub mod clock;
pub mod component;
pub mod intake;
pub mod ledger;
mod limits;
mod out;
pub mod pool;
pub mod processor;
pub mod reason;
pub mod sink;
pub mod source;
pub mod testing;

pub use catalog::{Entry, Kind, Spec};
pub use clock::Clock;
pub use component::{BuildContext, Component, Keyed, Opened, Shape, Speaks};
pub use intake::{Accepted, Admission, Busy, From, Intake, Refused};
pub use ledger::Snapshot;
pub use limits::Memory;
pub use pool::Pool;
pub use processor::{Flush, Held, Out, Processor};
pub use reason::Reason;
pub use sink::{Parcel, Refusal, Sink, Why};
pub use source::{Source, SourceContext, SourceError, Stop};
