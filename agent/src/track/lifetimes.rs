//! Quantiles of a log2 histogram.

use std::time::Duration;

use gostray_common::LIFETIME_BUCKETS;

/// The lifetimes of a site's ended goroutines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    buckets: [u64; LIFETIME_BUCKETS],
    max_ns: u64,
}

impl Lifetimes {
    /// From the kernel side's histogram (bucket `n`: up to `2^(n+1) - 1` ns) and longest lifetime.
    #[must_use]
    pub fn new(buckets: [u64; LIFETIME_BUCKETS], max_ns: u64) -> Self {
        Self { buckets, max_ns }
    }

    /// Of no goroutine.
    pub const NONE: Self = Self {
        buckets: [0; LIFETIME_BUCKETS],
        max_ns: 0,
    };

    /// These and others.
    #[must_use]
    pub fn and(mut self, others: &Self) -> Self {
        for (count, more) in self.buckets.iter_mut().zip(others.buckets) {
            *count += more;
        }
        self.max_ns = self.max_ns.max(others.max_ns);
        self
    }

    /// How many goroutines have ended.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The buckets with a count, shortest first: the time that all in one stay below, and how many they
    /// are.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let counts = self.buckets.iter().zip(1_u32..);
        let counts = counts.filter(|(count, _)| **count > 0);
        counts.map(|(count, bits)| (Duration::from_nanos(1_u64 << bits.min(63)), *count))
    }

    /// The lifetime that the share `quantile` (0 to 1) of goroutines did not exceed, interpolated
    /// inside its bucket: right within a factor of two. `None` when none has ended.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = quantile.clamp(0.0, 1.0) * count as f64;
        let mut below = 0;
        for (bucket, &inside) in self.buckets.iter().enumerate() {
            if inside > 0 && (below + inside) as f64 >= rank {
                let share = (rank - below as f64) / inside as f64;
                let lower = (1_u64 << bucket) as f64;
                let ns = lower * (1.0 + share.clamp(0.0, 1.0));
                return Some(Duration::from_secs_f64(ns / 1e9).min(self.max()?));
            }
            below += inside;
        }
        self.max()
    }

    /// The longest lifetime. The kernel side may lose a step of the exact value when two
    /// goroutines end at the same moment; the histogram's last bucket bounds it from below.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        let last = self.buckets.iter().rposition(|&count| count > 0)?;
        let lower = if last == 0 { 0 } else { 1_u64 << last };
        Some(Duration::from_nanos(self.max_ns.max(lower)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn histogram(lifetimes: &[u64]) -> Lifetimes {
        let mut buckets = [0; LIFETIME_BUCKETS];
        for ns in lifetimes {
            let bucket = ns.max(&1).ilog2() as usize;
            buckets[bucket.min(LIFETIME_BUCKETS - 1)] += 1;
        }
        Lifetimes::new(buckets, lifetimes.iter().copied().max().unwrap_or(0))
    }

    #[test]
    fn nothing_ended_means_unknown() {
        let none = histogram(&[]);
        assert_eq!(none.quantile(0.5), None);
        assert_eq!(none.max(), None);
    }

    #[test]
    fn a_lost_maximum_is_bounded_by_its_bucket() {
        let mut lifetimes = histogram(&[5_000_000]);
        lifetimes.max_ns = 17;
        assert_eq!(lifetimes.max(), Some(Duration::from_nanos(1 << 22)));
    }

    proptest! {
        #[test]
        fn quantiles_are_right_within_a_factor_of_two(
            mut ns in prop::collection::vec(1_u64..1 << 40, 1..200),
            quantile in 0.0..1.0_f64,
        ) {
            let estimate = histogram(&ns).quantile(quantile).unwrap().as_nanos() as f64;
            ns.sort_unstable();
            let rank = quantile * ns.len() as f64;
            let exact = (1_u32..).zip(&ns).find(|(n, _)| f64::from(*n) >= rank).unwrap().1;
            let exact = *exact as f64;
            prop_assert!(estimate <= exact * 2.0 + 1.0 && estimate * 2.0 + 1.0 >= exact,
                "{estimate} for {exact}");
        }
    }
}
