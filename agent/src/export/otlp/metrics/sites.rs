//! Which sites of a process have series of their own. All others are `other`.
//!
//! Series do not come and go: a site that has one keeps it while its process lives. There are at most
//! `most` for the sites with most goroutines, and as many again for those that leak or grow, so that a
//! leak that comes late has a place. A site that gets its series late was part of `other` until then,
//! and what it had counted stays there: its own series begins with 0 at that moment. So no sum ever
//! falls, and all of them together are right at any time.

use std::{
    collections::{BTreeMap, HashSet},
    time::SystemTime,
};

use super::histogram::Counted;
use crate::report::{
    SiteCounts, SiteName,
    node::{LIFETIME_BOUNDS, TargetSample},
};

/// The series of one process.
#[derive(Debug, Default)]
pub(super) struct SiteSeries {
    own: BTreeMap<String, Own>,
    /// Sites that have a series because they are large, and because they leak.
    large: usize,
    leaking: usize,
    /// What `other` was.
    other: Option<Sums>,
}

#[derive(Debug)]
struct Own {
    began: SystemTime,
    /// What had been counted as part of `other`.
    before: Sums,
    last: Sums,
}

/// What only rises.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sums {
    pub(super) created: u64,
    pub(super) exited: u64,
    pub(super) lifetimes: Counted,
}

/// A series at one moment.
#[derive(Clone, Debug)]
pub(super) struct Share<'a> {
    /// `None` for `other`.
    pub(super) site: Option<&'a SiteName>,
    pub(super) began: SystemTime,
    pub(super) live: u64,
    pub(super) sums: Sums,
}

impl Sums {
    fn none() -> Self {
        Self {
            created: 0,
            exited: 0,
            lifetimes: Counted::none(&LIFETIME_BOUNDS),
        }
    }

    fn of(site: &SiteCounts) -> Self {
        Self {
            created: site.created,
            exited: site.exited + site.exited_older,
            lifetimes: Counted::of(&LIFETIME_BOUNDS, &site.lifetimes),
        }
    }

    fn add(&mut self, others: &Self) {
        self.created += others.created;
        self.exited += others.exited;
        self.lifetimes.add(&others.lifetimes);
    }

    fn without(self, others: &Self) -> Self {
        Self {
            created: self.created.saturating_sub(others.created),
            exited: self.exited.saturating_sub(others.exited),
            lifetimes: self.lifetimes.without(&others.lifetimes),
        }
    }

    /// Counts that a census put right may have fallen a little; what was told stands.
    fn at_least(self, before: &Self) -> Self {
        Self {
            created: self.created.max(before.created),
            exited: self.exited.max(before.exited),
            lifetimes: self.lifetimes.at_least(&before.lifetimes),
        }
    }
}

/// All that live at a site, those older than the agent included where they are known.
pub(super) fn live(site: &SiteCounts) -> u64 {
    site.live + site.older.unwrap_or(0)
}

impl SiteSeries {
    /// The series of `sample`: those of single sites, in the order of their ids, and `other` last, if
    /// there is or was one.
    pub(super) fn divide<'a>(&mut self, sample: &'a TargetSample, most: usize) -> Vec<Share<'a>> {
        self.choose(sample, most);
        let mut shares = BTreeMap::new();
        let mut rest = Sums::none();
        let (mut rest_live, mut rest_count) = (0, 0_usize);
        for site in &sample.status.sites {
            let sums = Sums::of(site);
            let Some(own) = self.own.get_mut(&site.site.id) else {
                rest.add(&sums);
                rest_live += live(site);
                rest_count += 1;
                continue;
            };
            rest.add(&own.before);
            own.last = sums.without(&own.before).at_least(&own.last);
            let share = Share {
                site: Some(&site.site),
                began: own.began,
                live: live(site),
                sums: own.last.clone(),
            };
            shares.insert(&site.site.id, share);
        }
        let mut shares: Vec<_> = shares.into_values().collect();
        if rest_count > 0 || self.other.is_some() {
            let sums = match &self.other {
                Some(before) => rest.at_least(before),
                None => rest,
            };
            self.other = Some(sums.clone());
            shares.push(Share {
                site: None,
                began: sample.began,
                live: rest_live,
                sums,
            });
        }
        shares
    }

    fn choose(&mut self, sample: &TargetSample, most: usize) {
        let leaks: HashSet<&str> = sample.status.leaks.iter().map(|leak| &*leak.id).collect();
        let leaks_or_grows =
            |site: &SiteCounts| site.growing || leaks.contains(site.site.id.as_str());
        let mut candidates: Vec<&SiteCounts> = sample
            .status
            .sites
            .iter()
            .filter(|site| !self.own.contains_key(&site.site.id))
            .collect();
        candidates.sort_by_key(|site| {
            let is_open = leaks.contains(site.site.id.as_str());
            (!is_open, !site.growing, std::cmp::Reverse(live(site)))
        });
        for site in candidates {
            let places = match leaks_or_grows(site) {
                true if self.leaking < most => &mut self.leaking,
                _ if self.large < most => &mut self.large,
                _ => continue,
            };
            *places += 1;
            let (began, before) = match self.other {
                // Nobody has been part of it.
                None => (sample.began, Sums::none()),
                Some(_) => (sample.taken, Sums::of(site)),
            };
            let own = Own {
                began,
                before,
                last: Sums::none(),
            };
            self.own.insert(site.site.id.clone(), own);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::report::{node::samples, samples as events};

    fn site(id: usize, created: u64, growing: bool) -> SiteCounts {
        let mut site = events::site_counts(events::place("main.f", "/f.go", 1), growing);
        site.site.id = format!("{id:04}");
        site.created = created;
        site.live = created / 2;
        site.older = None;
        site.exited = created - created / 2;
        site.exited_older = 0;
        site.lifetimes.truncate(1);
        site.lifetimes[0].count = site.exited;
        site
    }

    fn sample(at: u64, sites: Vec<SiteCounts>) -> TargetSample {
        let mut sample = samples::target();
        sample.taken = sample.began + Duration::from_secs(at);
        sample.status.sites = sites;
        sample
    }

    fn ids(shares: &[Share<'_>]) -> Vec<String> {
        let id = |share: &Share<'_>| share.site.map_or("other".into(), |site| site.id.clone());
        shares.iter().map(id).collect()
    }

    #[test]
    fn a_site_keeps_its_series_and_a_leak_that_comes_late_gets_one() {
        let mut series = SiteSeries::default();
        let first = sample(
            10,
            vec![site(1, 100, false), site(2, 50, false), site(3, 9, false)],
        );
        assert_eq!(ids(&series.divide(&first, 2)), ["0001", "0002", "other"]);
        let later = sample(
            20,
            vec![site(3, 900, false), site(1, 100, false), site(2, 50, false)],
        );
        assert_eq!(ids(&series.divide(&later, 2)), ["0001", "0002", "other"]);
        let leaking = sample(
            30,
            vec![site(3, 1000, true), site(1, 100, false), site(2, 50, false)],
        );
        let shares = series.divide(&leaking, 2);
        assert_eq!(ids(&shares), ["0001", "0002", "0003", "other"]);
        let [.., own, other] = &shares[..] else {
            panic!("there are four");
        };
        assert_eq!((own.began, own.sums.created), (leaking.taken, 0));
        assert_eq!((own.live, other.live), (500, 0));
        assert_eq!((other.began, other.sums.created), (leaking.began, 1000));
        let last = sample(40, vec![site(3, 1007, true), site(1, 100, false)]);
        let shares = series.divide(&last, 2);
        assert_eq!(ids(&shares), ["0001", "0003", "other"]);
        assert_eq!(shares[1].sums.created, 7);
        assert_eq!(shares[2].sums.created, 1000);
    }

    #[test]
    fn without_others_there_is_no_other() {
        let mut series = SiteSeries::default();
        let few = sample(10, vec![site(1, 100, false)]);
        assert_eq!(ids(&series.divide(&few, 20)), ["0001"]);
        let more = sample(20, vec![site(1, 100, false), site(2, 60, false)]);
        let shares = series.divide(&more, 20);
        assert_eq!(ids(&shares), ["0001", "0002"]);
        assert_eq!((shares[1].began, shares[1].sums.created), (more.began, 60));
    }

    #[test]
    fn of_ten_thousand_sites_few_have_series() {
        let mut series = SiteSeries::default();
        let sites = (0..10_000).map(|id| site(id, 10, id % 3 == 0)).collect();
        let all = sample(10, sites);
        let shares = series.divide(&all, 20);
        assert_eq!(shares.len(), 41);
        let created: u64 = shares.iter().map(|share| share.sums.created).sum();
        assert_eq!(created, 100_000);
    }

    proptest! {
        /// Whatever sites do: no sum falls, and all series together are what all sites together are.
        #[test]
        fn sums_never_fall_and_nothing_is_missing(
            steps in prop::collection::vec(prop::collection::vec((0_u64..50, any::<bool>()), 8), 1..12),
            most in 0_usize..4,
        ) {
            let mut series = SiteSeries::default();
            let mut created = [0_u64; 8];
            let mut last: BTreeMap<String, (SystemTime, Sums)> = BTreeMap::new();
            for (at, step) in (1_u64..).zip(steps) {
                let sites = step.iter().enumerate().filter_map(|(id, (more, growing))| {
                    created[id] += more;
                    (created[id] > 0).then(|| site(id, created[id], *growing))
                });
                let sample = sample(at, sites.collect());
                let shares = series.divide(&sample, most);
                let all: u64 = shares.iter().map(|share| share.sums.created).sum();
                prop_assert_eq!(all, created.iter().sum::<u64>());
                let alive: u64 = shares.iter().map(|share| share.live).sum();
                prop_assert_eq!(alive, created.iter().map(|created| created / 2).sum::<u64>());
                for (id, share) in ids(&shares).into_iter().zip(&shares) {
                    if let Some((began, before)) = last.get(&id) {
                        prop_assert_eq!(*began, share.began);
                        prop_assert_eq!(&share.sums.clone().at_least(before), &share.sums);
                    }
                    last.insert(id, (share.began, share.sums.clone()));
                }
                prop_assert!(shares.len() <= 2 * most + 1);
                for id in last.keys().filter(|id| *id != "other") {
                    prop_assert!(ids(&shares).contains(id), "{} has gone", id);
                }
            }
        }
    }
}
