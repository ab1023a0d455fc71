//! All creation sites of one process.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use gostray_common::SiteStats;

use super::{Lifetimes, SCALES, Series};
use crate::binary::RuntimeAddress;

/// What the probes have counted at one site since they were attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Goroutines created.
    pub created: u64,
    /// Of those, the ones that ended.
    pub exited: u64,
    /// Of those, the ones that live.
    pub live: u64,
    /// Goroutines older than the probes that ended meanwhile.
    pub exited_older: u64,
    /// Whether nothing was lost on the way, so that the counts are exact.
    pub exact: bool,
}

impl From<&SiteStats> for Counts {
    fn from(stats: &SiteStats) -> Self {
        // A goroutine that found no room ends without a birth, as an older one does. Which of
        // both it was is not known: at most `untracked` ones are taken for ours.
        let untracked_exits = stats.exited_unborn.min(stats.untracked);
        let exited = stats.exited + untracked_exits;
        Self {
            created: stats.created,
            exited,
            // The counters are read one after the other while the program runs.
            live: stats.created.saturating_sub(exited),
            exited_older: stats.exited_unborn - untracked_exits,
            exact: stats.untracked == 0,
        }
    }
}

/// One creation site.
#[derive(Clone, Debug)]
pub struct Site {
    /// The pc behind the `call runtime.newproc`, in the running process.
    pub pc: RuntimeAddress,
    /// The function its first goroutine began with; `None` if that could not be read.
    pub start: Option<RuntimeAddress>,
    /// The counts.
    pub counts: Counts,
    /// Lifetimes of the ended.
    pub lifetimes: Lifetimes,
    /// Age of the oldest living goroutine created since the probes were attached.
    pub oldest: Option<Duration>,
    /// Addresses of some of the oldest living `g`s.
    pub oldest_gs: Vec<RuntimeAddress>,
    /// Its recent past.
    pub series: Series,
}

/// What is known of the living goroutines of a site at one moment.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// The counters.
    pub stats: Vec<(u64, SiteStats)>,
    /// For each site: age of the oldest, addresses of the oldest, and how many are older than one
    /// window of each scale.
    pub living: HashMap<u64, Living>,
}

/// The living goroutines of one site.
#[derive(Clone, Debug, Default)]
pub struct Living {
    /// Age of the oldest.
    pub oldest: Duration,
    /// Addresses of some of the oldest.
    pub oldest_gs: Vec<RuntimeAddress>,
    /// How many are older than one window of each of [`SCALES`].
    pub survivors: [u64; SCALES.len()],
}

/// All sites of one process.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    sites: BTreeMap<u64, Site>,
}

impl Tracker {
    /// Takes in what was observed at `at`, counted from when the tracker began.
    pub fn observe(&mut self, at: Duration, mut observation: Observation) {
        for (pc, stats) in &observation.stats {
            let site = self.count(*pc, stats);
            let living = observation.living.remove(pc).unwrap_or_default();
            site.oldest = (!living.oldest_gs.is_empty()).then_some(living.oldest);
            site.oldest_gs = living.oldest_gs;
            site.series.push(at, site.counts.created, living.survivors);
        }
    }

    /// Takes in newer counts, those of new sites too; the living are not looked at.
    pub fn refresh(&mut self, stats: &[(u64, SiteStats)]) {
        for (pc, stats) in stats {
            self.count(*pc, stats);
        }
    }

    fn count(&mut self, pc: u64, stats: &SiteStats) -> &mut Site {
        let counts = Counts::from(stats);
        let lifetimes = Lifetimes::new(stats.lifetimes, stats.lifetime_max_ns);
        let site = self.sites.entry(pc).or_insert_with(|| Site {
            pc: RuntimeAddress(pc),
            start: None,
            counts,
            lifetimes,
            oldest: None,
            oldest_gs: Vec::new(),
            series: Series::default(),
        });
        site.counts = counts;
        site.lifetimes = lifetimes;
        site.start = (stats.start_pc != 0).then_some(RuntimeAddress(stats.start_pc));
        site
    }

    /// All sites, by address.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = &Site> {
        self.sites.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untracked_exits_are_told_from_older_goroutines_as_far_as_possible() {
        let stats = SiteStats {
            created: 10,
            exited: 3,
            untracked: 4,
            exited_unborn: 6,
            ..SiteStats::EMPTY
        };
        let counts = Counts::from(&stats);
        assert_eq!((counts.exited, counts.live, counts.exited_older), (7, 3, 2));
        assert!(!counts.exact);
    }

    #[test]
    fn a_site_first_seen_between_two_observations_is_known_at_once() {
        let stats = SiteStats {
            created: 3,
            exited: 1,
            start_pc: 0x40,
            ..SiteStats::EMPTY
        };
        let mut tracker = Tracker::default();
        tracker.refresh(&[(0x10, stats)]);
        let site = tracker.sites().next().unwrap();
        assert_eq!((site.counts.created, site.counts.live), (3, 2));
        assert_eq!(site.start, Some(RuntimeAddress(0x40)));
        assert_eq!(site.series.points(0).len(), 0, "not observed yet");
    }

    #[test]
    fn counters_read_while_they_move_never_underflow() {
        let stats = SiteStats {
            created: 1,
            exited: 2,
            ..SiteStats::EMPTY
        };
        assert_eq!(Counts::from(&stats).live, 0);
    }
}
