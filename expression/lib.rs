//! WHAT IS ASKED: conditions as matchers over the bytes, VRL over a lazy view. One language everywhere (config/reference/fields.md). Does no I/O.

mod advice;
pub mod condition;
mod conditions;
mod convert;
pub mod field;
pub mod fields;
mod functions;
mod lower;
mod operand;
mod parse;
mod path;
mod program;
pub mod script;
mod search;
mod subject;
mod survey;
mod tree;

pub use condition::{Condition, Predicate};
pub use conditions::{Conditions, Predicates};
pub use field::{Field, Getter};
pub use script::{Program, Script};

#[cfg(test)]
mod test;
