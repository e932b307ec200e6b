//! WHERE IT WAITS: an append-only log of records in segments, synced in groups, read again by cursors. One type serves sources,
//! spill, dead letters and the store. What lies on disk is in FORMAT.md; nobody outside `disk.rs` calls `std::fs`. Start at `log.rs`.

pub mod disk;
pub mod error;
pub mod log;
pub mod record;
pub mod watermark;

pub use disk::{Disk, File, Found, Lock, RealDisk};
pub use error::{Damaged, Error, Refused};
pub use log::{Blocking, Log, Opened, Options, Reader};
pub use record::{Entry, Header, Kind};
pub use watermark::Watermark;
