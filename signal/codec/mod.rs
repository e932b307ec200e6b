//! Other encodings of the same telemetry. Each parser has a fuzz target.

pub mod answer;
pub mod flow;
pub mod foreign;
pub mod json;
pub mod line;
pub mod message;
pub mod origins;
