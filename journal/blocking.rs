//! Where calls to the disk run: handed in by whoever has threads for them.

use std::sync::Arc;
use tokio::sync::oneshot;

/// Runs a closure where blocking is allowed; `pipeline` hands in `spawn_blocking`, tests run it inline.
pub type Blocking = Arc<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

/// Runs `work` there and waits for what it gives; `None` if it panicked or the process is ending.
///
/// # Cancel safety
/// Work that has begun goes on when nobody waits for it any more.
pub async fn blocked<T: Send + 'static>(blocking: &Blocking, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, heard) = oneshot::channel();
    blocking(Box::new(move || {
        // An error means that nobody waits any more.
        let _unheard = tell.send(work());
    }));
    heard.await.ok()
}
