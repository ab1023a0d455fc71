//! Whether a process has come to have more goroutines than a short while ago.
//!
//! That alone says little: load comes and goes. But where the budget does not do for all, those that grow
//! are worth a closer look than those that rest.

use std::time::{Duration, Instant};

/// How far back the least number is remembered: this long at least, twice as long at most.
const WINDOW: Duration = Duration::from_secs(30);
/// More by one in so many, and by this number, is growth.
const PART: u64 = 50;
const NUMBER: u64 = 5;

/// The least number of goroutines in this window and in the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    began: Instant,
    now: Option<u64>,
    before: Option<u64>,
    grows: bool,
}

impl Growth {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            now: None,
            before: None,
            grows: false,
        }
    }

    /// There are so many goroutines.
    pub(super) fn push(&mut self, at: Instant, goroutines: u64) {
        if at.saturating_duration_since(self.began) >= WINDOW {
            self.before = self.now.take();
            self.began = at;
        }
        let least = self.now.map_or(goroutines, |now| now.min(goroutines));
        self.now = Some(least);
        let least = self.before.map_or(least, |before| before.min(least));
        let enough = NUMBER.max(least / PART);
        self.grows = goroutines > least.saturating_add(enough);
    }

    /// Whether there are more than there were.
    pub(super) fn grows(&self) -> bool {
        self.grows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One number each five seconds; whether it grew by the end.
    fn grows(numbers: impl IntoIterator<Item = u64>) -> bool {
        let began = Instant::now();
        let mut growth = Growth::new(began);
        for (n, goroutines) in (0..).zip(numbers) {
            growth.push(began + Duration::from_secs(5) * n, goroutines);
        }
        growth.grows()
    }

    #[test]
    fn more_than_in_the_last_minute_is_growth() {
        assert!(grows((0..30).map(|n| 100 + 3 * n)));
        assert!(!grows([100; 30]));
        assert!(!grows((0..30).map(|n| 100 - n)));
        // A few come and go.
        assert!(!grows((0..30).map(|n| 100 + n % 4)));
        assert!(!grows((0..30).map(|n| 10_000 + 50 * (n % 4))));
    }

    #[test]
    fn what_came_at_once_and_stays_is_forgotten() {
        let step = |after| {
            [10].into_iter()
                .chain([200].into_iter().cycle().take(after))
        };
        assert!(grows(step(3)));
        assert!(!grows(step(15)));
    }
}
