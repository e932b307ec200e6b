//! Parquet files: which rows go where, which attributes get columns, and how a file is read back.

pub(crate) mod data;
mod promote;
mod sort;
mod write;

pub(crate) use data::DataFile;
pub(crate) use promote::{Chosen, choose};
pub(crate) use sort::{Group, groups, hour_name};
pub(crate) use write::{Written, write};
