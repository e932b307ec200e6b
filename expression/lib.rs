//! WHAT IS ASKED: conditions as matchers over the bytes, VRL over a lazy view. One language everywhere (FIELDS.md). Does no I/O.

pub mod condition;
pub mod field;
pub mod script;

pub use condition::{Condition, Conditions, Predicate, Predicates};
pub use field::{Field, Getter};
pub use script::{Program, Script};
