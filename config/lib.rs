//! WHAT THE USER WROTE: YAML with the place of every value, every fault at once, and how faults are shown.
//! Knows nothing of telemetry. Start reading at `document.rs`.

pub mod document;
pub mod fault;
pub mod graph;
pub mod node;
pub mod placed;
pub mod read;
pub mod show;
pub mod unit;

pub use document::{Document, Environment};
pub use fault::{Fault, Level, Place, Source, nearest};
pub use graph::{Graph, Input, NamedNode};
pub use node::{Node, Value};
pub use placed::Placed;
pub use read::read;
pub use unit::{Bytes, Period, Share};
