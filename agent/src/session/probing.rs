//! The probes of a session: those that are there, and those that are leaving.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use super::{Inspected, Options, SessionError};
use crate::{
    binary::RuntimeAddress,
    governor::{Budget, Hits},
    memory::LiveMemory,
    probes::{Limit, Limits, PerfUprobes, Plan, Probes, Readout, Trip},
};

/// How long the end waits for the kernel to detach.
const DETACH_GRACE: Duration = Duration::from_secs(5);

/// Loaded programs, and where they were put.
pub(super) struct Attached {
    pub(super) plan: Plan,
    /// How large its maps are.
    pub(super) limits: Limits,
    pub(super) probes: Probes,
}

/// All that is attached to one process, and what it has cost.
pub(super) struct Probing {
    limit: Limit,
    limits: Limits,
    now: Option<Attached>,
    /// The kernel takes its time to detach; until then they cost something.
    leaving: Vec<Probes>,
    /// What those have cost that are gone.
    gone: (Hits, f64),
}

/// What all probes have cost so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Cost {
    pub(super) hits: Hits,
    /// Processor time in the target.
    pub(super) seconds: f64,
    /// Those that are there have been taken away.
    pub(super) trip: Option<Trip>,
}

impl Probing {
    pub(super) fn new(limit: Limit, limits: Limits) -> Self {
        Self {
            limit,
            limits,
            now: None,
            leaving: Vec::new(),
            gone: (Hits::default(), 0.0),
        }
    }

    /// Maps are so large from the next time on.
    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// From now on all may cost so much.
    pub(super) fn set_budget(&mut self, budget: Budget) {
        self.limit.budget = budget;
        for probes in self
            .leaving
            .iter()
            .chain(self.now.as_ref().map(|now| &now.probes))
        {
            probes.set_budget(budget);
        }
    }

    /// Counts the creations and ends of all goroutines, and parks if wanted.
    pub(super) fn count_all(
        &mut self,
        inspected: &Inspected,
        options: &Options,
        memory: &LiveMemory,
        park: bool,
    ) -> Result<(), SessionError> {
        let plan = inspected.plan(options.choice, park)?;
        self.attach(inspected, memory, plan)
    }

    /// Counts the creations of these sites.
    pub(super) fn count_at(
        &mut self,
        inspected: &Inspected,
        memory: &LiveMemory,
        sites: &[RuntimeAddress],
    ) -> Result<(), SessionError> {
        let program = &inspected.program;
        let behind: Vec<_> = sites
            .iter()
            .map(|site| program.bias.to_link(*site))
            .collect();
        let plan = Plan::statements(&program.binary, &behind)?;
        self.attach(inspected, memory, plan)
    }

    fn attach(
        &mut self,
        inspected: &Inspected,
        memory: &LiveMemory,
        plan: Plan,
    ) -> Result<(), SessionError> {
        self.stop();
        let layout = &inspected.program.layout;
        let offsets = gostray_common::Offsets {
            gopc: layout.gopc,
            startpc: layout.startpc,
        };
        let mut probes = Probes::load(&plan, offsets, self.limits, self.limit.clone())?;
        if let Some(pid) = NonZeroU32::new(inspected.process.pid().cast_unsigned()) {
            let exe = inspected.process.exe_link();
            let bias = inspected.program.bias;
            probes.attach(&plan, &PerfUprobes, &exe, pid, memory, bias)?;
        }
        self.now = Some(Attached {
            plan,
            limits: self.limits,
            probes,
        });
        Ok(())
    }

    /// Lets all work in the target end at once. The counts can still be read.
    pub(super) fn pause(&mut self) {
        if let Some(attached) = &mut self.now {
            attached.probes.detach();
        }
    }

    /// Takes the probes away, in the background.
    pub(super) fn stop(&mut self) {
        self.pause();
        self.leaving.extend(self.now.take().map(|now| now.probes));
    }

    /// Those that are there.
    pub(super) fn now(&self) -> Option<&Attached> {
        self.now.as_ref()
    }

    /// The same, to take from.
    pub(super) fn now_mut(&mut self) -> Option<&mut Attached> {
        self.now.as_mut()
    }

    /// How many are attached.
    pub(super) fn attached(&self) -> usize {
        self.now.as_ref().map_or(0, |now| now.probes.attached())
    }

    /// What has been counted; nothing where there are no probes.
    pub(super) fn read(&self) -> Result<Readout, SessionError> {
        match &self.now {
            Some(attached) => Ok(attached.probes.read()?),
            None => Ok(Readout::default()),
        }
    }

    /// What all have cost.
    pub(super) fn cost(&mut self) -> Cost {
        let gone = &mut self.gone;
        self.leaving.retain(|probes| {
            let is_gone = probes.is_gone_by(Instant::now());
            if is_gone {
                let spent = probes.spent();
                *gone = (gone.0.plus(&spent.hits), gone.1 + spent.seconds);
            }
            !is_gone
        });
        let mut cost = Cost {
            hits: self.gone.0,
            seconds: self.gone.1,
            trip: None,
        };
        for probes in self
            .leaving
            .iter()
            .chain(self.now.as_ref().map(|now| &now.probes))
        {
            let spent = probes.spent();
            cost.hits = cost.hits.plus(&spent.hits);
            cost.seconds += spent.seconds;
        }
        if let Some(now) = &self.now {
            cost.trip = now.probes.spent().trip;
        }
        cost
    }

    /// Takes everything away, and waits for a while. Whether all were gone by then.
    pub(super) fn end(&mut self) -> bool {
        self.stop();
        let deadline = Instant::now() + DETACH_GRACE;
        self.leaving
            .iter()
            .all(|probes| probes.is_gone_by(deadline))
    }
}
