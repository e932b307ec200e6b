//! Metrics that are made of records: each lane counts by itself, and at the end of every interval all lanes of a node add up in one table, of which the lane
//! that comes last sends the points. So a series is one, in whatever lanes its records were.

mod exemplars;
mod histogram;
mod key;
mod points;
mod promises;
mod recorder;
mod settings;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod weight;

pub(crate) use exemplars::{Exemplar, Exemplars};
pub(crate) use histogram::Histogram;
pub(crate) use key::Key;
pub(crate) use recorder::Recorder;
pub(crate) use settings::{labels, making};
pub(crate) use table::Table;

use config::Period;
use schemars::JsonSchema;
use serde::Deserialize;
use smallvec::SmallVec;

/// Whether points count from a fixed start or from the point before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Temporality {
    /// From a start that stays, as Prometheus wants it.
    #[default]
    Cumulative,
    /// Since the point before.
    Delta,
}

/// How a node makes points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Making {
    pub(crate) interval: Period,
    pub(crate) temporality: Temporality,
    pub(crate) stale_after: Period,
    pub(crate) series_max: usize,
}

/// A metric by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
}

/// Series with the same labels and the same metrics.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    /// Of all metrics of this family, in the order of a key's values.
    pub(crate) labels: Vec<String>,
    pub(crate) sums: &'static [Measure],
    pub(crate) histograms: &'static [Measure],
    pub(crate) resource: Resource,
}

/// What the points say they are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// The service that is the value of the first label.
    FirstLabel,
    /// Nobody's: they are about two services.
    None,
}

/// What one series has counted: of each metric of its family.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    pub(crate) sums: SmallVec<[f64; 2]>,
    pub(crate) histograms: SmallVec<[Histogram; 1]>,
}

impl Cells {
    fn of(family: &Family) -> Cells {
        Cells {
            sums: family.sums.iter().map(|_| 0.0).collect(),
            histograms: family.histograms.iter().map(|_| Histogram::default()).collect(),
        }
    }

    /// Adds to the nth sum of the family.
    pub(crate) fn add(&mut self, sum: usize, amount: f64) {
        if let Some(sum) = self.sums.get_mut(sum) {
            *sum += amount;
        }
    }

    /// Counts a duration in the nth histogram of the family.
    pub(crate) fn record(&mut self, histogram: usize, weight: f64, exemplar: Exemplar) {
        if let Some(histogram) = self.histograms.get_mut(histogram) {
            histogram.record(exemplar.seconds, weight);
            histogram.exemplars.offer(exemplar);
        }
    }

    fn merge(&mut self, other: Cells) {
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, more)| *sum += more);
        self.histograms.iter_mut().zip(other.histograms).for_each(|(all, more)| all.merge(more));
    }

    /// Allocated, with what stands around it in a table.
    fn bytes(&self, key: &[u8]) -> usize {
        let inline = SmallVec::<[Histogram; 1]>::new().inline_size();
        let spilled = if self.histograms.len() > inline { self.histograms.len() * size_of::<Histogram>() } else { 0 };
        size_of::<(Box<[u8]>, Cells)>() + key.len() + spilled + self.histograms.iter().map(Histogram::bytes).sum::<usize>()
    }
}
