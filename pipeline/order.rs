//! Lanes beside each other hand on what came of their turns in the order of the stream, for a sink that needs it.

use std::sync::Arc;
use tokio::sync::watch;

/// Whose turn it is.
pub(crate) struct Order(watch::Sender<u64>);

impl Order {
    pub(crate) fn new() -> Arc<Order> {
        Arc::new(Order(watch::Sender::new(0)))
    }

    /// Returns once every turn before this one has passed.
    ///
    /// # Cancel safety
    /// Safe: it only looks.
    pub(crate) async fn come(&self, turn: u64) {
        let mut now = self.0.subscribe();
        // Cannot fail: the sender is here.
        let _closed = now.wait_for(|now| *now >= turn).await;
    }

    pub(crate) fn pass(&self, turn: u64) {
        self.0.send_replace(turn + 1);
    }
}
