//! What passes over all goroutines tell about each site.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::{AGES, Sample};
use crate::binary::RuntimeAddress;

/// All sites at one moment.
#[derive(Clone, Debug, Default)]
pub struct CensusObservation {
    /// By creation site.
    pub sites: HashMap<u64, Counted>,
    /// Goroutines that were alive but could not be told apart.
    pub unseen: u64,
}

/// The living goroutines of one site, those older than the agent included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// All of them.
    pub alive: u64,
    /// Those created before the first pass.
    pub older: u64,
    /// Those that wait for another goroutine: not for the clock or the network, and not at work.
    pub blocked: u64,
    /// Those created since the pass before.
    pub newcomers: u64,
    /// How many are older than each of [`AGES`].
    pub survivors: [u64; AGES.len()],
    /// Some of those older than the smallest of [`AGES`].
    pub sample: Sample,
    /// The function the first of them began with.
    pub start: Option<RuntimeAddress>,
    /// Some of the oldest: number and `g`, oldest first.
    pub oldest: Vec<(u64, RuntimeAddress)>,
}

/// Which goroutine numbers had been given out when. A goroutine with a number that had been given
/// out at some moment is older than that, but for the few numbers that processors hold ready.
#[derive(Clone, Debug, Default)]
pub struct Goids {
    /// Moment and last number, both rising.
    given_out: VecDeque<(Duration, u64)>,
    first: Option<u64>,
    at_last_pass: u64,
}

impl Goids {
    /// At `at`, a pass over all goroutines, the last number was `goid`.
    pub fn push(&mut self, at: Duration, goid: u64) {
        self.first.get_or_insert(goid);
        self.at_last_pass = goid;
        self.keep(at, goid);
    }

    /// At `at`, between two passes, so many goroutines had been created. Without this, passes that
    /// follow one another seldom would make one age of several: whoever is older than 3 s would be
    /// older than 12 s too.
    pub fn push_between(&mut self, at: Duration, created: u64) {
        // Only the first pass knows which numbers those have that are older than the agent.
        if let Some((last_at, last)) = self.given_out.back().copied()
            && last_at < at
        {
            // Processors hold numbers ready, so a larger one may have been seen.
            self.keep(at, created.max(last));
        }
    }

    fn keep(&mut self, at: Duration, goid: u64) {
        self.given_out.push_back((at, goid));
        // One that is older than all ages is enough.
        let longest = AGES.iter().max().copied().unwrap_or_default();
        while self
            .given_out
            .get(1)
            .is_some_and(|(moment, _)| *moment + longest <= at)
        {
            self.given_out.pop_front();
        }
    }

    /// The last number at the first moment of all: who has a smaller one is older than the agent.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first.unwrap_or(0)
    }

    /// The last number at the latest pass; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.at_last_pass
    }

    /// The last number at `at`, or at the first moment that is known: who is older than the agent
    /// counts as old from the beginning.
    #[must_use]
    pub fn at(&self, at: Duration) -> u64 {
        let behind = self.given_out.partition_point(|(moment, _)| *moment <= at);
        self.given_out
            .get(behind.saturating_sub(1))
            .map_or(0, |(_, goid)| *goid)
    }

    /// When goroutine `goid` was created at the latest, as far as that is still known.
    #[must_use]
    pub fn created_before(&self, goid: u64) -> Option<Duration> {
        let place = self.given_out.partition_point(|(_, given)| *given < goid);
        self.given_out.get(place).map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_who_is_older() {
        let mut goids = Goids::default();
        let seconds = Duration::from_secs;
        for second in 0..1200 {
            goids.push(seconds(second), 1000 + 10 * second);
        }
        assert_eq!(goids.first(), 1000);
        assert_eq!(goids.last(), 12_990);
        assert_eq!(goids.at(seconds(500)), 6000);
        assert_eq!(goids.created_before(6000), Some(seconds(500)));
        assert_eq!(goids.created_before(5995), Some(seconds(500)));
        assert_eq!(goids.created_before(99_999), None);
        // What is older than the longest window is forgotten but for the last.
        assert_eq!(goids.at(seconds(3)), goids.at(seconds(299)));
    }

    #[test]
    fn between_passes_the_count_of_creations_tells() {
        let mut goids = Goids::default();
        let seconds = Duration::from_secs;
        goids.push_between(seconds(0), 5);
        assert_eq!((goids.first(), goids.last()), (0, 0), "before any pass");
        for second in 1..100 {
            match second % 20 {
                1 => goids.push(seconds(second), 10 * second + 3),
                _ => goids.push_between(seconds(second), 10 * second),
            }
        }
        assert_eq!(goids.first(), 13);
        assert_eq!(goids.last(), 813, "at the last pass");
        assert_eq!(goids.at(seconds(70)), 700);
        assert_eq!(goids.created_before(695), Some(seconds(70)));
        // It never falls, whatever is counted.
        goids.push_between(seconds(100), 1);
        assert_eq!(goids.at(seconds(100)), 990);
    }

    #[test]
    fn before_the_first_moment_it_stands_for_all_before() {
        let mut goids = Goids::default();
        assert_eq!(goids.at(Duration::ZERO), 0);
        goids.push(Duration::from_secs(1), 77);
        assert_eq!(goids.at(Duration::ZERO), 77);
    }
}
