//! Counts that only rise, and distributions, as they are told.

use crate::report::{
    SiteCounts,
    node::{BucketCount, LIFETIME_BOUNDS, bucket_below},
};

/// A histogram with bounds that never change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Distribution {
    bounds: &'static [f64],
    /// How many are up to each bound and in no lower bucket, and at last all beyond.
    counts: Vec<u64>,
    /// All together, in seconds: estimated.
    pub(super) seconds: f64,
}

impl AsRef<Self> for Distribution {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Distribution {
    pub(super) fn empty(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            seconds: 0.0,
        }
    }

    /// Adds what a finer histogram has. A bucket of it that lies on both sides of a bound counts to the bound
    /// above, so that what is said to be below a bound is. In it, values are taken to be at the share `at` of
    /// its upper bound; those without one at the highest of ours.
    pub(super) fn add(&mut self, finer: &[BucketCount], at: f64) {
        for bucket in finer {
            let bound = bucket_below(self.bounds, bucket.below_seconds);
            self.counts[bound] += bucket.count;
            let highest = self.bounds.last().copied().unwrap_or_default();
            let value = if bucket.below_seconds.is_finite() {
                bucket.below_seconds * at
            } else {
                highest
            };
            self.seconds += value * bucket.count as f64;
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Upper bounds, the last one infinite, and how many are in each bucket.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().copied())
    }
}

/// The counts of a site, or of several, that only rise.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counts {
    pub(super) created: u64,
    pub(super) exited: u64,
    pub(super) lifetimes: Distribution,
}

/// Where in its bucket a lifetime is taken to be: half way between a power of two and the next.
const MIDDLE: f64 = 0.75;

impl Counts {
    pub(super) fn none() -> Self {
        Self {
            created: 0,
            exited: 0,
            lifetimes: Distribution::empty(&LIFETIME_BOUNDS),
        }
    }

    pub(super) fn of(site: &SiteCounts) -> Self {
        let mut counts = Self::none();
        counts.add_site(site);
        counts
    }

    pub(super) fn add_site(&mut self, site: &SiteCounts) {
        self.created += site.created;
        self.exited += site.exited;
        self.lifetimes.add(&site.lifetimes, MIDDLE);
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.with(other, u64::saturating_add, |a, b| a + b);
    }

    /// Never below nothing.
    pub(super) fn subtract(&mut self, other: &Self) {
        self.with(other, u64::saturating_sub, |a, b| (a - b).max(0.0));
    }

    /// Raises what has fallen behind `now`.
    pub(super) fn raise(&mut self, now: &Self) {
        self.with(now, u64::max, f64::max);
    }

    fn with(&mut self, other: &Self, count: fn(u64, u64) -> u64, seconds: fn(f64, f64) -> f64) {
        self.created = count(self.created, other.created);
        self.exited = count(self.exited, other.exited);
        let theirs = &other.lifetimes;
        for (mine, theirs) in self.lifetimes.counts.iter_mut().zip(&theirs.counts) {
            *mine = count(*mine, *theirs);
        }
        self.lifetimes.seconds = seconds(self.lifetimes.seconds, theirs.seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_both_sides_of_a_bound_is_below_the_next() {
        let bucket = |below_seconds, count| BucketCount {
            below_seconds,
            count,
        };
        let mut told = Distribution::empty(&LIFETIME_BOUNDS);
        told.add(
            &[
                bucket(0.000_000_512, 1),
                bucket(1e-6, 2),
                bucket(0.000_001_024, 4),
                bucket(65_536.0, 8),
                bucket(131_072.0, 16),
                bucket(f64::INFINITY, 32),
            ],
            0.75,
        );
        let buckets: Vec<_> = told.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(
            buckets,
            [(1.024e-6, 7), (70_368.744_177_664, 8), (f64::INFINITY, 48)]
        );
        assert_eq!(told.count(), 63);
        assert!(told.seconds > 8.0 * 65_536.0 * 0.75, "{told:?}");
    }
}
