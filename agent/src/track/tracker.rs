//! All creation sites of one process: what the probes count and what censuses find, as one picture.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use gostray_common::SiteStats;

use super::{AGES, Accuracy, CensusObservation, Counted, Counts, Goids, Ledger, Lifetimes, Site};
use crate::binary::RuntimeAddress;

/// What is known of the living goroutines of a site at one moment.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// The counters.
    pub stats: Vec<(u64, SiteStats)>,
    /// For each site: age of the oldest, addresses of the oldest, and how many are older than each
    /// of the ages.
    pub living: HashMap<u64, Living>,
}

/// The living goroutines of one site.
#[derive(Clone, Debug, Default)]
pub struct Living {
    /// Age of the oldest.
    pub oldest: Duration,
    /// Addresses of some of the oldest.
    pub oldest_gs: Vec<RuntimeAddress>,
    /// How many are older than each of [`AGES`].
    pub survivors: [u64; AGES.len()],
}

/// What a pass over all goroutines found, and which numbers had been given out when.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// By site.
    pub census: &'a CensusObservation,
    /// Tell ages.
    pub goids: &'a Goids,
}

/// A stretch of time in which the counts come about in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stretch {
    /// By probes, from the beginning: what is alive and not counted is older than the agent, and the
    /// books have to balance.
    #[default]
    Exact,
    /// By probes that were attached later. Who was alive then is known from the censuses.
    Counted,
    /// By censuses alone.
    Sampled,
}

/// All sites of one process.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    sites: BTreeMap<u64, Site>,
    stretch: Stretch,
    /// The first census has been taken.
    older_are_known: bool,
    disagreement: u64,
    /// Goroutines created at all sites.
    created: u64,
    lively: Lively,
}

/// Sites, in rising order, that have goroutines older than the smallest of [`AGES`].
#[derive(Clone, Debug, Default)]
struct Lively {
    now: Vec<u64>,
    /// At the observation before.
    before: Vec<u64>,
}

impl Tracker {
    /// From now on there are probes that count everything, or there are not; their counters begin
    /// with 0. Without a call they have been there from the beginning.
    pub fn begin_stretch(&mut self, counted: bool) {
        self.stretch = match counted {
            true => Stretch::Counted,
            false => Stretch::Sampled,
        };
        self.disagreement = 0;
        for site in self.sites.values_mut() {
            site.carry();
        }
    }

    /// Whether probes have counted everything from the beginning.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.stretch == Stretch::Exact
    }

    /// Takes in what the probes saw up to `at`, counted from when the tracker began, and what a
    /// census found that was made while the counters went from `before` to those of `observation`.
    /// Where events were lost the census stands for them.
    pub fn observe(
        &mut self,
        at: Duration,
        before: &[(u64, SiteStats)],
        mut observation: Observation,
        seen: Option<Seen<'_>>,
    ) {
        match (seen, self.stretch) {
            (Some(seen), Stretch::Exact) => {
                self.balance(at, before, &observation.stats, seen.census);
            }
            (Some(seen), _) => self.settle(at, &observation.stats, seen),
            (None, _) => {}
        }
        for (pc, stats) in &observation.stats {
            self.count(*pc, stats);
        }
        let found = |pc: &u64| seen.and_then(|seen| seen.census.sites.get(pc));
        let is_exact = self.is_exact();
        self.created = 0;
        self.lively.next();
        for (pc, site) in &mut self.sites {
            let living = observation.living.remove(pc).unwrap_or_default();
            let found = found(pc);
            // Those older than the agent have survived every window. They count because a pool that
            // replaces its old ones by new ones does not grow.
            let older = found.map_or_else(
                || site.older.map_or(0, |older| older.now),
                |found| found.older,
            );
            let survivors = match found {
                // Births that found no room, or were not seen, are older than they seem.
                Some(found) if !is_exact || site.counts.accuracy != Accuracy::Exact => {
                    found.survivors
                }
                _ => living.survivors.map(|survivors| survivors + older),
            };
            if is_exact || seen.is_none() {
                site.oldest = (!living.oldest_gs.is_empty()).then_some(living.oldest);
                site.oldest_gs = living.oldest_gs;
            }
            if let Some(found) = found {
                site.rest.observe(at, &found.sample);
            }
            site.series.push(at, site.counts.created, survivors);
            self.created += site.counts.created;
            self.lively.add(*pc, survivors[0]);
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
            self.site(*pc, nothing);
        }
        self.older_are_known = true;
        let nobody = Counted::default();
        for (pc, site) in &mut self.sites {
            let found = census.sites.get(pc).unwrap_or(&nobody);
            let [before, after] = [&before, &after].map(|c| c.get(pc).copied().unwrap_or(nothing));
            self.disagreement += site
                .ledger
                .balance(before, after, found.alive, census.unseen);
            site.counts = repaired(&site.ledger, after);
            site.start = site.start.or(found.start);
            site.set_older(at, found);
        }
    }

    /// Who is alive and was not counted in this stretch is from before it.
    fn settle(&mut self, at: Duration, stats: &[(u64, SiteStats)], seen: Seen<'_>) {
        let nothing = Counts {
            accuracy: Accuracy::Sampled,
            ..Counts::from(&SiteStats::EMPTY)
        };
        let stats: HashMap<u64, Counts> = stats
            .iter()
            .map(|(pc, stats)| (*pc, Counts::from(stats)))
            .collect();
        for pc in seen.census.sites.keys() {
            self.site(*pc, nothing);
        }
        let nobody = Counted::default();
        for (pc, site) in &mut self.sites {
            let found = seen.census.sites.get(pc).unwrap_or(&nobody);
            let counted = stats.get(pc).copied().unwrap_or(nothing);
            let signed = |number| i64::try_from(number).unwrap_or(i64::MAX);
            let live = found.alive.saturating_sub(found.older);
            site.carried.live = signed(live) - signed(counted.live);
            site.set_living(at, found, seen.goids);
            site.sum(counted);
        }
    }

    /// Takes in a census where there are no probes that count everything. `created` has the creations
    /// since the last one, of sites where they were counted all the same.
    pub fn observe_census(&mut self, at: Duration, seen: Seen<'_>, created: &HashMap<u64, u64>) {
        let nothing = Counts {
            accuracy: Accuracy::Sampled,
            ..Counts::from(&SiteStats::EMPTY)
        };
        for pc in seen.census.sites.keys() {
            self.site(*pc, nothing);
        }
        let nobody = Counted::default();
        self.created = 0;
        self.lively.next();
        for (pc, site) in &mut self.sites {
            let found = seen.census.sites.get(pc).unwrap_or(&nobody);
            let counted = created.get(pc).copied().unwrap_or(0);
            site.seen += found.newcomers.max(counted);
            site.set_living(at, found, seen.goids);
            let live = found.alive.saturating_sub(found.older);
            site.carried.live = 0;
            site.sum(Counts {
                created: site.seen,
                live,
                ..nothing
            });
            site.rest.observe(at, &found.sample);
            site.series.push(at, site.counts.created, found.survivors);
            self.created += site.counts.created;
            self.lively.add(*pc, found.survivors[0]);
        }
    }

    /// Takes in newer counts, those of new sites too; the living are not looked at.
    pub fn refresh(&mut self, stats: &[(u64, SiteStats)]) {
        for (pc, stats) in stats {
            self.count(*pc, stats);
        }
        self.created = self.sites().map(|site| site.counts.created).sum();
    }

    fn count(&mut self, pc: u64, stats: &SiteStats) {
        let counts = Counts::from(stats);
        let is_exact = self.is_exact();
        let site = self.site(pc, counts);
        if is_exact {
            site.counts = repaired(&site.ledger, counts);
        } else {
            site.sum(counts);
        }
        let lifetimes = Lifetimes::new(stats.lifetimes, stats.lifetime_max_ns);
        site.lifetimes = lifetimes.and(&site.carried.lifetimes);
        if stats.start_pc != 0 {
            site.start = Some(RuntimeAddress(stats.start_pc));
        }
    }

    /// The site at `pc`, of which so much is known if it is new.
    fn site(&mut self, pc: u64, counts: Counts) -> &mut Site {
        let ledger = match self.older_are_known {
            true => Ledger::of_new_site(),
            false => Ledger::default(),
        };
        self.sites.entry(pc).or_insert_with(|| Site {
            ledger,
            ..Site::new(pc, counts)
        })
    }

    /// All sites, by address.
    pub fn sites(&self) -> impl ExactSizeIterator<Item = &Site> {
        self.sites.values()
    }

    /// The site at `pc`.
    #[must_use]
    pub fn get(&self, pc: RuntimeAddress) -> Option<&Site> {
        self.sites.get(&pc.0)
    }

    /// The addresses of those sites that had a goroutine older than the smallest of [`AGES`] at the last
    /// observation, or at the one before. Of the others no rule has anything to say, and going over all
    /// sites is what looking at a program with many of them costs.
    pub fn lively(&self) -> impl Iterator<Item = RuntimeAddress> {
        let Lively { now, before } = &self.lively;
        let gone = before.iter().filter(|pc| now.binary_search(pc).is_err());
        now.iter().chain(gone).copied().map(RuntimeAddress)
    }

    /// Goroutines created at all sites, as far as that is known.
    #[must_use]
    pub fn created(&self) -> u64 {
        self.created
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

impl Lively {
    /// What was now is before.
    fn next(&mut self) {
        std::mem::swap(&mut self.now, &mut self.before);
        self.now.clear();
    }

    /// A site, behind all that were added, with so many goroutines of that age.
    fn add(&mut self, pc: u64, old: u64) {
        if old > 0 {
            self.now.push(pc);
        }
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
