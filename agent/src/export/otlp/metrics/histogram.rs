//! Histograms with the same bounds in each export, whatever buckets happen to have counts.

use crate::report::node::{BucketCount, bucket_below};

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
            counted.counts[bucket_below(bounds, bucket.below_seconds)] += bucket.count;
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
    use crate::report::node::{LATENCY_BOUNDS, LIFETIME_BOUNDS};

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
            let counted = Counted::of(&LIFETIME_BOUNDS, &[bucket(below, 1)]);
            let place = counted.counts.iter().position(|count| *count == 1);
            // 2^10 ns is the first bound, each further one two powers above.
            let expected = (bits.saturating_sub(10)).div_ceil(2) as usize;
            assert_eq!(place, Some(expected), "below 2^{bits} ns");
        }
    }

    #[test]
    fn what_lies_across_a_bound_counts_as_above_it() {
        let buckets = [bucket(1e-9, 1), bucket(1e-6, 2), bucket(f64::INFINITY, 4)];
        let counted = Counted::of(&LATENCY_BOUNDS, &buckets);
        assert_eq!(counted.counts[0], 1);
        assert_eq!(counted.counts[2], 2, "1 µs is above 256 ns and below 1024");
        assert_eq!(counted.counts[LATENCY_BOUNDS.len()], 4);
    }
}
