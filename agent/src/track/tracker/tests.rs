//! Probes and censuses as one picture, from numbers.

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

fn seen<'a>(census: &'a CensusObservation, goids: &'a Goids) -> Seen<'a> {
    Seen { census, goids }
}

fn census(alive: u64) -> CensusObservation {
    let counted = Counted {
        alive,
        survivors: [alive; AGES.len()],
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
    let goids = Goids::default();
    let mut observe = |second, created, alive| {
        let stats = stats(created, 0);
        let observation = Observation {
            stats: stats.clone(),
            living: HashMap::new(),
        };
        let at = Duration::from_secs(second);
        let census = census(alive);
        tracker.observe(at, &stats, observation, Some(seen(&census, &goids)));
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
    let goids = Goids::default();
    for (second, untracked, survivors) in [(0, 0, 0), (5, 7, 40)] {
        let stats = stats(40, untracked);
        let observation = Observation {
            stats: stats.clone(),
            living: HashMap::new(),
        };
        let at = Duration::from_secs(second);
        let census = census(40);
        tracker.observe(at, &stats, observation, Some(seen(&census, &goids)));
        let site = tracker.sites().next().unwrap();
        let last = site.series.points(0).next_back().unwrap();
        assert_eq!(last.survivors[0], survivors);
    }
}

#[test]
fn censuses_alone_tell_who_came_and_went() {
    let mut tracker = Tracker::default();
    tracker.begin_stretch(false);
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
        tracker.observe_census(at, seen(&census, &goids), &HashMap::new());
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

/// Counters of the site, in one stretch.
fn counted(created: u64, exited: u64) -> Vec<(u64, SiteStats)> {
    let stats = SiteStats {
        created,
        exited,
        lifetimes: std::array::from_fn(|bucket| if bucket == 10 { exited } else { 0 }),
        ..SiteStats::EMPTY
    };
    vec![(0x10, stats)]
}

/// A pass that found so many alive, of which so many are older than the agent.
fn found(alive: u64, older: u64, newcomers: u64) -> CensusObservation {
    let counted = Counted {
        alive,
        older,
        newcomers,
        survivors: [alive; AGES.len()],
        ..Counted::default()
    };
    CensusObservation {
        sites: [(0x10, counted)].into(),
        unseen: 0,
    }
}

#[test]
fn what_was_counted_is_carried_from_one_stretch_to_the_next() {
    let goids = Goids::default();
    let mut tracker = Tracker::default();
    let counts = |tracker: &Tracker| {
        let site = tracker.sites().next().unwrap();
        let counts = site.counts;
        assert_eq!(counts.created, counts.exited + counts.live);
        (counts.created, counts.live, site.alive(), counts.accuracy)
    };
    let at = Duration::from_secs;
    let observation = |stats: &[(u64, SiteStats)]| Observation {
        stats: stats.to_vec(),
        living: HashMap::new(),
    };
    // Thirty older ones; a hundred come, of which ten stay.
    for second in [0, 1] {
        let stats = counted(0, 0);
        let census = found(30, 30, 0);
        let seen = seen(&census, &goids);
        tracker.observe(at(second), &stats, observation(&stats), Some(seen));
    }
    tracker.refresh(&counted(100, 90));
    assert_eq!(counts(&tracker), (100, 10, 40, Accuracy::Exact));

    // Without probes: five new ones are seen, two of the ten have gone, and one older one.
    tracker.begin_stretch(false);
    assert!(!tracker.is_exact());
    let census = found(42, 29, 5);
    tracker.observe_census(at(3), seen(&census, &goids), &HashMap::new());
    assert_eq!(counts(&tracker), (105, 13, 42, Accuracy::Sampled));
    // A probe at the statement itself has counted more than were seen.
    tracker.observe_census(at(4), seen(&census, &goids), &[(0x10, 50)].into());
    assert_eq!(counts(&tracker).0, 155);

    // With probes again: twenty come, of which four stay; of those before three go.
    tracker.begin_stretch(true);
    let stats = counted(20, 16);
    let census = found(43, 29, 0);
    tracker.observe(
        at(6),
        &stats,
        observation(&stats),
        Some(seen(&census, &goids)),
    );
    assert_eq!(counts(&tracker), (175, 14, 43, Accuracy::Sampled));
    // Between two censuses the counters go on.
    tracker.refresh(&counted(30, 16));
    assert_eq!(counts(&tracker), (185, 24, 53, Accuracy::Sampled));
    let site = tracker.sites().next().unwrap();
    assert_eq!(site.lifetimes.count(), 90 + 16);
    assert_eq!(site.counts.exited_older, 1);
    assert_eq!(tracker.disagreement(), 0);
}

#[test]
fn a_pool_that_replaces_its_older_ones_does_not_grow() {
    let mut tracker = Tracker::default();
    let goids = Goids::default();
    for second in 0..20_u64 {
        let stats = counted(second, 0);
        let living = Living {
            survivors: [second; AGES.len()],
            ..Living::default()
        };
        let observation = Observation {
            stats: stats.clone(),
            living: [(0x10, living)].into(),
        };
        let census = found(50, 50 - second, 0);
        let at = Duration::from_secs(second);
        tracker.observe(at, &stats, observation, Some(seen(&census, &goids)));
    }
    let site = tracker.sites().next().unwrap();
    assert_eq!(site.series.growth(), 0);
}

#[test]
fn sites_where_nobody_grows_old_are_not_lively() {
    let mut tracker = Tracker::default();
    tracker.begin_stretch(false);
    let goids = Goids::default();
    let lively = |tracker: &Tracker| tracker.lively().map(|pc| pc.0).collect::<Vec<_>>();
    // Of three sites one never has anybody old, and one only at first.
    for (second, expected) in [
        (0, vec![0x20, 0x30]),
        (1, vec![0x20, 0x30]),
        (2, vec![0x20]),
    ] {
        let old = [(0x10, 0), (0x20, 7), (0x30, u64::from(second == 0))];
        let sites = old.map(|(pc, old)| {
            let counted = Counted {
                alive: 9,
                newcomers: 2,
                survivors: [old; AGES.len()],
                ..Counted::default()
            };
            (pc, counted)
        });
        let census = CensusObservation {
            sites: sites.into(),
            unseen: 0,
        };
        let at = Duration::from_secs(second);
        tracker.observe_census(at, seen(&census, &goids), &HashMap::new());
        assert_eq!(lively(&tracker), expected, "{second}");
    }
    let created = |site: &Site| site.counts.created;
    assert_eq!(tracker.created(), tracker.sites().map(created).sum::<u64>());
    assert_eq!(
        tracker.get(RuntimeAddress(0x30)).map(|site| site.pc.0),
        Some(0x30)
    );
}
