//! From a node to a config struct, with every fault at once. Serde stops at the first error: so note it, hide the node it came from, read again.

use crate::{Fault, Node};
use serde::de::DeserializeOwned;

/// All of `T`, or all that is wrong. Unknown keys are refused here, for every struct, with the nearest known one.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Vec<Fault>> {
    let _ = node;
    todo!()
}
