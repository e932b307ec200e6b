//! What can go wrong in a store, said to the person who runs it.

use std::path::PathBuf;

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk refused.
    #[error("store {path}: {what}: {cause}; set `path` of the store to a folder that this user may write", path = path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        what: &'static str,
        /// The system's answer.
        cause: std::io::Error,
    },
    /// Another process owns the folder.
    #[error("store {path}: another kansoku process is using it; set `path` of the store to a folder of its own, or stop the other one", path = path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// Written by a version that this one does not know.
    #[error("store {path}: its format is version {found}, this kansoku reads up to {known}; use a newer kansoku, or set `path` to another folder", path = path.display())]
    Version {
        /// The folder.
        path: PathBuf,
        /// What is written there.
        found: u64,
        /// What is known here.
        known: u64,
    },
    /// A file of ours does not say what it should.
    #[error("store {path}: {what}; move the file away to go on without its rows", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The store's own log takes nothing now.
    #[error("the store's log takes nothing: {0}")]
    Log(String),
    /// A scan names what is not there, or a value of the wrong type.
    #[error("{0}")]
    Scan(String),
    /// Rows could not be put into columns, or columns into a file.
    #[error("store: {0}")]
    Columns(String),
}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Error {
        Error::Columns(error.to_string())
    }
}

impl From<parquet::errors::ParquetError> for Error {
    fn from(error: parquet::errors::ParquetError) -> Error {
        Error::Columns(error.to_string())
    }
}
