//! WHAT THE USER WROTE: YAML with the place of every value, every fault at once, and how faults are shown.
//! Knows nothing of telemetry. Start reading at `document.rs`.

pub mod address;
pub mod differences;
pub mod document;
mod error;
pub mod fault;
pub mod graph;
pub mod kafka;
mod named;
pub mod node;
mod offsets;
pub mod placed;
mod quoting;
pub mod read;
mod reader;
pub mod show;
mod substitute;
pub mod unit;
pub mod wire;
mod words;
mod yaml;

pub use address::Address;
pub use document::{Document, Environment};
pub use fault::{Fault, Level, Place, Source, nearest};
pub use graph::{Graph, Input, NamedNode, OnFull};
pub use node::{Node, Text, Value};
pub use offsets::Offsets;
pub use placed::Placed;
pub use read::{read, read_around};
pub use unit::{Bytes, Period, Share};
pub use wire::{Auth, ClientTls, Secret, ServerTls};
pub use words::advice;

#[cfg(test)]
mod golden_test;
#[cfg(test)]
mod graph_test;
#[cfg(test)]
mod place_test;
#[cfg(test)]
mod read_test;
