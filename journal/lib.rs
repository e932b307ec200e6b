//! WHERE IT WAITS: an append-only log of records in segments, synced in groups, read again by cursors. One type serves sources,
//! spill, dead letters and the store. What lies on disk is in FORMAT.md; nobody outside `disk.rs` calls `std::fs`. Start at `log.rs`.

mod blame;
mod blocking;
mod consumer;
mod cursors;
mod discard;
pub mod disk;
pub mod error;
mod folder;
pub mod inspect;
mod keeping;
pub mod log;
pub mod memory;
mod naming;
mod opening;
mod pace;
mod queue;
mod reader;
pub mod record;
mod recovery;
mod reserve;
mod saving;
mod scan;
pub mod simulated;
mod stamp;
mod state;
#[cfg(test)]
mod tests;
mod turn;
pub mod watermark;

pub use blame::Blame;
pub use blocking::{Blocking, blocked};
pub use consumer::Consumer;
pub use discard::{discard, hold};
pub use disk::{Disk, File, Found, Lock, RealDisk, foreign};
pub use error::{Damaged, Error, Refused};
pub use inspect::{Behind, CursorInfo, Inspected, SegmentInfo, behind, dump, inspect, names};
pub use log::{Log, Options};
pub use memory::MemoryDisk;
pub use naming::Names;
pub use opening::Opened;
pub use reader::Reader;
pub use record::{Entry, Header, Kind};
pub use saving::replace;
pub use watermark::Watermark;
