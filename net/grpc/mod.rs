//! Unary gRPC for raw bytes, both sides. The protocol is a prefix, a few headers and a trailer; what a status is and how it is written is tonic's.

mod call;
mod message;
mod server;
#[cfg(test)]
mod tests;

pub use server::{timeout, unary};
pub use tonic::{Code, Status, body::Body};
