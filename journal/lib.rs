//! WHERE IT WAITS: the only room that touches the disk, and the append-only log on it (FLOW 2).

pub mod disk;

pub use disk::{Blocking, Disk};
