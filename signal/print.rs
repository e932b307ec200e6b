//! 128 bits by which records are known again that come a second time: where they came from, and what became of them on the way.

use crate::{
    Flow, Signal,
    batch::{Chunk, Ordinals},
};
use xxhash_rust::xxh3::Xxh3;

/// The prints of a flow's chunks at a node. None where some of it has no origin, which nothing brings again.
#[must_use]
pub fn prints(node: &str, flow: &Flow) -> Vec<u128> {
    let chunks = flow.batches().flat_map(|batch| batch.chunks().iter().map(|chunk| (batch.signal(), chunk)));
    let prints: Option<Vec<u128>> = chunks.map(|(signal, chunk)| print(node, signal, chunk)).collect();
    prints.unwrap_or_default()
}

/// What is in it counts, too: over two ways to one node the same records may come in two forms.
fn print(node: &str, signal: Signal, chunk: &Chunk) -> Option<u128> {
    let origin = chunk.identity()?;
    let mut hash = Xxh3::new();
    hash.update(node.as_bytes());
    // No byte of UTF-8 ends the name.
    hash.update(&[0xff, signal as u8]);
    hash.update(&origin.log.to_le_bytes());
    hash.update(&origin.position.to_le_bytes());
    match chunk.ordinals() {
        Ordinals::From(first) => hash.update(&first.to_le_bytes()),
        Ordinals::These(all) => all.iter().for_each(|ordinal| hash.update(&ordinal.to_le_bytes())),
    }
    hash.update(chunk.bytes().bytes());
    Some(hash.digest128())
}
