//! Whole pipelines of tiny parts, on tokio's virtual time.

mod falls;
mod flow;
mod journalled;
mod parts;
mod plans;
mod random;
