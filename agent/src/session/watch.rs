//! The part of a session that changes: observations go in, events come out.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    time::{Duration, Instant, SystemTime},
};

use nix::time::{ClockId, clock_gettime};

use super::{
    Inspected, Names, Options, SessionError,
    cpu::OwnCpu,
    evidence::{self, SAMPLES},
    names,
    status::{self, Inputs},
};
use crate::{
    binary::RuntimeAddress,
    detect::{Accumulation, Change, Finding, Incidents, Rule},
    memory::LiveMemory,
    probes::{Births, Mechanism as _, PerfUprobes, Plan, Probes, Readout},
    report::{
        Attached, DetachReason, Detached, Event, EventKind, Leak, Resolved, Unknown, timestamp,
    },
    runtime::{AllGoroutines, Census, Unwinder},
    target::Vitality,
    track::{Living, Observation, SCALES, Site, Tracker},
};

/// The time between two observations: going through all births may take one part in this many of
/// the agent's time.
const OBSERVATION_SHARE: u32 = 200;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Creation stacks of a site that are kept: the first.
const STACKS_KEPT: usize = 1;

/// A process with probes attached.
pub struct Session {
    inspected: Inspected,
    plan: Plan,
    options: Options,
    probes: Probes,
    memory: LiveMemory,
    names: Names,
    unwinder: Unwinder,
    tracker: Tracker,
    rule: Box<dyn Rule>,
    incidents: Incidents,
    creation_stacks: HashMap<u64, Vec<Vec<RuntimeAddress>>>,
    all_goroutines: Option<AllGoroutines>,
    goroutines: Option<u64>,
    cpu: OwnCpu,
    began: Instant,
    next_observation: Instant,
}

impl Session {
    /// Loads the programs and attaches them.
    ///
    /// # Errors
    /// Not allowed, or the process changed meanwhile.
    pub fn attach(inspected: Inspected, options: Options) -> Result<Self, SessionError> {
        let pid = inspected.process.pid();
        let memory = LiveMemory::new(pid);
        let offsets = gostray_common::Offsets {
            gopc: inspected.program.layout.gopc,
            startpc: inspected.program.layout.startpc,
        };
        let plan = inspected.plan(options)?;
        let mut probes = Probes::load(&plan, offsets, options.limits)?;
        let attached = NonZeroU32::new(pid.cast_unsigned()).map_or(Ok(()), |pid| {
            probes.attach(
                &plan,
                &PerfUprobes,
                &inspected.process.exe_link(),
                pid,
                &memory,
                inspected.program.bias,
            )
        });
        // Whatever the kernel said, if the process is another one now then that is the reason.
        match inspected.lifetime.vitality() {
            Vitality::Alive => attached?,
            Vitality::Ended => return Err(SessionError::Ended { pid }),
            Vitality::Replaced => return Err(SessionError::Replaced { pid }),
        }
        let all_goroutines = AllGoroutines::find(
            &inspected.program.binary,
            &memory,
            inspected.program.bias,
            &inspected.program.layout,
        )
        .ok();
        let now = Instant::now();
        Ok(Self {
            unwinder: Unwinder::new(inspected.program.binary.clone(), inspected.program.bias),
            names: Names::new(inspected.program.binary.clone(), inspected.program.bias),
            inspected,
            plan,
            options,
            probes,
            memory,
            tracker: Tracker::default(),
            rule: Box::new(Accumulation),
            incidents: Incidents::default(),
            creation_stacks: HashMap::new(),
            all_goroutines,
            goroutines: None,
            cpu: OwnCpu::new(now),
            began: now,
            next_observation: now,
        })
    }

    /// What was found out before attaching.
    #[must_use]
    pub fn inspected(&self) -> &Inspected {
        &self.inspected
    }

    /// When [`Self::observe`] is due.
    #[must_use]
    pub fn next_observation(&self) -> Instant {
        self.next_observation
    }

    /// The first event.
    #[must_use]
    pub fn attached(&self) -> Event {
        let probes = self.plan.probes.iter().map(|probe| {
            let pclntab = self.inspected.program.binary.pclntab();
            let entry = pclntab
                .function_at(probe.site.address)
                .map_or(probe.site.address, |function| function.entry());
            let offset = probe.site.address.0.saturating_sub(entry.0);
            format!("{} at {}+{offset:#x}", probe.kind.name(), probe.function)
        });
        self.event(EventKind::Attached(Attached {
            process: self.inspected.info(),
            mode: self.mode(),
            mechanism: PerfUprobes.name(),
            probes: probes.collect(),
        }))
    }

    /// Reads everything, goes through the births, and judges each site. Leaks, new, grown or
    /// resolved, come out.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn observe(&mut self) -> Result<Vec<Event>, SessionError> {
        let started = Instant::now();
        let at = started.saturating_duration_since(self.began);
        self.keep_creation_stacks();
        let readout = self.probes.read()?;
        let now_ns = monotonic_ns();
        let moments = SCALES.map(|scale| now_ns.saturating_sub(nanos(scale)));
        let living = self
            .probes
            .read_births(SAMPLES, &moments)?
            .into_iter()
            .map(|(site, births)| (site, living(&births, now_ns)))
            .collect();
        self.tracker.observe(
            at,
            Observation {
                stats: readout.sites.clone(),
                living,
            },
        );
        // A pass that fails leaves the number unknown; the next one may not.
        self.goroutines = self
            .all_goroutines
            .and_then(|all| Census::count(&self.memory, &self.inspected.program.layout, all).ok());
        let events = self.judge(at, &readout);
        let pause = started.elapsed() * OBSERVATION_SHARE;
        self.next_observation = started + pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        Ok(events)
    }

    /// The counts now.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn status(&mut self) -> Result<Event, SessionError> {
        // The moment of the counts, not of the line: who reads it compares with a clock.
        let time = timestamp(SystemTime::now());
        let readout = self.probes.read()?;
        self.tracker.refresh(&readout.sites);
        let status = status::status(
            &Inputs {
                mode: self.mode(),
                probes: self.probes.attached(),
                agent_cpu_ratio: self.cpu.cores(Instant::now()),
                tracker: &self.tracker,
                readout: &readout,
                incidents: &self.incidents,
                wait_reasons: self.inspected.program.wait_reasons.as_ref().ok(),
                park: self.options.park,
                goroutines: self.goroutines,
            },
            &mut self.names,
        );
        Ok(Event {
            time,
            ..self.event(EventKind::Status(status))
        })
    }

    /// Detaches, and says so.
    #[must_use]
    pub fn detach(mut self, reason: DetachReason) -> Event {
        let clean = self.probes.detach();
        self.event(EventKind::Detached(Detached {
            reason,
            clean,
            watched_seconds: self.began.elapsed().as_secs_f64(),
            leaks: self.incidents.opened(),
        }))
    }

    fn mode(&self) -> &'static str {
        if self.options.park {
            "full"
        } else {
            "lifetimes"
        }
    }

    fn event(&self, kind: EventKind) -> Event {
        Event {
            time: timestamp(SystemTime::now()),
            pid: self.inspected.process.pid(),
            kind,
        }
    }

    fn keep_creation_stacks(&mut self) {
        for sample in self.probes.take_stacks() {
            let kept = self.creation_stacks.entry(sample.site).or_default();
            if kept.len() < STACKS_KEPT {
                kept.push(creators(&sample));
            }
        }
    }

    fn judge(&mut self, at: Duration, readout: &Readout) -> Vec<Event> {
        let mut changes = Vec::new();
        for site in self.tracker.sites() {
            let name = self.names.site(site.pc, site.start);
            if names::is_system(&name.start.function) {
                continue;
            }
            let judgement = self.rule.judge(site);
            if let Some(change) = self.incidents.update(site, judgement, at) {
                changes.push((site.clone(), change));
            }
        }
        let coverage = status::coverage(readout);
        changes
            .into_iter()
            .map(|(site, change)| {
                let kind = match change {
                    Change::Leaks(finding) => {
                        EventKind::Leak(Box::new(self.leak(&site, finding, coverage)))
                    }
                    Change::Resolved(evidence) => EventKind::Resolved(Resolved {
                        site: self.names.site(site.pc, site.start).clone(),
                        live: site.counts.live,
                        evidence,
                    }),
                };
                self.event(kind)
            })
            .collect()
    }

    fn leak(&mut self, site: &Site, finding: Finding, coverage: f64) -> Leak {
        let mut seen = evidence::gather(
            site,
            &self.memory,
            &self.inspected.program.layout,
            &mut self.unwinder,
            self.inspected.program.wait_reasons.as_ref().ok(),
            &mut self.names,
        );
        let created_by = self
            .creation_stacks
            .get(&site.pc.0)
            .and_then(|stacks| stacks.first())
            .map(|pcs| self.names.stack(pcs))
            .filter(|stack| !stack.is_empty());
        let mut unknown = Unknown::from([
            ("pattern", "patterns are not recognised yet".into()),
            (
                "advice",
                "there is advice only for recognised patterns".into(),
            ),
            ("retained_bytes", "the heap is not looked at yet".into()),
        ]);
        unknown.append(&mut seen.unknown);
        if created_by.is_none() {
            unknown.insert(
                "created_by",
                "no creation stack of this site was taken".into(),
            );
        }
        Leak {
            verdict: finding.verdict,
            rule: self.rule.name(),
            site: self.names.site(site.pc, site.start).clone(),
            live: site.counts.live,
            created: site.counts.created,
            exited: site.counts.exited,
            growth_per_minute: finding.growth_per_minute,
            wait_reason: seen.wait_reason,
            blocked_at: seen.blocked_at,
            stack: seen.stack,
            created_by,
            pattern: None,
            evidence: finding.evidence,
            advice: None,
            stack_bytes: seen.stack_bytes,
            retained_bytes: None,
            oldest_seconds: site.oldest.map(|age| age.as_secs_f64()),
            coverage,
            goids: seen.goids,
            unknown,
        }
    }
}

/// The creator's frames of a creation stack: from the `go` statement outwards. What lies before
/// it are the runtime's own frames on the system stack.
fn creators(sample: &gostray_common::StackSample) -> Vec<RuntimeAddress> {
    let depth = usize::try_from(sample.depth).unwrap_or(usize::MAX);
    sample
        .return_pcs
        .iter()
        .take(depth)
        .skip_while(|pc| **pc != sample.site)
        .map(|pc| RuntimeAddress(*pc))
        .collect()
}

fn living(births: &Births, now_ns: u64) -> Living {
    let mut survivors = [0; SCALES.len()];
    for (survivors, before) in survivors.iter_mut().zip(&births.before) {
        *survivors = *before;
    }
    let oldest = births
        .oldest
        .first()
        .map_or(0, |(_, at_ns)| now_ns.saturating_sub(*at_ns));
    Living {
        oldest: Duration::from_nanos(oldest),
        oldest_gs: births
            .oldest
            .iter()
            .map(|(g, _)| RuntimeAddress(*g))
            .collect(),
        survivors,
    }
}

/// The clock of `bpf_ktime_get_ns`.
fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| nanos(Duration::from(time)))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
