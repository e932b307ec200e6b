//! Whole pipelines of tiny parts, on tokio's virtual time.

mod admission;
mod changes;
mod ended;
mod falls;
mod flow;
mod full_disk;
mod gather;
mod hour;
mod journalled;
mod lanes;
mod letters;
mod partitions;
pub(crate) mod parts;
mod payload;
mod plans;
mod random;
mod reload;
mod rest;
mod simulation;
mod spilling;
