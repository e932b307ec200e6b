//! Quantities with their unit. A bare number where a unit belongs is a fault that suggests one.

mod bytes;
mod period;
mod quantity;
mod share;

pub use bytes::Bytes;
pub use period::Period;
pub use share::Share;
