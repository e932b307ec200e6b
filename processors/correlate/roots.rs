//! Names of the roots of closed traces, each once: a trace that is remembered has the number of its root's.

use crate::by_trace::ByTrace;
use crate::seed::Seed;
use signal::text;
use std::{mem, sync::Arc};
use xxhash_rust::xxh3::Xxh3;

/// Names of one generation; the names of two are known.
const NAMES_MAX: usize = 1 << 12;
/// Bytes of each text.
const TEXT_BYTES_MAX: usize = 256;

/// No name.
pub(super) const NONE: u32 = u32::MAX;

/// What a log that comes late is told of the root of its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RootName {
    pub(super) service: Box<str>,
    pub(super) name: Box<str>,
    /// Empty where the root has none.
    pub(super) route: Box<str>,
}

/// The names of one generation, in their order.
#[derive(Default)]
struct Names {
    /// By hash.
    places: ByTrace<u32>,
    all: Vec<Arc<RootName>>,
}

/// Two generations of names: a flood of them drives older ones out, and cannot grow the memory.
#[derive(Default)]
pub(super) struct Roots {
    seed: Seed,
    /// Of the young one.
    generation: u32,
    young: Names,
    old: Names,
}

impl Roots {
    /// The number of a root's name.
    pub(super) fn number(&mut self, [service, name, route]: [&str; 3]) -> u32 {
        let texts = [service, name, route].map(|one| text::head(one, TEXT_BYTES_MAX));
        let mut hash = Xxh3::with_seed(self.seed.number());
        for text in texts {
            hash.update(&text.len().to_le_bytes());
            hash.update(text.as_bytes());
        }
        let hash = hash.digest();
        if let Some(place) = self.young.places.get(&hash) {
            return self.first() + place;
        }
        if self.young.all.len() >= NAMES_MAX {
            self.old = mem::take(&mut self.young);
            self.generation = (self.generation + 1) % (NONE / NAMES_MAX as u32);
        }
        let place = self.young.all.len() as u32;
        let [service, name, route] = texts.map(Box::from);
        self.young.all.push(Arc::new(RootName { service, name, route }));
        self.young.places.insert(hash, place);
        self.first() + place
    }

    /// The name of a number, unless others have driven it out.
    pub(super) fn name(&self, number: u32) -> Option<Arc<RootName>> {
        let (generation, place) = (number / NAMES_MAX as u32, number as usize % NAMES_MAX);
        let names = match self.generation {
            young if young == generation => &self.young,
            young if young == generation + 1 => &self.old,
            _ => return None,
        };
        names.all.get(place).cloned()
    }

    fn first(&self) -> u32 {
        self.generation * NAMES_MAX as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number_until_many_others_drive_it_out() {
        let mut roots = Roots::default();
        let shop = roots.number(["shop", "GET /", ""]);
        assert_eq!(roots.number(["shop", "GET /", ""]), shop);
        assert_ne!(roots.number(["shop", "GET ", "/"]), shop);
        let name = |roots: &Roots| roots.name(shop).map(|root| root.name.to_string());
        let flood = |roots: &mut Roots, n: usize| (0..NAMES_MAX).map(|at| roots.number(["shop", &format!("{n} {at}"), ""])).max();
        flood(&mut roots, 1);
        assert_eq!(name(&roots).as_deref(), Some("GET /"));
        flood(&mut roots, 2);
        assert_eq!((name(&roots), roots.name(NONE)), (None, None));
        assert!(roots.young.all.len() + roots.old.all.len() <= 2 * NAMES_MAX);
    }
}
