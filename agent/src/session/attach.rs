//! The beginning of a session: what the process does is looked at before anything is attached.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::{
    Inspected, Names, Options, Program, Session, SessionError,
    govern::{LOOK, TICK},
    impact::Impacts,
    load::LoadMeter,
    pass::Passes,
    probing::Probing,
    proving::{self, Proving},
    runtime_metrics::Allocated,
    spending::{Spending, Used},
    work::Average,
};
use crate::{
    detect::{Accumulation, Backlog, Incidents, Outliving, Standing},
    governor::{Governor, HitCosts, Mode},
    memory::LiveMemory,
    probes::{Calibration, Limit},
    runtime::Unwinder,
    target::Vitality,
    track::Tracker,
};

impl Session {
    /// Finds out what hits cost here and what the program does, and attaches what that allows.
    ///
    /// # Errors
    /// Not allowed, or the process changed meanwhile; without probes, its goroutines were not found.
    pub fn attach(inspected: Inspected, options: Options) -> Result<Self, SessionError> {
        options.check_stop_file()?;
        let pid = inspected.process.pid();
        let memory = LiveMemory::new(pid);
        let passes = Passes::new(&inspected.program, &memory);
        let passes = match passes {
            Ok(passes) => Some(passes),
            Err(error) if options.ceiling() == Mode::Census => {
                return Err(inspected.ended().unwrap_or(error.into()));
            }
            Err(error) => {
                tracing::warn!("only goroutines created from now on are seen: {error}");
                None
            }
        };
        let looked = Instant::now();
        let mut load = LoadMeter::new(pid, passes.as_ref().and_then(Passes::scheduler));
        load.measure(&memory);
        let calibration = match options.ceiling() {
            Mode::Census => None,
            _ => Some(Calibration::of_this_machine()?),
        };
        if options.budget.is_limited() {
            std::thread::sleep(LOOK.saturating_sub(looked.elapsed()));
        }
        let costs = calibration
            .as_ref()
            .map_or(HitCosts::UNKNOWN, |c| c.costs(options.choice));
        let mut governor = Governor::new(options.budget, options.ceiling(), costs);
        governor.set_least_creations(options.least_creations);
        let first_reason = governor.first(load.measure(&memory));
        let limit = Limit {
            budget: options.budget,
            costs,
            stop_file: options.stop_file.clone(),
        };
        let mut probing = Probing::new(limit, options.limits_for(None));
        let mut tracker = Tracker::default();
        let mode = governor.mode();
        let attached = match mode.counts_all() {
            true => probing.count_all(&inspected, &options, &memory, mode == Mode::Full),
            false => {
                tracker.begin_stretch(false);
                Ok(())
            }
        };
        Calibration::let_go();
        // Whatever the kernel said, if the process is another one now then that is the reason.
        if let Some(ended) = inspected.ended() {
            return Err(ended);
        }
        attached?;
        let past = Self::past_of(&inspected, &options);
        let Program { binary, bias, .. } = &inspected.program;
        let proving = passes.as_ref().map(|passes| {
            Proving::start(proving::Target {
                binary: binary.clone(),
                bias: *bias,
                landmarks: *passes.landmarks(),
                pid,
                budget: options.budget,
                memory: options.memory,
            })
        });
        let proving = proving.transpose();
        let proving = proving.unwrap_or_else(|error| {
            tracing::warn!("there is no thread for proofs: {error}");
            None
        });
        let now = Instant::now();
        let used = Used {
            agent: options.accounting.used(),
            target: 0.0,
        };
        Ok(Self {
            unwinder: Unwinder::new(binary.clone(), *bias),
            names: Names::new(binary.clone(), *bias),
            inspected,
            options,
            memory,
            tracker,
            rules: vec![
                Box::new(Accumulation),
                Box::new(Outliving),
                Box::new(Backlog),
                Box::new(Standing),
            ],
            incidents: Incidents::default(),
            glances: HashMap::new(),
            suppressed: HashSet::new(),
            suppressions: 0,
            impacts: Impacts::new(
                pid,
                passes.as_ref().and_then(Passes::heap),
                load.created_by_now(),
            ),
            births: HashMap::new(),
            births_at: Duration::ZERO,
            creation_stacks: HashMap::new(),
            passes,
            past,
            identified: 0,
            proving,
            has_marked: false,
            proofs: HashMap::new(),
            goroutines: None,
            states: None,
            runtime: None,
            allocated: Allocated::default(),
            governor,
            first_reason,
            probing,
            calibration,
            load,
            used,
            suspects: None,
            focused: HashMap::new(),
            focused_at: Duration::ZERO,
            spending: Spending::new(now, used),
            began: now,
            last_work: 0.0,
            work: Average::default(),
            observed: None,
            observed_every: None,
            next_observation: now,
            next_tick: now + TICK,
            ticked: now,
            parks: 0,
            switching: 0.0,
        })
    }
}

impl Inspected {
    /// The reason if the process is not there any more, or another program.
    fn ended(&self) -> Option<SessionError> {
        let pid = self.process.pid();
        match self.lifetime.vitality() {
            Vitality::Alive => None,
            Vitality::Ended => Some(SessionError::Ended { pid }),
            Vitality::Replaced => Some(SessionError::Replaced { pid }),
        }
    }
}
