//! A receiver of Alertmanager's webhook JSON: keeps what it was told.

use crate::{http::serve, until};
use parking_lot::Mutex;
use serde_json::Value;
use std::sync::Arc;

/// A receiver on a free port, for as long as the test runs.
pub struct Webhook {
    url: String,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Webhook {
    /// Begins to listen.
    #[must_use]
    pub fn start() -> Webhook {
        let told = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&told);
        let at = serve(move |_, body| {
            to.lock().push(serde_json::from_slice(body).unwrap_or(Value::Null));
            200
        });
        Webhook { url: format!("http://{at}/hook"), told }
    }

    /// Where alerts are to be sent.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until a notification is what is looked for, and returns what was found in it.
    pub fn told<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        until(what, || self.told.lock().iter().find_map(&find))
    }

    /// All notifications so far.
    #[must_use]
    pub fn all(&self) -> Vec<Value> {
        self.told.lock().clone()
    }
}
