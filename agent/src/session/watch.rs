//! The part of a session that changes: observations go in, events come out.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    time::{Duration, Instant, SystemTime},
};

use nix::time::{ClockId, clock_gettime};

use super::{
    Inspected, Names, Options, Program, SessionError,
    cpu::OwnCpu,
    evidence::SAMPLES,
    leak::Describer,
    names,
    pass::{self, Passes},
    status::{self, Inputs},
};
use crate::{
    binary::RuntimeAddress,
    detect::{self, Accumulation, Change, Incidents, Rule, Standing},
    memory::LiveMemory,
    probes::{Births, Mechanism as _, PerfUprobes, Plan, Probes, Readout},
    report::{Attached, DetachReason, Detached, Event, EventKind, Resolved, timestamp},
    runtime::Unwinder,
    target::Vitality,
    track::{Living, Observation, SCALES, Tracker},
};

/// The time between two observations: going through all births may take one part in this many of
/// the agent's time.
const OBSERVATION_SHARE: u32 = 200;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Creation stacks of a site that are kept: the first.
const STACKS_KEPT: usize = 1;

/// The probes of a session, and where they were put.
struct Attachment {
    plan: Plan,
    probes: Probes,
}

/// A watched process.
pub struct Session {
    inspected: Inspected,
    options: Options,
    /// `None` where censuses alone are wanted.
    attachment: Option<Attachment>,
    memory: LiveMemory,
    names: Names,
    unwinder: Unwinder,
    tracker: Tracker,
    rules: Vec<Box<dyn Rule>>,
    incidents: Incidents,
    creation_stacks: HashMap<u64, Vec<Vec<RuntimeAddress>>>,
    /// `None` where the goroutines were not found, which probes can do without.
    passes: Option<Passes>,
    goroutines: Option<u64>,
    /// Goroutines created by the first pass, and by the last, where that is known.
    created: Option<(u64, u64)>,
    cpu: OwnCpu,
    began: Instant,
    next_observation: Instant,
}

impl Session {
    /// Loads the programs and attaches them, unless censuses alone are wanted.
    ///
    /// # Errors
    /// Not allowed, or the process changed meanwhile; without probes, its goroutines were not found.
    pub fn attach(inspected: Inspected, options: Options) -> Result<Self, SessionError> {
        let pid = inspected.process.pid();
        let memory = LiveMemory::new(pid);
        let attached = match options.no_probes {
            true => Ok(None),
            false => attach(&inspected, options, &memory).map(Some),
        };
        let passes = Passes::new(&inspected.program, &memory);
        // Whatever the kernel said, if the process is another one now then that is the reason.
        let attachment = match inspected.lifetime.vitality() {
            Vitality::Alive => attached?,
            Vitality::Ended => return Err(SessionError::Ended { pid }),
            Vitality::Replaced => return Err(SessionError::Replaced { pid }),
        };
        let passes = match passes {
            Ok(passes) => Some(passes),
            Err(error) if attachment.is_none() => return Err(error.into()),
            Err(error) => {
                tracing::warn!("only goroutines created from now on are seen: {error}");
                None
            }
        };
        let Program { binary, bias, .. } = &inspected.program;
        let now = Instant::now();
        Ok(Self {
            unwinder: Unwinder::new(binary.clone(), *bias),
            names: Names::new(binary.clone(), *bias),
            inspected,
            options,
            attachment,
            memory,
            tracker: Tracker::default(),
            rules: vec![Box::new(Accumulation), Box::new(Standing)],
            incidents: Incidents::default(),
            creation_stacks: HashMap::new(),
            passes,
            goroutines: None,
            created: None,
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
        let pclntab = self.inspected.program.binary.pclntab();
        let probes = self.attachment.iter().flat_map(|a| &a.plan.probes);
        let probes = probes.map(|probe| {
            let entry = pclntab
                .function_at(probe.site.address)
                .map_or(probe.site.address, |function| function.entry());
            let offset = probe.site.address.0.saturating_sub(entry.0);
            format!("{} at {}+{offset:#x}", probe.kind.name(), probe.function)
        });
        self.event(EventKind::Attached(Attached {
            process: self.inspected.info(),
            mode: self.mode(),
            mechanism: match self.attachment {
                Some(_) => PerfUprobes.name(),
                None => "none",
            },
            probes: probes.collect(),
        }))
    }

    /// Reads everything, goes through the births and over all goroutines, and judges each site.
    /// Leaks, new, grown or resolved, come out.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn observe(&mut self) -> Result<Vec<Event>, SessionError> {
        let started = Instant::now();
        let at = started.saturating_duration_since(self.began);
        self.keep_creation_stacks();
        let before = self.readout()?;
        // A pass that fails leaves the number unknown; the next one may not.
        let pass = self.passes.as_mut().and_then(|passes| {
            let pass = passes.take(&self.inspected.program, &self.memory, at);
            pass.inspect_err(|error| tracing::debug!(%error, "no census"))
                .ok()
        });
        self.goroutines = pass.as_ref().map(|pass| pass.alive);
        if let Some(created) = pass.as_ref().and_then(|pass| pass.created) {
            let (first, _) = self.created.unwrap_or((created, created));
            self.created = Some((first, created));
        }
        let census = pass.map(|pass| pass.sites);
        if self.attachment.is_some() {
            let after = self.readout()?;
            let living = self.living()?;
            let observation = Observation {
                stats: after.sites,
                living,
            };
            self.tracker
                .observe(at, &before.sites, observation, census.as_ref());
        } else if let (Some(census), Some(passes)) = (&census, &self.passes) {
            self.tracker.observe_census(at, census, passes.goids());
        }
        let events = self.judge(at, self.coverage(&before));
        self.next_observation =
            pass::next(started, OBSERVATION_SHARE, SHORTEST_PAUSE, LONGEST_PAUSE);
        Ok(events)
    }

    /// The counts now.
    ///
    /// # Errors
    /// The kernel's maps cannot be read.
    pub fn status(&mut self) -> Result<Event, SessionError> {
        // The moment of the counts, not of the line: who reads it compares with a clock.
        let time = timestamp(SystemTime::now());
        let readout = self.readout()?;
        self.tracker.refresh(&readout.sites);
        let status = status::status(
            &Inputs {
                mode: self.mode(),
                probes: self.attachment.as_ref().map_or(0, |a| a.probes.attached()),
                agent_cpu_ratio: self.cpu.cores(Instant::now()),
                tracker: &self.tracker,
                readout: &readout,
                incidents: &self.incidents,
                wait_reasons: self.inspected.program.wait_reasons.as_ref().ok(),
                park: self.options.park,
                goroutines: self.goroutines,
                compared: self.attachment.is_some() && self.goroutines.is_some(),
                coverage: self.coverage(&readout),
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
        let attachment = self.attachment.take();
        let clean = attachment.is_none_or(|mut attachment| attachment.probes.detach());
        self.event(EventKind::Detached(Detached {
            reason,
            clean,
            watched_seconds: self.began.elapsed().as_secs_f64(),
            leaks: self.incidents.opened(),
        }))
    }

    fn mode(&self) -> &'static str {
        if self.attachment.is_none() {
            "census"
        } else if self.options.park {
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

    fn readout(&self) -> Result<Readout, SessionError> {
        match &self.attachment {
            Some(attachment) => Ok(attachment.probes.read()?),
            None => Ok(Readout::default()),
        }
    }

    /// What is remembered of those created since attaching.
    fn living(&self) -> Result<HashMap<u64, Living>, SessionError> {
        let Some(Attachment { probes, .. }) = &self.attachment else {
            return Ok(HashMap::new());
        };
        let now_ns = monotonic_ns();
        let moments = SCALES.map(|scale| now_ns.saturating_sub(nanos(scale)));
        let births = probes.read_births(SAMPLES, &moments)?.into_iter();
        Ok(births
            .map(|(site, births)| (site, living(&births, now_ns)))
            .collect())
    }

    /// Share of the goroutines created since attaching that are known: tracked by the probes, or
    /// seen in a census.
    fn coverage(&self, readout: &Readout) -> f64 {
        if self.attachment.is_some() {
            return status::coverage(readout);
        }
        let created = self
            .created
            .map_or(0, |(first, last)| last - first.min(last));
        let seen: u64 = self.tracker.sites().map(|site| site.counts.created).sum();
        match created {
            0 => 1.0,
            created => (seen as f64 / created as f64).min(1.0),
        }
    }

    fn keep_creation_stacks(&mut self) {
        let samples = self
            .attachment
            .as_mut()
            .map(|attachment| attachment.probes.take_stacks());
        for sample in samples.into_iter().flatten() {
            let kept = self.creation_stacks.entry(sample.site).or_default();
            if kept.len() < STACKS_KEPT {
                kept.push(creators(&sample));
            }
        }
    }

    fn judge(&mut self, at: Duration, coverage: f64) -> Vec<Event> {
        let mut changes = Vec::new();
        for site in self.tracker.sites() {
            let name = self.names.site(site.pc, site.start);
            if names::is_system(&name.start.function) {
                continue;
            }
            let (judgement, rule) = detect::judge(&self.rules, site);
            if let Some(change) = self.incidents.update(site, judgement, at) {
                changes.push((site.clone(), change, rule.unwrap_or_default()));
            }
        }
        changes
            .into_iter()
            .map(|(site, change, rule)| {
                let kind = match change {
                    Change::Leaks(finding) => EventKind::Leak(Box::new(
                        Describer {
                            program: &self.inspected.program,
                            memory: &self.memory,
                            unwinder: &mut self.unwinder,
                            names: &mut self.names,
                            coverage,
                        }
                        .leak(
                            &site,
                            finding,
                            rule,
                            self.creation_stacks
                                .get(&site.pc.0)
                                .and_then(|stacks| stacks.first()),
                        ),
                    )),
                    Change::Resolved(evidence) => EventKind::Resolved(Resolved {
                        site: self.names.site(site.pc, site.start).clone(),
                        live: site.alive(),
                        evidence,
                    }),
                };
                self.event(kind)
            })
            .collect()
    }
}

/// Loads the programs and attaches them.
fn attach(
    inspected: &Inspected,
    options: Options,
    memory: &LiveMemory,
) -> Result<Attachment, SessionError> {
    let plan = inspected.plan(options)?;
    let offsets = gostray_common::Offsets {
        gopc: inspected.program.layout.gopc,
        startpc: inspected.program.layout.startpc,
    };
    let mut probes = Probes::load(&plan, offsets, options.limits)?;
    if let Some(pid) = NonZeroU32::new(inspected.process.pid().cast_unsigned()) {
        let exe = inspected.process.exe_link();
        let bias = inspected.program.bias;
        probes.attach(&plan, &PerfUprobes, &exe, pid, memory, bias)?;
    }
    Ok(Attachment { plan, probes })
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
