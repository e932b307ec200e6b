//! WHERE IT RESTS: what was accepted, in its own log, then in memory, then in Parquet files under a Delta-compatible commit log.
//! Knows no query language: everything is read through one `Scan`. The layout on disk is described in FORMAT.md. Start reading at `store.rs`.

pub mod column;
mod commit;
mod entry;
mod error;
mod files;
mod flush;
mod json;
mod matching;
mod memory;
mod merge;
mod options;
mod read;
mod rows;
pub mod scan;
mod series;
mod store;
mod table;
mod wire;

pub use column::{Floats, Ints, Texts};
pub use entry::Summary;
pub use error::Error;
pub use options::Options;
pub use scan::{Filter, Order, Scalar, Scan, Scanned};
pub use store::{Appended, Maintained, Stats, Store, TableStats};
pub use table::Table;

#[cfg(test)]
mod tests;
