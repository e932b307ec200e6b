//! Metrics in files: a row per chunk, which is a run of points of one series that are alike in all but time and numbers (FORMAT.md). Memory and scans have a row per point;
//! `fold` makes chunks of points when they go into files, `unfold` makes points of chunks when files are read.

mod buckets;
mod fold;
mod id;
mod numbers;
mod unfold;

pub(crate) use fold::fold;
pub(crate) use id::{IDENTITY, Identity, ids, word};
pub(crate) use unfold::{slices, unfold};

/// Points of a chunk at the most: what a scan decodes for one point of it.
const POINTS_MAX: usize = 4_096;

/// The column of a file that tells chunks from points: files of format 1 have a row per point.
pub(crate) const TIMES: &str = "ts_chunk";

/// The stored columns that this column of a point is made of; none for what all points of a chunk share.
pub(crate) fn made_of(column: &str) -> Option<&'static [&'static str]> {
    match column {
        "time_unix_nano" => Some(&["n", TIMES]),
        "start_time_unix_nano" => Some(&["n", TIMES, "start_time_unix_nano", "start_chunk"]),
        "value" | "value_int" | "count" | "sum" | "min" | "max" | "buckets" => Some(&["n", TIMES, "shape", "value_chunk", "count_chunk"]),
        "exemplars" => Some(&["n", TIMES, "exemplars"]),
        _ => None,
    }
}
