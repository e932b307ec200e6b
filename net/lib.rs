//! THE WIRE: listening, serving and calling over HTTP/1, HTTP/2 and gRPC, with a limit on everything that a stranger may send.
//! Knows nothing of telemetry. Start reading at `serve/mod.rs` for what comes in and `client.rs` for what goes out.

pub mod auth;
pub mod body;
mod channel;
pub mod client;
pub mod coding;
pub mod dns;
mod drive;
mod gathered;
pub mod grpc;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod listen;
mod patient;
pub mod reach;
pub mod retry;
pub mod serve;
pub mod tls;

pub use auth::Credential;
pub use client::{Answer, Client, Protocol, Silence};
pub use coding::Coding;
pub use dns::Resolver;
pub use grpc::{Code, Status};
pub use listen::{ListenError, Listener, listen};
pub use patient::Patience;
pub use reqwest::Url;
pub use serve::{Peer, serve};
pub use tls::Transport;
