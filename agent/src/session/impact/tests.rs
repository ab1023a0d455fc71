//! Many sites, and leaks that change, in a process that is this one.

use std::collections::HashSet;

use gostray_common::SiteStats;

use super::*;
use crate::{
    detect::Judgement,
    memory::LiveMemory,
    track::{AGES, Living, Observation},
};

struct Process {
    impacts: Impacts,
    tracker: Tracker,
    incidents: Incidents,
    memory: LiveMemory,
}

impl Process {
    fn new() -> Self {
        let pid = i32::try_from(std::process::id()).expect("a pid");
        Self {
            impacts: Impacts::new(pid, None, None),
            tracker: Tracker::default(),
            incidents: Incidents::default(),
            memory: LiveMemory::new(pid),
        }
    }

    /// Observes sites with so many living goroutines each.
    fn observe(&mut self, second: u64, sites: &[(u64, u64)]) {
        let stats: Vec<(u64, SiteStats)> = sites
            .iter()
            .map(|(pc, live)| {
                let stats = SiteStats {
                    created: *live,
                    ..SiteStats::EMPTY
                };
                (*pc, stats)
            })
            .collect();
        let living = sites.iter().map(|(pc, live)| {
            let living = Living {
                oldest: Duration::ZERO,
                oldest_gs: Vec::new(),
                survivors: [*live; AGES.len()],
            };
            (*pc, living)
        });
        let observation = Observation {
            stats: stats.clone(),
            living: living.collect(),
        };
        let at = Duration::from_secs(second);
        self.tracker.observe(at, &stats, observation, None);
        self.impacts.observe(at, &self.memory, &self.tracker);
    }

    /// The rule finds a leak at `pc`, and says that it grows by so many a minute.
    fn leaks(&mut self, second: u64, pc: u64, growth_per_minute: f64) -> report::Impact {
        let finding = Finding {
            verdict: Verdict::Likely,
            growth_per_minute,
            watched: Duration::from_secs(15),
            doubt: None,
            evidence: Vec::new(),
        };
        let site = self.tracker.sites().find(|site| site.pc.0 == pc);
        let site = site.expect("it was seen").clone();
        let at = Duration::from_secs(second);
        let judgement = Judgement::Leak(finding.clone());
        // What is said twice is reported.
        self.incidents.update(&site, judgement.clone(), at);
        self.incidents.update(&site, judgement, at);
        self.impacts.update(&self.incidents);
        self.impacts.leak(&site, &finding, Some(2048.0))
    }

    fn kept(&self) -> HashSet<u64> {
        let sites = self.impacts.sites.iter();
        let kept = sites.filter(|(_, watched)| watched.is_kept());
        kept.map(|(pc, _)| pc.0).collect()
    }
}

#[test]
fn of_ten_thousand_sites_those_that_grow_are_kept() {
    let mut process = Process::new();
    for second in 0..20 {
        let sites: Vec<(u64, u64)> = (1..=10_000)
            .map(|pc| (pc, if pc > 9_990 { 10 * second } else { 7 }))
            .collect();
        process.observe(second, &sites);
    }
    let kept = process.kept();
    assert_eq!(kept.len(), MOST_SITES);
    assert!((9_991..=10_000).all(|pc| kept.contains(&pc)));
    // All grow: the first that are found stay.
    for second in 20..40 {
        let sites: Vec<(u64, u64)> = (1..=10_000).map(|pc| (pc, 10 * second)).collect();
        process.observe(second, &sites);
    }
    assert_eq!(process.kept().len(), MOST_SITES);
    // Of one that is not kept, the rule's own rate is known.
    let outside = (1..).find(|pc| !process.kept().contains(pc)).expect("many");
    let impact = process.leaks(40, outside, 5.0);
    assert_eq!(impact.goroutines_per_hour, Some(300.0));
    assert!(impact.unknown["rss_correlation"].contains("0 times"));
    assert_eq!(process.kept().len(), MOST_SITES);
}

#[test]
fn leaks_are_ranked_and_forgotten() {
    let mut process = Process::new();
    for second in 0..30 {
        process.observe(second, &[(1, second), (2, 100 * second), (3, 10 * second)]);
    }
    let slow = process.leaks(30, 1, 60.0);
    assert_eq!((slow.rank, slow.of_leaks), (Some(1), 1));
    assert_eq!(slow.goroutines_per_hour, Some(3600.0));
    let fast = process.leaks(30, 2, 6000.0);
    assert_eq!((fast.rank, fast.of_leaks), (Some(1), 2));
    let middle = process.leaks(30, 3, 600.0);
    assert_eq!((middle.rank, middle.of_leaks), (Some(2), 3));
    let order = |process: &mut Process| -> Vec<u64> {
        let ranked = process.impacts.ranked();
        ranked.iter().map(|(site, ..)| site.0).collect()
    };
    assert_eq!(order(&mut process), [2, 3, 1]);
    // Where all are gone it is resolved.
    process.observe(31, &[(1, 31), (2, 0), (3, 310)]);
    let site = process.tracker.sites().nth(1).expect("three").clone();
    let at = Duration::from_secs(31);
    process.incidents.update(&site, Judgement::Fine, at);
    process.impacts.update(&process.incidents);
    assert_eq!(order(&mut process), [3, 1]);
}

#[test]
fn what_this_process_uses() {
    let mut process = Process::new();
    let used = process.impacts.process(&process.memory, None);
    assert!(used.rss_bytes > Some(1 << 20), "{used:?}");
    assert_eq!(used.heap_bytes, None);
    assert_eq!(used.unknown["heap_bytes"], NO_HEAP);
    assert!(used.unknown.contains_key("cpu_ratio"), "too early");
    assert!(used.memory_limit_bytes.is_some(), "{used:?}");
    let mut gone = Impacts::new(i32::MAX, None, None);
    let used = gone.process(&process.memory, None);
    for name in ["rss_bytes", "cpu_ratio", "memory_limit_bytes"] {
        assert!(used.unknown.contains_key(name), "{name}: {used:?}");
    }
    assert_eq!((used.rss_bytes, used.memory_limit_bytes), (None, None));
}
