//! What stands in the file once and in the tree twice: aliases and `<<:`.

use super::{DEPTH_MAX, NODES_MAX, Reader, Stop, Within};
use crate::{Fault, Node, Place, Value, node::Key};
use std::collections::HashMap;

impl Reader<'_> {
    /// `<<:` takes what another map has and this one has not.
    pub(super) fn merge(&mut self, entries: &mut Vec<(Key, Node)>, names: &mut HashMap<String, Place>, key: Key, value: Node) {
        let maps = match value.value {
            Value::List(maps) => maps,
            _ => vec![value],
        };
        for map in maps {
            let Value::Map(more) = map.value else {
                let broken = self.broken(map.place, Fault::at(map.place, "`<<` takes a map, or a list of maps"));
                entries.push((key, broken));
                return;
            };
            for (key, node) in more {
                if !names.contains_key(&key.0) {
                    names.insert(key.0.clone(), key.1);
                    entries.push((key, node));
                }
            }
        }
    }

    /// What an anchor stands for, counted as if it were written again.
    pub(super) fn alias(&mut self, id: usize, place: Place, within: Within<'_>) -> Result<Node, Stop> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            return self.stop(place, "this alias stands inside what it repeats");
        };
        let weight = node.weight();
        self.nodes = self.nodes.saturating_add(weight.nodes);
        self.spend(weight.text_bytes, place)?;
        if self.nodes > NODES_MAX || within.depth + weight.depth > DEPTH_MAX {
            return self.stop(place, "aliases repeat too much");
        }
        Ok(Node { place, ..node })
    }
}
