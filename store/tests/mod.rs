//! Tests of the room as a whole: what goes in comes out, once, wherever it lies and whatever ends in between.

mod checkpoints;
mod compaction;
mod crash;
mod fidelity;
mod lifecycle;
mod open_data;
mod points;
mod pressure;
mod recovery;
mod sample;
mod scanning;
mod sizes;
mod versions;
