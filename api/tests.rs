//! Every route, asked in process and over a socket, of a small store with one failed checkout in it.

mod following;
mod guarding;
mod querying;
mod reloading;
mod sample;
mod telling;
