//! What nodes that make metrics are told in the same words.

use super::{Making, Temporality};
use config::{Fault, Period, Placed};
use std::time::Duration;

/// Shorter ones would send more than they save.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// How a node makes points, by its settings.
pub(crate) fn making(
    interval: &Placed<Period>,
    temporality: Temporality,
    stale_after: Period,
    series_max: u32,
) -> Result<Making, Vec<Fault>> {
    if interval.0 < INTERVAL_MIN {
        return Err(vec![interval.fault(format!("`interval: {}` is too short; write at least `1s`", **interval))]);
    }
    Ok(Making { interval: **interval, temporality, stale_after, series_max: usize::try_from(series_max).unwrap_or(usize::MAX) })
}

/// All labels of a series: those that it always has, and one for each dimension.
pub(crate) fn labels(always: &[&str], dimensions: &[Placed<String>]) -> Result<Vec<String>, Vec<Fault>> {
    let mut labels: Vec<String> = always.iter().map(|label| (*label).to_owned()).collect();
    let mut faults = Vec::new();
    for dimension in dimensions {
        let label: String = dimension.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if labels.contains(&label) {
            faults.push(dimension.fault(format!("`{label}` is a label already")).help("leave it out"));
        }
        labels.push(label);
    }
    if faults.is_empty() { Ok(labels) } else { Err(faults) }
}
