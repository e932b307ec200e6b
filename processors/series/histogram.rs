//! A histogram whose buckets grow by a constant factor, as OTLP's exponential histogram, with weights where that has counts.
//! Two of them add up whatever their resolutions are: the coarser one decides.

use super::Exemplars;
use std::collections::VecDeque;

/// The finest resolution: buckets grow by 0.27 %. Prometheus' native histograms take no finer one.
const SCALE_MAX: i32 = 8;
/// Buckets at the most; values further apart make all of them coarser.
const BUCKETS_MAX: i64 = 160;

/// Bucket `i` has what lies in (base^i, base^(i+1)], with base = 2^(2^-scale).
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    scale: i32,
    /// The number of the first bucket.
    offset: i32,
    buckets: VecDeque<f64>,
    zero: f64,
    sum: f64,
    pub(super) exemplars: Exemplars,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { scale: SCALE_MAX, offset: 0, buckets: VecDeque::new(), zero: 0.0, sum: 0.0, exemplars: Exemplars::default() }
    }
}

/// As it is written: whole counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counted {
    pub(crate) scale: i32,
    pub(crate) offset: i32,
    pub(crate) buckets: Vec<u64>,
    pub(crate) zero: u64,
    pub(crate) sum: f64,
}

impl Counted {
    /// Of all buckets.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum::<u64>() + self.zero
    }
}

impl Histogram {
    /// Counts a value with a weight. What is not above zero counts as zero.
    pub(crate) fn record(&mut self, value: f64, weight: f64) {
        self.sum += value.max(0.0) * weight;
        if value <= 0.0 || !value.is_finite() {
            self.zero += weight;
            return;
        }
        let mut index = index(value, self.scale);
        while !self.has_room(index, index) {
            self.coarsen(1);
            index >>= 1;
        }
        self.add(index, weight);
    }

    /// Adds all of another.
    pub(crate) fn merge(&mut self, other: Histogram) {
        self.sum += other.sum;
        self.zero += other.zero;
        self.exemplars.merge(other.exemplars);
        let Some(more) = i32::try_from(other.buckets.len()).ok().filter(|buckets| *buckets > 0) else { return };
        let (first, last) = (other.offset, other.offset + more - 1);
        self.coarsen(self.scale.saturating_sub(other.scale).max(0));
        while !self.has_room(first >> (other.scale - self.scale), last >> (other.scale - self.scale)) {
            self.coarsen(1);
        }
        let shift = other.scale - self.scale;
        for (index, weight) in (first..).zip(other.buckets) {
            self.add(index >> shift, weight);
        }
    }

    /// Rounded to whole counts.
    pub(crate) fn counted(&self) -> Counted {
        let buckets: Vec<u64> = self.buckets.iter().map(|weight| rounded(*weight)).collect();
        Counted { scale: self.scale, offset: self.offset, buckets, zero: rounded(self.zero), sum: self.sum }
    }

    /// Takes out what was told; what rounding left goes into the next.
    pub(crate) fn take(&mut self) -> Counted {
        let counted = self.counted();
        self.buckets.iter_mut().zip(&counted.buckets).for_each(|(weight, count)| *weight -= *count as f64);
        self.zero -= counted.zero as f64;
        self.sum = 0.0;
        counted
    }

    /// Allocated bytes beside the struct.
    pub(crate) fn bytes(&self) -> usize {
        self.buckets.capacity() * size_of::<f64>()
    }

    fn has_room(&self, first: i32, last: i32) -> bool {
        let (low, high) = match i64::try_from(self.buckets.len()) {
            Ok(0) | Err(_) => (i64::from(first), i64::from(last)),
            Ok(buckets) => {
                let offset = i64::from(self.offset);
                (offset.min(i64::from(first)), (offset + buckets - 1).max(i64::from(last)))
            }
        };
        high - low < BUCKETS_MAX
    }

    /// Only where there is room for it.
    fn add(&mut self, index: i32, weight: f64) {
        if self.buckets.is_empty() {
            self.offset = index;
        }
        while index < self.offset {
            self.buckets.push_front(0.0);
            self.offset -= 1;
        }
        let at = usize::try_from(index - self.offset).unwrap_or(0);
        if at >= self.buckets.len() {
            self.buckets.resize(at + 1, 0.0);
        }
        if let Some(bucket) = self.buckets.get_mut(at) {
            *bucket += weight;
        }
    }

    /// Makes two buckets one, so many times.
    fn coarsen(&mut self, times: i32) {
        if times <= 0 {
            return;
        }
        self.scale -= times;
        let (offset, buckets) = (self.offset, std::mem::take(&mut self.buckets));
        for (index, weight) in (offset..).zip(buckets) {
            self.add(index >> times.min(31), weight);
        }
    }
}

/// The bucket of a value above zero.
fn index(value: f64, scale: i32) -> i32 {
    let bits = value.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0) - 1023;
    let is_power_of_two = bits & ((1 << 52) - 1) == 0;
    if scale <= 0 {
        return (if is_power_of_two { exponent - 1 } else { exponent }) >> (-scale).min(31);
    }
    if is_power_of_two {
        // A bound belongs to the bucket below it; the logarithm might miss it by a rounding.
        return (exponent << scale) - 1;
    }
    #[expect(clippy::cast_possible_truncation, reason = "at most 1024 << 8")]
    let index = (value.log2() * f64::from(1 << scale)).ceil() as i32 - 1;
    index.clamp(exponent << scale, ((exponent + 1) << scale) - 1)
}

fn rounded(weight: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast stops at the ends of what a u64 holds")]
    let count = weight.round() as u64;
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// In (base^i, base^(i+1)].
    fn holds(scale: i32, index: i32, value: f64) -> bool {
        let base = 2_f64.powf(2_f64.powi(-scale));
        let (low, high) = (base.powi(index), base.powi(index + 1));
        value > low * (1.0 - 1e-9) && value <= high * (1.0 + 1e-9)
    }

    fn of(values: &[f64]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.record(*value, 1.0));
        histogram
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(value in 1e-9..1e10_f64, scale in -4..=SCALE_MAX) {
            prop_assert!(holds(scale, index(value, scale), value));
        }

        #[test]
        fn every_value_is_counted_and_no_more_than_the_bound_of_buckets_are_kept(values in prop::collection::vec(1e-9..1e10_f64, 0..80)) {
            let counted = of(&values).counted();
            prop_assert_eq!(counted.count(), values.len() as u64);
            prop_assert!(counted.buckets.len() <= 160);
            for value in &values {
                let at = usize::try_from(index(*value, counted.scale) - counted.offset).unwrap();
                prop_assert!(counted.buckets[at] > 0, "{} at {:?}", value, counted);
            }
        }

        #[test]
        fn however_values_are_parted_the_sum_is_the_same(
            values in prop::collection::vec((prop_oneof![Just(0.0), 1e-9..1e10_f64, 0.01..0.2], any::<bool>()), 0..120),
        ) {
            let part = |which: bool| values.iter().filter(|(_, of)| *of == which).map(|(value, _)| *value).collect::<Vec<f64>>();
            let mut merged = of(&part(true));
            merged.merge(of(&part(false)));
            let all: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
            let (merged, whole) = (merged.counted(), of(&all).counted());
            prop_assert!((merged.sum - whole.sum).abs() <= whole.sum * 1e-9);
            prop_assert_eq!(Counted { sum: 0.0, ..merged }, Counted { sum: 0.0, ..whole });
        }

        #[test]
        fn what_rounding_leaves_comes_with_a_later_take(weights in prop::collection::vec(0.1..3.0_f64, 1..60)) {
            let (mut histogram, mut told) = (Histogram::default(), 0);
            for weight in &weights {
                histogram.record(0.25, *weight);
                told += histogram.take().count();
            }
            prop_assert!((told as f64 - weights.iter().sum::<f64>()).abs() <= 0.5 + 1e-9);
        }
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_below() {
        for scale in -2..=SCALE_MAX {
            let one = index(1.0, scale);
            assert_eq!(one, -1);
            assert_eq!(index(1.0 + f64::EPSILON, scale), 0);
        }
        assert_eq!(index(4.0, 0), 1);
        assert_eq!(index(4.0, 2), 7);
    }
}
