//! What is said about a conversion.

use config::{Fault, Place};

/// Notes with their places.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<Fault>);

impl Notes {
    /// Something has no counterpart.
    pub(crate) fn left_out(&mut self, place: Place, what: impl Into<String>, instead: impl Into<String>) {
        self.0.push(Fault::at(place, what).help(instead));
    }

    /// Something is done in another way.
    pub(crate) fn differs(&mut self, place: Place, what: impl Into<String>, instead: impl Into<String>) {
        self.0.push(Fault::warning(place, what).help(instead));
    }

    pub(crate) fn into_faults(self) -> Vec<Fault> {
        self.0
    }
}
