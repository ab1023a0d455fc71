//! The part of a session that changes: observations go in, events come out.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant, SystemTime},
};

use super::{
    Inspected, Names, Options, SessionError, births,
    govern::Suspect,
    impact::Impacts,
    judge::Glance,
    load::LoadMeter,
    pass::Passes,
    past::Past,
    probing::{Cost, Probing},
    proving::{Found, Proving},
    runtime_metrics::Allocated,
    spending::{self, Accounting, Spending, Used},
    states::States,
    status::{self, Inputs},
    work::Average,
};
use crate::{
    binary::RuntimeAddress,
    detect::{Incidents, Rule},
    governor::{Budget, Governor, Mode},
    memory::LiveMemory,
    probes::{Calibration, Mechanism as _, PerfUprobes, Readout},
    report::{Attached, CostOfHits, DetachReason, Detached, Event, EventKind, timestamp},
    runtime::{Unwinder, metrics::RuntimeReader},
    track::{Living, Observation, Seen, Tracker},
};

const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at one of many processes that creates nothing and leaks nothing.
const QUIET: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// The births are looked at as often as the shortest scale keeps a point.
const BIRTHS_PAUSE: Duration = Duration::from_millis(2600);
/// Creation stacks of a site that are kept: the first.
const STACKS_KEPT: usize = 4;

/// A watched process.
pub struct Session {
    pub(super) inspected: Inspected,
    pub(super) options: Options,
    pub(super) memory: LiveMemory,
    pub(super) names: Names,
    pub(super) unwinder: Unwinder,
    pub(super) tracker: Tracker,
    pub(super) rules: Vec<Box<dyn Rule>>,
    pub(super) incidents: Incidents,
    /// Patterns that were recognised before there was anything to report.
    pub(super) glances: HashMap<RuntimeAddress, Glance>,
    /// Sites with an open incident that is known and left alone, and how many there have been.
    pub(super) suppressed: HashSet<RuntimeAddress>,
    pub(super) suppressions: usize,
    pub(super) impacts: Impacts,
    /// The living that probes remember, and when they were looked at.
    pub(super) births: HashMap<u64, Living>,
    pub(super) births_at: Duration,
    pub(super) creation_stacks: HashMap<u64, Vec<Vec<RuntimeAddress>>>,
    /// `None` where the goroutines were not found, which probes can do without.
    pub(super) passes: Option<Passes>,
    pub(super) past: Past,
    /// Sites that it knows, or that are the runtime's.
    pub(super) identified: usize,
    /// `None` where the goroutines were not found, or there is no thread for it.
    pub(super) proving: Option<Proving>,
    /// Whether the program's own detector has marked goroutines.
    pub(super) has_marked: bool,
    /// What was proven last of each site.
    pub(super) proofs: Found,
    pub(super) goroutines: Option<u64>,
    /// The same by what they do; `None` before the first pass, and after one that failed.
    pub(super) states: Option<States>,
    /// Looked for when it is asked for first.
    pub(super) runtime: Option<RuntimeReader>,
    pub(super) allocated: Allocated,
    pub(super) governor: Governor,
    /// Why it began as it did.
    pub(super) first_reason: String,
    pub(super) probing: Probing,
    /// What hits cost; `None` where none are wanted.
    pub(super) calibration: Option<Calibration>,
    pub(super) load: LoadMeter,
    /// What had been used at the last tick.
    pub(super) used: Used,
    /// Which sites are most in question, if that was asked for since the last observation.
    pub(super) suspects: Option<Vec<Suspect>>,
    /// Sites whose statements are probed, with their creations at the last observation.
    pub(super) focused: HashMap<u64, u64>,
    pub(super) focused_at: Duration,
    pub(super) spending: Spending,
    pub(super) began: Instant,
    /// Processor time of the last observation, in seconds, and on average.
    pub(super) last_work: f64,
    pub(super) work: Average,
    /// The last observation, and how long before it the one before was.
    pub(super) observed: Option<Instant>,
    pub(super) observed_every: Option<Duration>,
    pub(super) next_observation: Instant,
    pub(super) next_tick: Instant,
    pub(super) ticked: Instant,
    /// Parks that probes have seen so far.
    pub(super) parks: u64,
    /// What probes have added to the target's switches so far, in seconds.
    pub(super) switching: f64,
}

impl Session {
    /// What was found out before attaching.
    #[must_use]
    pub fn inspected(&self) -> &Inspected {
        &self.inspected
    }

    /// When [`Self::observe`] or [`Self::tick`] is due.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.next_observation.min(self.next_tick)
    }

    /// The first event.
    #[must_use]
    pub fn attached(&self) -> Event {
        let pclntab = self.inspected.program.binary.pclntab();
        let probes = self.probing.now().into_iter().flat_map(|a| &a.plan.probes);
        let probes = probes.map(|probe| {
            let entry = pclntab
                .function_at(probe.site.address)
                .map_or(probe.site.address, |function| function.entry());
            let offset = probe.site.address.0.saturating_sub(entry.0);
            format!("{} at {}+{offset:#x}", probe.kind.name(), probe.function)
        });
        let budget = self.governor.budget();
        let (history, unknown) = self.history();
        self.event(EventKind::Attached(Attached {
            process: self.inspected.info(),
            mode: self.governor.mode().as_str(),
            mode_reason: self.first_reason.clone(),
            budget_ratio: budget.is_limited().then(|| budget.cores()),
            cost_of_hits: self.calibration.as_ref().map(|calibration| CostOfHits {
                emulated_seconds: calibration.emulated(),
                stepped_seconds: calibration.stepped(),
                refused_seconds: calibration.costs(self.options.choice).refused,
                goroutine_seconds: calibration.costs(self.options.choice).goroutine(),
                switch_seconds: calibration.switch(),
            }),
            mechanism: match self.probing.now() {
                Some(_) => PerfUprobes.name(),
                None => "none",
            },
            probes: probes.collect(),
            history,
            unknown,
        }))
    }

    /// Reads everything, goes through the births and over all goroutines, and judges each site, if
    /// that is due. Leaks, new, grown or resolved, come out.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn observe(&mut self) -> Result<Vec<Event>, SessionError> {
        let now = Instant::now();
        if now < self.next_observation {
            return Ok(Vec::new());
        }
        self.observed_every = self
            .observed
            .map(|last| now.saturating_duration_since(last));
        self.observed = Some(now);
        let before_work = spending::of_thread();
        let at = now.saturating_duration_since(self.began);
        self.keep_creation_stacks(self.governor.mode());
        let before = self.probing.read()?;
        // A pass that fails leaves the number unknown; the next one may not.
        let pass = self.passes.as_mut().and_then(|passes| {
            let pass = passes.take(&self.inspected.program, &self.memory, at);
            pass.inspect_err(|error| tracing::debug!(%error, "no census"))
                .ok()
        });
        self.goroutines = pass.as_ref().map(|pass| pass.alive);
        self.states = pass.as_ref().map(|pass| pass.states.clone());
        self.has_marked = pass.as_ref().is_some_and(|pass| pass.has_marked);
        let seen = pass.as_ref().zip(self.passes.as_ref());
        let seen = seen.map(|(pass, passes)| Seen {
            census: &pass.sites,
            goids: passes.goids(),
        });
        if self.governor.mode().counts_all()
            && let Some(attached) = self.probing.now()
        {
            let stats = self.probing.read()?.sites;
            // Going through the births takes time, most of it for places that are empty.
            if at >= self.births_at + BIRTHS_PAUSE || self.births_at.is_zero() {
                self.births = births::living(&attached.probes)?;
                self.births_at = at;
            }
            let living = self.births.clone();
            let observation = Observation { stats, living };
            self.tracker.observe(at, &before.sites, observation, seen);
        } else if let Some(seen) = seen {
            let created = created_since(&mut self.focused, &before);
            self.tracker.observe_census(at, seen, &created);
        }
        self.impacts.observe(at, &self.memory, &self.tracker);
        self.suspects = None;
        let mut events = self.judge(at, self.coverage(&before));
        events.append(&mut self.remember(at));
        let work = (spending::of_thread() - before_work).max(0.0);
        self.last_work = work;
        self.work.push(work);
        self.next_observation = now + self.pause();
        Ok(events)
    }

    /// From one observation to the next, by what the last one took.
    fn pause(&self) -> Duration {
        let pause = Duration::from_secs_f64(self.last_work / self.governor.observing());
        let least = if self.is_quiet() {
            QUIET
        } else {
            SHORTEST_PAUSE
        };
        pause.clamp(least, LONGEST_PAUSE)
    }

    /// The counts now.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn status(&mut self) -> Result<Event, SessionError> {
        // The moment of the counts, not of the line: who reads it compares with a clock.
        let time = timestamp(SystemTime::now());
        let readout = self.probing.read()?;
        if self.governor.mode().counts_all() {
            self.tracker.refresh(&readout.sites);
        }
        let Cost { hits, seconds, .. } = self.probing.cost();
        let used = self.used_by_now(seconds + self.switching);
        self.spending.update(Instant::now(), used);
        let created = self.load.created_by_now();
        let mut status = status::status(
            Inputs {
                mode: self.governor.mode(),
                probes: self.probing.attached(),
                spending: &self.spending,
                hits,
                budget: self.governor.budget(),
                accounting: self.options.accounting,
                memory: self.options.memory,
                maps: self.probing.now().map_or(0, |now| now.limits.bytes()),
                tracker: &self.tracker,
                readout: &readout,
                incidents: &self.incidents,
                wait_reasons: self.inspected.program.wait_reasons.as_ref().ok(),
                goroutines: self.goroutines,
                observed_every: self.observed_every,
                compared: self.tracker.is_exact() && self.goroutines.is_some(),
                coverage: self.coverage(&readout),
                process: self.impacts.process(&self.memory, created),
                leaks: self.impacts.open_leaks(&self.tracker, &mut self.names),
            },
            &mut self.names,
        );
        if self.past.went_off() {
            status.unknown.append(&mut self.history().1);
        }
        Ok(Event {
            time,
            ..self.event(EventKind::Status(status))
        })
    }

    /// From now on agent and probes may cost so much.
    pub fn set_budget(&mut self, budget: Budget) {
        self.options.budget = budget;
        self.governor.set_budget(budget);
        self.probing.set_budget(budget);
        if let Some(proving) = &self.proving {
            proving.set_budget(budget);
        }
        if let Some(observed) = self.observed {
            self.next_observation = self.next_observation.min(observed + self.pause());
        }
    }

    /// Detaches, and says so.
    #[must_use]
    pub fn detach(mut self, reason: DetachReason) -> Event {
        let clean = self.probing.end();
        // Where nobody reads any more, what is to be said is not, but it is remembered.
        self.settle();
        self.event(EventKind::Detached(Detached {
            reason,
            clean,
            watched_seconds: self.began.elapsed().as_secs_f64(),
            leaks: self.incidents.opened(),
            suppressed: self.suppressions,
        }))
    }

    pub(super) fn event(&self, kind: EventKind) -> Event {
        Event {
            time: timestamp(SystemTime::now()),
            pid: self.inspected.process.pid(),
            kind,
        }
    }

    /// Processor time used and, what proofs have used, paid for.
    pub(super) fn used_by_now(&mut self, target: f64) -> Used {
        let proving = self.proving.as_mut();
        let settled = proving.map(|proving| proving.settle(Instant::now()));
        let (paid, unpaid) = settled.unwrap_or_default();
        let used = self.options.accounting.used();
        let agent = match self.options.accounting {
            Accounting::Agent => used - unpaid,
            // Proofs are sought in a thread of their own.
            Accounting::Thread => used + paid,
        };
        Used { agent, target }
    }

    /// Share of the goroutines created since attaching that are known: tracked by the probes, or
    /// seen in a census.
    pub(super) fn coverage(&self, readout: &Readout) -> f64 {
        if self.tracker.is_exact() {
            return status::coverage(readout);
        }
        let seen = self.tracker.created();
        match self.load.created() {
            None | Some(0) => 1.0,
            Some(created) => (seen as f64 / created as f64).min(1.0),
        }
    }

    /// Takes those that the probes of `mode` have left.
    pub(super) fn keep_creation_stacks(&mut self, mode: Mode) {
        let at_statement = mode == Mode::Focused;
        let samples = self
            .probing
            .now_mut()
            .map(|attached| attached.probes.take_stacks());
        for sample in samples.into_iter().flatten() {
            let kept = self.creation_stacks.entry(sample.site).or_default();
            if kept.len() < STACKS_KEPT {
                kept.push(births::creators(&sample, at_statement));
            }
        }
    }
}

/// How many goroutines each of the sites in `last` has created since; which is brought up to date.
fn created_since(last: &mut HashMap<u64, u64>, readout: &Readout) -> HashMap<u64, u64> {
    let counted = readout.sites.iter().filter_map(|(site, stats)| {
        let last = last.get_mut(site)?;
        let before = std::mem::replace(last, stats.created);
        Some((*site, stats.created.saturating_sub(before)))
    });
    counted.collect()
}
