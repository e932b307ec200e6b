//! What a server answers to an export request: `Export*ServiceResponse` with its partial success, and google.rpc.Status.

use bytes::Bytes;

/// The protobuf response; empty when nothing was rejected and nothing is to be said.
#[must_use]
pub fn response(rejected: usize, message: &str) -> Bytes {
    let _ = (rejected, message);
    todo!()
}

/// The rejected count and message of a response that a server sent.
#[must_use]
pub fn partial_success(response: &[u8]) -> Option<(usize, String)> {
    let _ = response;
    todo!()
}
