//! Every component this build knows: the lists of the three rooms.

use pipeline::Entry;

/// Sources, processors, sinks.
pub(crate) const ALL: [&[Entry]; 3] = [sources::ALL, processors::ALL, sinks::ALL];
