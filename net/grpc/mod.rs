//! Unary gRPC for raw bytes over HTTP/2, both sides. Framed here and not by tonic, which buffers a message before anybody could admit its bytes, and copies it once more to send it.

mod code;
mod request;
mod status;

pub use code::Code;
pub use request::{Reply, answer, read, timeout};
pub use status::Status;

pub(crate) use request::prefix_of;
