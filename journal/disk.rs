//! What the project does to files.

use std::sync::Arc;

/// What a log does to files.
pub trait Disk: Send + Sync + 'static {}

/// Runs a closure where blocking is allowed; the pipeline hands in `spawn_blocking`, tests run it inline.
pub type Blocking = Arc<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;
