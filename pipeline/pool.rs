//! What several nodes share (one store for sink, alert and API; one listener across reloads), held weakly by type and key.

use parking_lot::Mutex;
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Weak},
};

type Shared = Weak<dyn Any + Send + Sync>;

/// Weak handles: a thing lives as long as a node holds it, and a reload that builds the new node first finds it again.
#[derive(Clone, Default)]
pub struct Pool(Arc<Mutex<HashMap<(TypeId, String), Shared>>>);

/// What only one node may have, such as an address or a folder; given back when dropped.
#[derive(Debug)]
pub struct Claim {
    by: String,
}

impl Pool {
    /// Claims a thing for the setting or node `by`; it may claim again what it has, as after a reload.
    ///
    /// # Errors
    /// Who has it.
    pub fn claim(&self, thing: &str, by: &str) -> Result<Arc<Claim>, String> {
        let mine = || Ok::<_, std::convert::Infallible>(Arc::new(Claim { by: by.to_owned() }));
        let claim = self.get_or(thing, mine).unwrap_or_else(|never| match never {});
        if claim.by == by { Ok(claim) } else { Err(claim.by.clone()) }
    }

    /// The thing of this type and key, made with `make` if nobody holds one.
    pub fn get_or<T: Any + Send + Sync, E>(&self, key: &str, make: impl FnOnce() -> Result<Arc<T>, E>) -> Result<Arc<T>, E> {
        if let Some(found) = self.get(key) {
            return Ok(found);
        }
        let made = make()?;
        let weak: Weak<T> = Arc::downgrade(&made);
        self.0.lock().insert((TypeId::of::<T>(), key.to_owned()), weak);
        Ok(made)
    }

    /// The thing of this type and key, if somebody holds it.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self, key: &str) -> Option<Arc<T>> {
        self.0.lock().get(&(TypeId::of::<T>(), key.to_owned()))?.upgrade()?.downcast().ok()
    }

    /// Everything of this type that somebody holds, with its key, in the order of keys.
    #[must_use]
    pub fn all<T: Any + Send + Sync>(&self) -> Vec<(String, Arc<T>)> {
        let pool = self.0.lock();
        let of_type = pool.iter().filter(|((id, _), _)| *id == TypeId::of::<T>());
        let mut found: Vec<_> = of_type.filter_map(|((_, key), weak)| Some((key.clone(), weak.upgrade()?.downcast().ok()?))).collect();
        found.sort_by(|a: &(String, Arc<T>), b| a.0.cmp(&b.0));
        found
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({})", self.0.lock().len())
    }
}
