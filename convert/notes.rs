//! What is said about a conversion.

use config::{Fault, Place};

/// Notes with their places.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    said: Vec<Fault>,
    needless: Vec<Fault>,
}

impl Notes {
    /// Something has no counterpart.
    pub(crate) fn left_out(&mut self, place: Place, what: impl Into<String>, instead: impl Into<String>) {
        self.said.push(Fault::at(place, what).help(instead));
    }

    /// Something is done in another way.
    pub(crate) fn differs(&mut self, place: Place, what: impl Into<String>, instead: impl Into<String>) {
        self.said.push(Fault::warning(place, what).help(instead));
    }

    /// Something was not written because nothing is lost without it; `why` says that.
    pub(crate) fn needless(&mut self, place: Place, what: &str, why: &str) {
        self.needless.push(Fault::warning(place, format!("`{what}`: {why}")));
    }

    /// Something cannot be read.
    pub(crate) fn broken(&mut self, fault: Fault) {
        self.said.push(fault);
    }

    /// What was said, and what needs no counterpart: each in the order of the file, and once.
    pub(crate) fn into_faults(self) -> (Vec<Fault>, Vec<Fault>) {
        let sorted = |mut faults: Vec<Fault>| {
            faults.sort_by_key(|fault| (fault.place, fault.level));
            faults.dedup();
            faults
        };
        (sorted(self.said), sorted(self.needless))
    }
}
