//! What the API asks of a running pipeline.

use futures::future::BoxFuture;
use pipeline::{Pool, Retried, Status};

/// A running pipeline as the API sees it; a test hands in another.
pub trait View: Send + Sync {
    /// The state now.
    fn status(&self) -> Status;
    /// Whether data can be taken in.
    ///
    /// # Errors
    /// Why not, in words.
    fn ready(&self) -> Result<(), String>;
    /// The pipeline's own part of `/metrics`.
    fn metrics(&self) -> String;
    /// Where stores and alerts are found.
    fn pool(&self) -> &Pool;
    /// Sends dead letters again, of one node or all.
    fn retry(&self, node: Option<String>) -> BoxFuture<'_, Result<Retried, String>>;
}

impl View for pipeline::View {
    fn status(&self) -> Status {
        pipeline::View::status(self)
    }

    fn ready(&self) -> Result<(), String> {
        pipeline::View::ready(self)
    }

    fn metrics(&self) -> String {
        pipeline::View::metrics(self)
    }

    fn pool(&self) -> &Pool {
        pipeline::View::pool(self)
    }

    fn retry(&self, node: Option<String>) -> BoxFuture<'_, Result<Retried, String>> {
        Box::pin(pipeline::View::retry(self, node))
    }
}
