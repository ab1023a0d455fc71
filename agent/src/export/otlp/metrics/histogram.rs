//! Histograms with the same bounds in each export, whatever buckets happen to have counts.

use crate::report::node::BucketCount;

/// Bounds of lifetimes in seconds: powers of four from 1.024 µs to 19.5 hours. Those of the kernel's
/// counts are powers of two of nanoseconds, so each of its buckets lies within one of these.
pub(super) const LIFETIMES: [f64; 19] = powers_of_four(1_024e-9);

/// Bounds of times that goroutines wait for a processor, in seconds: powers of four from 64 ns to 18 minutes.
pub(super) const LATENCIES: [f64; 18] = powers_of_four(64e-9);

const fn powers_of_four<const N: usize>(first: f64) -> [f64; N] {
    let mut bounds = [first; N];
    let mut i = 1;
    while i < N {
        bounds[i] = bounds[i - 1] * 4.0;
        i += 1;
    }
    bounds
}

/// How many are in each bucket; the last is without a bound.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) bounds: &'static [f64],
    pub(super) counts: Vec<u64>,
}

impl Counted {
    /// Nothing yet.
    pub(super) fn none(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
        }
    }

    /// Of buckets with other bounds: one that lies across ours counts as what is above it.
    pub(super) fn of(bounds: &'static [f64], buckets: &[BucketCount]) -> Self {
        let mut counted = Self::none(bounds);
        for bucket in buckets {
            // A bound made by other steps may differ in its last digit.
            let below = bucket.below_seconds * (1.0 - 1e-9);
            let place = bounds.partition_point(|bound| *bound < below);
            counted.counts[place] += bucket.count;
        }
        counted
    }

    /// These and `others`.
    pub(super) fn add(&mut self, others: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&others.counts) {
            *count += more;
        }
    }

    /// These without `others`, which are among them.
    pub(super) fn without(mut self, others: &Self) -> Self {
        for (count, less) in self.counts.iter_mut().zip(&others.counts) {
            *count = count.saturating_sub(*less);
        }
        self
    }

    /// No bucket is less than it was.
    pub(super) fn at_least(mut self, before: &Self) -> Self {
        for (count, before) in self.counts.iter_mut().zip(&before.counts) {
            *count = (*count).max(*before);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn bucket(below_seconds: f64, count: u64) -> BucketCount {
        BucketCount {
            below_seconds,
            count,
        }
    }

    #[test]
    fn the_kernels_buckets_each_lie_within_one_of_ours() {
        for bits in 1..=47_u32 {
            let below = Duration::from_nanos(1 << bits).as_secs_f64();
            let counted = Counted::of(&LIFETIMES, &[bucket(below, 1)]);
            let place = counted.counts.iter().position(|count| *count == 1);
            // 2^10 ns is the first bound, each further one two powers above.
            let expected = (bits.saturating_sub(10)).div_ceil(2) as usize;
            assert_eq!(place, Some(expected), "below 2^{bits} ns");
        }
    }

    #[test]
    fn what_lies_across_a_bound_counts_as_above_it() {
        let buckets = [bucket(1e-9, 1), bucket(1e-6, 2), bucket(f64::INFINITY, 4)];
        let counted = Counted::of(&LATENCIES, &buckets);
        assert_eq!(counted.counts[0], 1);
        assert_eq!(counted.counts[2], 2, "1 µs is above 256 ns and below 1024");
        assert_eq!(counted.counts[LATENCIES.len()], 4);
    }
}
