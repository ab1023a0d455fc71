//! What the probes may cost at once: the kernel side is told in hits, and stops by itself.

use std::time::Duration;

use super::Budget;

/// The budget may be passed so many times over for a moment.
const TOLERATED: f64 = 2.0;
/// For how long a moment is.
const MOMENT: Duration = Duration::from_secs(1);
/// In no case more than a single processor, being hit without a pause, can use up in a tenth of a second
/// together with what the program itself does in between.
const AT_ONCE: f64 = 0.06;

/// A token bucket of processor time, in seconds. It is empty when the hits of the last moment have
/// cost twice the budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    rate: f64,
    capacity: f64,
    left: f64,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        let rate = TOLERATED * budget.cores();
        let capacity = match budget.is_limited() {
            true => (rate * MOMENT.as_secs_f64()).min(AT_ONCE),
            false => f64::INFINITY,
        };
        Self {
            rate,
            capacity,
            left: capacity,
        }
    }

    /// The same under another budget: as full as it was, in parts.
    #[must_use]
    pub fn under(self, budget: Budget) -> Self {
        let new = Self::new(budget);
        if self.capacity.is_infinite() || new.capacity.is_infinite() {
            return new;
        }
        let left = self.left / self.capacity * new.capacity;
        Self { left, ..new }
    }

    /// After `passed`, in which hits cost `spent` seconds.
    pub fn settle(&mut self, passed: Duration, spent: f64) {
        // Of no time there is no income, not even of an unlimited one.
        if !passed.is_zero() {
            self.left += self.rate * passed.as_secs_f64();
        }
        self.left = (self.left - spent).min(self.capacity);
    }

    /// Whether the hits of late have cost too much.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left <= 0.0
    }

    /// How many hits at `cost` seconds each there may be before the next settlement, of one kind out
    /// of `kinds`: what one leaves, all share then.
    #[must_use]
    pub fn hits(&self, cost: f64, kinds: usize) -> u64 {
        if self.capacity.is_infinite() {
            return u64::MAX;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "what is no number is 0, and everything beyond the largest is the largest"
        )]
        let hits = (self.left.max(0.0) / kinds as f64 / cost) as u64;
        hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(200);

    #[test]
    fn it_stands_what_is_within_twice_the_budget() {
        let mut bucket = Bucket::new(Budget::DEFAULT);
        for _ in 0..1000 {
            bucket.settle(TICK, 0.0199 * 0.2);
            assert!(!bucket.is_empty());
        }
        let full = Bucket::new(Budget::DEFAULT);
        assert_eq!(full.hits(1e-6, 1), 20_000, "a burst of one second's worth");
    }

    #[test]
    fn more_empties_it_within_a_moment() {
        let mut bucket = Bucket::new(Budget::DEFAULT);
        let mut ticks = 0;
        while !bucket.is_empty() {
            bucket.settle(TICK, 0.05 * 0.2);
            ticks += 1;
        }
        assert!(ticks <= 5, "{ticks}");
        assert_eq!(bucket.hits(1e-6, 1), 0);
    }

    #[test]
    fn a_processor_that_does_nothing_but_hit_empties_the_largest_in_a_tenth_of_a_second() {
        let largest = Bucket::new("10%".parse().expect("a budget"));
        assert!(largest.hits(0.65e-6, 1) as f64 * 0.65e-6 < 0.1);
    }

    #[test]
    fn another_budget_leaves_it_as_full_as_it_was() {
        let mut bucket = Bucket::new(Budget::DEFAULT);
        bucket.settle(TICK, 0.014);
        let smaller = bucket.under(Budget::part(0.001));
        assert_eq!(
            smaller.hits(1e-6, 1),
            1000,
            "half of a second's worth, and what came in"
        );
        assert_eq!(bucket.under(Budget::UNLIMITED).hits(1e-6, 1), u64::MAX);
        let mut empty = bucket;
        empty.settle(TICK, 1.0);
        assert!(empty.under(Budget::part(0.1)).is_empty());
    }

    #[test]
    fn without_a_limit_it_is_never_empty() {
        let mut bucket = Bucket::new(Budget::UNLIMITED);
        bucket.settle(TICK, 1e9);
        assert!(!bucket.is_empty());
        assert_eq!(bucket.hits(1e-6, 2), u64::MAX);
    }
}
