//! WHAT FLOWS: OTLP bytes that were checked once, lazy views over them, edits that patch them, and the promise that rides along.
//! No sockets, no clock, no other room. Start reading at `batch.rs`.

pub mod ack;
#[cfg(test)]
mod arbitrary;
pub mod batch;
#[cfg(test)]
mod batch_test;
pub mod check;
pub mod codec;
pub mod edit;
pub mod gather;
pub mod id;
mod identities;
pub mod ids;
pub mod keyed;
#[cfg(test)]
mod keyed_test;
pub mod kinds;
mod layout;
pub mod print;
mod retain;
pub mod segments;
mod splice;
pub mod spread;
pub mod text;
pub mod threshold;
pub mod time;
pub mod trace;
pub mod tracestate;
pub mod value;
pub mod view;
mod wire;

pub use ack::{Ack, Outcome};
pub use batch::{Batch, Chunk, Flow, Ordinals, Origin};
pub use check::{Checked, Counts, Limits, Malformed, check};
pub use edit::Edit;
pub use gather::Gather;
pub use id::{SpanId, TraceId};
pub use identities::Identities;
pub use keyed::Messages;
pub use kinds::{Kinds, Signal};
pub use layout::{By, Key};
pub use print::prints;
pub use segments::Segments;
pub use spread::lane_of;
pub use time::Time;
pub use trace::{ClosedBy, Decision, Facts, FirstError, Part, Root, Trace};
pub use value::Value;
pub use view::{Item, Record};
