//! All creation sites of one process: what the probes count and what censuses find, as one picture.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use gostray_common::SiteStats;

use super::{Accuracy, CensusObservation, Counts, Goids, Ledger, Lifetimes, Older, SCALES, Site};
use crate::binary::RuntimeAddress;

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
    /// The first census has been taken.
    older_are_known: bool,
    disagreement: u64,
}

impl Tracker {
    /// Takes in what the probes saw up to `at`, counted from when the tracker began, and what a
    /// census found that was made while the counters went from `before` to those of `observation`.
    /// Where events were lost the census stands for them.
    pub fn observe(
        &mut self,
        at: Duration,
        before: &[(u64, SiteStats)],
        mut observation: Observation,
        census: Option<&CensusObservation>,
    ) {
        if let Some(census) = census {
            self.balance(at, before, &observation.stats, census);
        }
        for (pc, stats) in &observation.stats {
            self.count(*pc, stats);
        }
        let found = |pc: &u64| census.and_then(|census| census.sites.get(pc));
        for (pc, site) in &mut self.sites {
            let living = observation.living.remove(pc).unwrap_or_default();
            site.oldest = (!living.oldest_gs.is_empty()).then_some(living.oldest);
            site.oldest_gs = living.oldest_gs;
            let survivors = match found(pc) {
                // Births that found no room are older than they seem.
                Some(found) if site.counts.accuracy != Accuracy::Exact => found.survivors,
                _ => living.survivors,
            };
            site.series.push(at, site.counts.created, survivors);
        }
    }

    fn balance(
        &mut self,
        at: Duration,
        before: &[(u64, SiteStats)],
        after: &[(u64, SiteStats)],
        census: &CensusObservation,
    ) {
        let counts = |stats: &[(u64, SiteStats)]| -> HashMap<u64, Counts> {
            let counts = stats.iter().map(|(pc, stats)| (*pc, Counts::from(stats)));
            counts.collect()
        };
        let (before, after) = (counts(before), counts(after));
        self.disagreement = 0;
        let nothing = Counts::from(&SiteStats::EMPTY);
        for pc in census.sites.keys() {
            self.sites.entry(*pc).or_insert_with(|| Site {
                ledger: if self.older_are_known {
                    Ledger::of_new_site()
                } else {
                    Ledger::default()
                },
                ..Site::new(*pc, nothing)
            });
        }
        self.older_are_known = true;
        for (pc, site) in &mut self.sites {
            let found = census.sites.get(pc).cloned().unwrap_or_default();
            let [before, after] = [&before, &after].map(|c| c.get(pc).copied().unwrap_or(nothing));
            self.disagreement += site
                .ledger
                .balance(before, after, found.alive, census.unseen);
            site.counts = repaired(&site.ledger, after);
            site.start = site.start.or(found.start);
            site.set_older(at, &found);
        }
    }

    /// Takes in a census where there are no probes. `goids` tells ages.
    pub fn observe_census(&mut self, at: Duration, census: &CensusObservation, goids: &Goids) {
        let nothing = Counts {
            accuracy: Accuracy::Sampled,
            ..Counts::from(&SiteStats::EMPTY)
        };
        for pc in census.sites.keys() {
            self.sites
                .entry(*pc)
                .or_insert_with(|| Site::new(*pc, nothing));
        }
        for (pc, site) in &mut self.sites {
            let found = census.sites.get(pc).cloned().unwrap_or_default();
            site.seen += found.newcomers;
            let live = found.alive.saturating_sub(found.older);
            let at_first = site.older.map_or(found.older, |older| older.at_first);
            site.counts = Counts {
                created: site.seen.max(live),
                exited: site.seen.saturating_sub(live),
                live,
                exited_older: at_first.saturating_sub(found.older),
                accuracy: Accuracy::Sampled,
            };
            site.start = site.start.or(found.start);
            site.older = Some(Older {
                at_first,
                now: found.older,
                blocked: found.blocked,
                watched: at,
            });
            site.older_gs = found.oldest.iter().map(|(_, g)| *g).collect();
            let since = found
                .oldest
                .iter()
                .filter(|(goid, _)| *goid > goids.first());
            site.oldest_gs = since.clone().map(|(_, g)| *g).collect();
            site.oldest = since
                .clone()
                .next()
                .and_then(|(goid, _)| goids.created_before(*goid))
                .map(|created| at.saturating_sub(created));
            site.series.push(at, site.counts.created, found.survivors);
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
        let ledger = if self.older_are_known {
            Ledger::of_new_site()
        } else {
            Ledger::default()
        };
        let site = self.sites.entry(pc).or_insert_with(|| Site {
            ledger,
            ..Site::new(pc, counts)
        });
        site.counts = repaired(&site.ledger, counts);
        site.lifetimes = Lifetimes::new(stats.lifetimes, stats.lifetime_max_ns);
        if stats.start_pc != 0 {
            site.start = Some(RuntimeAddress(stats.start_pc));
        }
        site
    }

    /// All sites, by address.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = &Site> {
        self.sites.values()
    }

    /// By how many goroutines probes and census disagreed when they were last compared.
    #[must_use]
    pub fn disagreement(&self) -> u64 {
        self.disagreement
    }

    /// By how many goroutines the probes' counts were put right, of all sites.
    #[must_use]
    pub fn repaired(&self) -> u64 {
        self.sites().map(|site| site.ledger.repaired()).sum()
    }
}

fn repaired(ledger: &Ledger, counts: Counts) -> Counts {
    let accuracy = match counts.accuracy {
        Accuracy::Exact if ledger.repaired() == 0 => Accuracy::Exact,
        _ if ledger.repaired() > 0 => Accuracy::Repaired,
        other => other,
    };
    Counts {
        accuracy,
        ..ledger.repair(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::Counted;

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

    fn census(alive: u64) -> CensusObservation {
        let counted = Counted {
            alive,
            survivors: [alive; SCALES.len()],
            ..Counted::default()
        };
        CensusObservation {
            sites: [(0x10, counted)].into(),
            unseen: 0,
        }
    }

    fn stats(created: u64, untracked: u64) -> Vec<(u64, SiteStats)> {
        let stats = SiteStats {
            created,
            untracked,
            ..SiteStats::EMPTY
        };
        vec![(0x10, stats)]
    }

    #[test]
    fn probes_and_census_make_one_picture() {
        let mut tracker = Tracker::default();
        let mut observe = |second, created, alive| {
            let stats = stats(created, 0);
            let observation = Observation {
                stats: stats.clone(),
                living: HashMap::new(),
            };
            let at = Duration::from_secs(second);
            tracker.observe(at, &stats, observation, Some(&census(alive)));
            let site = tracker.sites().next().unwrap();
            (
                site.counts.live,
                site.alive(),
                site.counts.accuracy,
                tracker.disagreement(),
            )
        };
        // Thirty were there before; who is on the way at that moment is not known yet.
        assert_eq!(observe(0, 0, 30), (0, 0, Accuracy::Exact, 0));
        assert_eq!(observe(1, 0, 30), (0, 30, Accuracy::Exact, 0));
        assert_eq!(observe(2, 5, 35), (5, 35, Accuracy::Exact, 0));
        // Three that the probes did not see.
        assert_eq!(observe(3, 6, 39), (6, 36, Accuracy::Exact, 0));
        assert_eq!(observe(4, 6, 39), (9, 39, Accuracy::Repaired, 3));
        assert_eq!(observe(5, 6, 39), (9, 39, Accuracy::Repaired, 0));
        assert_eq!(tracker.repaired(), 3);
    }

    #[test]
    fn where_births_found_no_room_the_census_tells_the_survivors() {
        let mut tracker = Tracker::default();
        for (second, untracked, survivors) in [(0, 0, 0), (3, 7, 40)] {
            let stats = stats(40, untracked);
            let observation = Observation {
                stats: stats.clone(),
                living: HashMap::new(),
            };
            let at = Duration::from_secs(second);
            tracker.observe(at, &stats, observation, Some(&census(40)));
            let site = tracker.sites().next().unwrap();
            let last = site.series.points(0).next_back().unwrap();
            assert_eq!(last.survivors, survivors);
        }
    }

    #[test]
    fn censuses_alone_tell_who_came_and_went() {
        let mut tracker = Tracker::default();
        let mut goids = Goids::default();
        let mut observe = |second, alive, older, newcomers| {
            let at = Duration::from_secs(second);
            goids.push(at, 1000 + second);
            let counted = Counted {
                alive,
                older,
                newcomers,
                ..Counted::default()
            };
            let census = CensusObservation {
                sites: [(0x10, counted)].into(),
                unseen: 0,
            };
            tracker.observe_census(at, &census, &goids);
            let site = tracker.sites().next().unwrap();
            let Counts {
                created,
                exited,
                live,
                exited_older,
                accuracy,
            } = site.counts;
            assert_eq!(accuracy, Accuracy::Sampled);
            (created, exited, live, exited_older)
        };
        assert_eq!(observe(0, 30, 30, 0), (0, 0, 0, 0));
        assert_eq!(observe(1, 36, 29, 7), (7, 0, 7, 1));
        assert_eq!(observe(2, 31, 29, 1), (8, 6, 2, 1));
    }
}
