//! One pass over all goroutines of a watched process, site by site.

use std::time::Duration;

use super::{Landmarks, LandmarksError, Program, states::States};
use crate::{
    memory::{MemoryError, MemoryReader},
    runtime::{Census, Goroutine, GoroutineState, HeapSize, Purpose, Scheduler, Scope},
    track::{AGES, CensusObservation, Counted, Goids, Sampled},
};

/// How many of the oldest of a site are remembered.
const OLDEST: usize = 32;

/// What one pass found.
pub(super) struct Pass {
    /// Goroutines alive, the runtime's own included.
    pub(super) alive: u64,
    /// The same by state and wait reason.
    pub(super) states: States,
    /// Site by site.
    pub(super) sites: CensusObservation,
    /// Whether the program's own detector has marked some as leaked (Go 1.26 and later).
    pub(super) has_marked: bool,
}

/// Goes over all goroutines again and again.
pub(super) struct Passes {
    landmarks: Landmarks,
    /// By number: what wait reasons mean.
    reasons: Vec<Purpose>,
    goids: Goids,
    /// The largest number seen so far.
    last_goid: u64,
}

impl Passes {
    pub(super) fn new(
        program: &Program,
        memory: &impl MemoryReader,
    ) -> Result<Self, LandmarksError> {
        let reasons = match &program.wait_reasons {
            Ok(reasons) => reasons.purposes().collect(),
            Err(_) => Vec::new(),
        };
        Ok(Self {
            landmarks: Landmarks::find(program, memory)?,
            reasons,
            goids: Goids::default(),
            last_goid: 0,
        })
    }

    /// Where the program's runtime keeps things.
    pub(super) fn landmarks(&self) -> &Landmarks {
        &self.landmarks
    }

    /// The scheduler's counters, where they were found.
    pub(super) fn scheduler(&self) -> Option<Scheduler> {
        self.landmarks.scheduler
    }

    /// Where the size of the Go heap is, where that was found.
    pub(super) fn heap(&self) -> Option<HeapSize> {
        self.landmarks.heap
    }

    /// Which numbers were given out when.
    pub(super) fn goids(&self) -> &Goids {
        &self.goids
    }

    /// Between two passes, at `at`, so many goroutines had been created.
    pub(super) fn created_by(&mut self, at: Duration, created: u64) {
        self.goids.push_between(at, created);
    }

    /// Goes over all of them at `at`, counted from when watching began.
    pub(super) fn take(
        &mut self,
        program: &Program,
        memory: &impl MemoryReader,
        at: Duration,
    ) -> Result<Pass, MemoryError> {
        let created = self.created(memory);
        let is_first = self.goids.last() == 0;
        // Whoever is there at the first pass is older than the agent, whatever his number.
        let first = if is_first {
            u64::MAX
        } else {
            self.goids.first()
        };
        let thresholds = AGES.map(|age| match at.checked_sub(age) {
            Some(moment) if !is_first => self.goids.at(moment),
            _ => first,
        });
        let before = self.goids.last();
        let mut sites = CensusObservation::default();
        let mut last_goid = self.last_goid;
        let mut has_marked = false;
        let mut states = States::default();
        let layout = &program.layout;
        let reasons = &self.reasons;
        let census = Census::take(
            memory,
            layout,
            self.landmarks.all,
            Scope::default(),
            |goroutine| {
                last_goid = last_goid.max(goroutine.goid);
                has_marked |= goroutine.state == GoroutineState::Leaked;
                states.count(goroutine.state, goroutine.wait_reason);
                if goroutine.created_at.0 == 0 {
                    return;
                }
                let site = sites.sites.entry(goroutine.created_at.0).or_default();
                let waiting = waits_for(&goroutine, reasons);
                count(site, &goroutine, waiting);
                let goid = goroutine.goid;
                site.older += u64::from(goid <= first);
                site.newcomers += u64::from(!is_first && goid > before);
                for (survivors, threshold) in site.survivors.iter_mut().zip(thresholds) {
                    *survivors += u64::from(goid <= threshold);
                }
                if goid <= thresholds[0] {
                    let runs = goroutine.runs;
                    site.sample.offer(Sampled {
                        goid,
                        runs,
                        waiting,
                    });
                }
            },
        )?;
        self.last_goid = last_goid;
        // Processors hold numbers ready: some that were seen are larger than the count of creations.
        self.goids.push(at, last_goid.max(created.unwrap_or(0)));
        sites.unseen = census.unseen();
        states.complete(census.alive);
        Ok(Pass {
            alive: census.alive,
            states,
            sites,
            has_marked,
        })
    }

    fn created(&self, memory: &impl MemoryReader) -> Option<u64> {
        self.landmarks.scheduler?.created(memory).ok()
    }
}

fn waits_for(goroutine: &Goroutine, reasons: &[Purpose]) -> Purpose {
    let reason = reasons.get(usize::from(goroutine.wait_reason));
    match reason {
        Some(waiting) if goroutine.state.is_parked() => *waiting,
        _ => Purpose::Other,
    }
}

fn count(site: &mut Counted, goroutine: &Goroutine, waiting: Purpose) {
    site.alive += 1;
    site.blocked += u64::from(waiting == Purpose::Others);
    site.start.get_or_insert(goroutine.start);
    let entry = (goroutine.goid, goroutine.address);
    let place = site.oldest.partition_point(|known| *known < entry);
    if place < OLDEST {
        site.oldest.truncate(OLDEST - 1);
        site.oldest.insert(place, entry);
    }
}
