//! Unary gRPC for raw bytes, both sides. tonic speaks the protocol; a message itself goes past tonic's buffers, which would allocate what a stranger announces
//! before anybody could admit it, and copy every byte once more.

mod call;
mod codec;
mod message;
mod server;
#[cfg(test)]
mod tests;

pub use server::{timeout, unary};
pub use tonic::{Code, Status, body::Body};
