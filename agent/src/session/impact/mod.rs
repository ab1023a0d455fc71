//! What leaks do to their process: its memory is read at each observation, its limits when there is
//! something to say.

mod process;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use super::{load::Created, names::Names};
use crate::{
    binary::RuntimeAddress,
    detect::{
        Finding, Incidents, Verdict,
        impact::{Figure, History, Impact, NotKnown, Sample},
    },
    memory::MemoryReader,
    report::{self, OpenLeak, Unknown},
    runtime::HeapSize,
    target::{MemoryLimit, TargetError, Usage},
    track::{Site, Tracker},
};

/// Sites whose past is kept: those under suspicion before all others. It takes 6 KB each.
const MOST_SITES: usize = 256;
/// Limits and what is used of them are not read more often: it takes a dozen files, those of all mounts among
/// them, which was the largest part of a quiet process's samples.
const LIMIT_PAUSE: Duration = Duration::from_secs(10);
/// Rates of shorter stretches say nothing: processor time comes in ticks.
const SHORTEST: Duration = Duration::from_secs(1);

/// The process's use of memory and processors, and the past of its sites.
#[derive(Debug)]
pub(super) struct Impacts {
    pid: i32,
    usage: Result<Usage, TargetError>,
    heap: Option<HeapSize>,
    sites: HashMap<RuntimeAddress, Watched>,
    limit: Option<(Instant, Result<MemoryLimit, String>)>,
    last: Option<Totals>,
    rates: Rates,
}

/// A site whose past is kept.
#[derive(Debug, Default)]
struct Watched {
    history: History,
    /// As the rule that found it said, in goroutines an hour.
    growth: Option<f64>,
    /// Of one goroutine's stack, in bytes.
    stack: Option<f64>,
    /// The verdict of an open incident.
    verdict: Option<Verdict>,
    /// It grew when it was last looked at.
    grows: bool,
    /// Of an open incident: what it does, as concluded last.
    impact: Option<Impact>,
}

impl Watched {
    /// Its past is kept.
    fn is_kept(&self) -> bool {
        !self.history.samples().is_empty()
    }

    /// An open leak that grows, and RSS with it.
    fn takes_memory(&self) -> bool {
        self.impact.as_ref().is_some_and(|impact| {
            impact.rss_follows() && impact.goroutines_per_hour.as_ref().is_ok_and(|r| *r > 0.0)
        })
    }

    fn assess(&mut self) {
        let open = self.verdict.is_some();
        self.impact = open.then(|| Impact::of(&self.history, self.growth, self.stack));
    }
}

/// Forgets a site that nobody suspects, if there is one.
fn make_room(sites: &mut HashMap<RuntimeAddress, Watched>) -> Option<Watched> {
    let calm = |watched: &Watched| watched.is_kept() && !watched.grows && watched.verdict.is_none();
    let site = sites.iter().find(|(_, watched)| calm(watched));
    let site = site.map(|(site, _)| *site)?;
    sites.remove(&site)
}

/// What had been used and done by some moment.
#[derive(Clone, Copy, Debug)]
struct Totals {
    at: Instant,
    processor: Option<Duration>,
    created: Option<Created>,
}

/// Between the last two moments; `None` where one of both was not known.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    processor: Option<f64>,
    created: Option<f64>,
}

impl Impacts {
    pub(super) fn new(pid: i32, heap: Option<HeapSize>, created: Option<Created>) -> Self {
        let mut new = Self {
            pid,
            usage: Usage::of(pid),
            heap,
            sites: HashMap::new(),
            limit: None,
            last: None,
            rates: Rates::default(),
        };
        new.measure(created);
        new
    }

    /// Takes in what an observation at `at` found.
    pub(super) fn observe(&mut self, at: Duration, memory: &impl MemoryReader, tracker: &Tracker) {
        // What cannot be read now is missing in this point alone.
        let usage = self.usage.as_ref().ok();
        let rss = usage.and_then(|usage| usage.memory().ok());
        let heap = self.heap.and_then(|heap| heap.read(memory).ok());
        let kept = self.sites.values().filter(|watched| watched.is_kept());
        let mut room = MOST_SITES.saturating_sub(kept.count());
        let mut all_grow = false;
        // Once all places are taken, only who grows old can take one.
        let sites: Box<dyn Iterator<Item = &Site>> = if room > 0 {
            Box::new(tracker.sites())
        } else {
            let kept = self.sites.iter().filter(|(_, watched)| watched.is_kept());
            let sites: BTreeSet<_> = kept.map(|(pc, _)| *pc).chain(tracker.lively()).collect();
            Box::new(sites.into_iter().filter_map(|pc| tracker.get(pc)))
        };
        for site in sites {
            let grows = site.series.growth() > 0;
            let is_kept = self.sites.get(&site.pc).is_some_and(Watched::is_kept);
            if !is_kept && room == 0 {
                // Once all that are kept grow, there is no use in seeking again.
                all_grow |= grows && !all_grow && make_room(&mut self.sites).is_none();
                if !grows || all_grow {
                    continue;
                }
                room = 1;
            }
            room -= usize::from(!is_kept);
            let watched = self.sites.entry(site.pc).or_default();
            watched.grows = grows;
            watched.history.push(Sample {
                at,
                live: site.alive(),
                rss: rss.map(|memory| memory.resident),
                heap: heap.map(|heap| heap.live_bytes),
            });
        }
    }

    /// Learns which incidents are open.
    pub(super) fn update(&mut self, incidents: &Incidents) {
        for watched in self.sites.values_mut() {
            watched.verdict = None;
        }
        for (site, verdict) in incidents.open() {
            // One that is open has its place among the others, even if its past is not kept.
            self.sites.entry(site).or_default().verdict = Some(verdict);
        }
        self.sites
            .retain(|_, watched| watched.is_kept() || watched.verdict.is_some());
        self.assess();
    }

    /// Concludes anew what each open leak does.
    fn assess(&mut self) {
        for watched in self.sites.values_mut() {
            watched.assess();
        }
        let following = self.sites.values().filter(|watched| watched.takes_memory());
        let following = following.count();
        for watched in self.sites.values_mut() {
            if let Some(impact) = &mut watched.impact {
                impact.share(following);
            }
        }
    }

    /// What the leak at `site` does, of whose goroutines each has a stack of so many bytes.
    pub(super) fn leak(
        &mut self,
        site: &Site,
        finding: &Finding,
        stack: Option<f64>,
    ) -> report::Impact {
        let following = self
            .sites
            .iter()
            .filter(|(pc, watched)| **pc != site.pc && watched.takes_memory())
            .count();
        let watched = self.sites.entry(site.pc).or_default();
        watched.growth = Some(finding.growth_per_minute * 60.0);
        watched.stack = stack.or(watched.stack);
        watched.verdict = watched.verdict.or(Some(finding.verdict));
        watched.assess();
        let Some(mut impact) = watched.impact.clone() else {
            return report::Impact::default();
        };
        if watched.takes_memory() {
            impact.share(following + 1);
        }
        let open = self.sites.iter().filter_map(|(pc, watched)| {
            let other = watched.impact.as_ref()?;
            Some(*pc != site.pc && other.heavier_first(&impact).then(pc.cmp(&site.pc)).is_lt())
        });
        let (heavier, of_leaks) = open.fold((0, 0), |(heavier, all), is_heavier| {
            (heavier + usize::from(is_heavier), all + 1)
        });
        self.report(&impact, heavier + 1, of_leaks)
    }

    /// All open leaks, those that take most first.
    fn ranked(&mut self) -> Vec<(RuntimeAddress, Verdict, Impact)> {
        self.assess();
        let open = self
            .sites
            .iter()
            .filter_map(|(site, watched)| Some((*site, watched.verdict?, watched.impact.clone()?)));
        let mut ranked: Vec<_> = open.collect();
        // In the order of their addresses where nothing else tells them apart: it does not change.
        ranked.sort_by(|(a, _, left), (b, _, right)| left.heavier_first(right).then(a.cmp(b)));
        ranked
    }

    /// All open leaks with their names, those that take most first.
    pub(super) fn open_leaks(&mut self, tracker: &Tracker, names: &mut Names) -> Vec<OpenLeak> {
        let ranked = self.ranked();
        if ranked.is_empty() {
            return Vec::new();
        }
        let of_leaks = ranked.len();
        let ranked = (1..).zip(ranked);
        ranked
            .map(|(rank, (site, verdict, impact))| {
                let start = tracker.get(site).and_then(|site| site.start);
                let site = names.site(site, start).clone();
                OpenLeak {
                    id: site.id.clone(),
                    site,
                    verdict,
                    impact: self.report(&impact, rank, of_leaks),
                }
            })
            .collect()
    }

    fn report(&mut self, impact: &Impact, rank: usize, of_leaks: usize) -> report::Impact {
        let limit = self.limit();
        let seconds = match &limit {
            Ok(limit) => impact.seconds_to_limit(limit.room()),
            Err(reason) => Err(NotKnown::NoLimit(reason.clone())),
        };
        let mut unknown = Unknown::new();
        let mut known = |name, figure: &Figure| match figure {
            Ok(figure) => Some(*figure),
            Err(reason) => {
                unknown.insert(name, reason.to_string());
                None
            }
        };
        let mut report = report::Impact {
            rank: Some(rank),
            of_leaks,
            goroutines_per_hour: known("goroutines_per_hour", &impact.goroutines_per_hour),
            stack_bytes_per_hour: known("stack_bytes_per_hour", &impact.stack_bytes_per_hour),
            bytes_per_goroutine: known("bytes_per_goroutine", &impact.bytes_per_goroutine),
            rss_correlation: known("rss_correlation", &impact.rss_correlation),
            heap_correlation: known("heap_correlation", &impact.heap_correlation),
            points: impact.points,
            bytes_per_hour: known("bytes_per_hour", &impact.bytes_per_hour),
            bytes_from: impact.bytes_per_hour.is_ok().then(|| impact.basis.as_str()),
            seconds_to_limit: known("seconds_to_limit", &seconds),
            ..report::Impact::default()
        };
        if self.heap.is_none() {
            unknown.insert("heap_correlation", NO_HEAP.into());
        }
        match limit {
            Ok(limit) => {
                report.limit_bytes = Some(limit.limit);
                report.limit_kind = Some(limit.kind.as_str());
                report.limit_path = limit.kind.path().map(str::to_owned);
                report.used_bytes = Some(limit.used);
            }
            Err(reason) => {
                for name in ["limit_bytes", "limit_kind", "used_bytes"] {
                    unknown.insert(name, reason.clone());
                }
            }
        }
        if report.limit_path.is_none() && report.limit_kind.is_some() {
            unknown.insert("limit_path", NO_CGROUP_LIMIT.into());
        }
        if let Some(reason) = unknown.get("bytes_per_hour").cloned() {
            unknown.insert("bytes_from", reason);
        }
        report.unknown = unknown;
        report
    }
}

const NO_HEAP: &str = "where the runtime keeps the size of its heap was not found";
const NO_CGROUP_LIMIT: &str = "no cgroup limits its memory to less than the machine has";
