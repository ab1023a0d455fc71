//! The governor against programs that exist as numbers only.

use std::time::Duration;

use super::{Bucket, Budget, Change, Governor, HitCosts, Load, Mode, Tick};
use gostray_common::ProbeKind;

pub(super) const COSTS: HitCosts = HitCosts {
    kinds: [0.7e-6, 0.6e-6, 0.6e-6, 0.6e-6],
    refused: 0.5e-6,
    switch: 0.13e-6,
    crowding: 0.0,
    other_processors: 1.0,
};
/// Attaching is work.
pub(super) const ATTACHING: f64 = 0.02;
pub(super) const AGENT: f64 = 0.001;
pub(super) const TICK: Duration = Duration::from_millis(200);

/// A program that creates, and parks, so many times a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    pub(super) creations: f64,
    pub(super) parks: f64,
    /// Parks for each time that one is scheduled.
    pub(super) parks_each: f64,
    pub(super) switches: f64,
    /// Creations at the site under suspicion.
    pub(super) suspect: Option<f64>,
}

impl Program {
    pub(super) const fn creating(creations: f64) -> Self {
        Self {
            creations,
            parks: 3.0 * creations,
            parks_each: 1.0,
            switches: 0.0,
            suspect: None,
        }
    }

    fn hits(&self, mode: Mode, kind: ProbeKind) -> f64 {
        let counted = mode.counts_all();
        match kind {
            ProbeKind::Creation | ProbeKind::Exit if counted => self.creations,
            ProbeKind::Park if mode == Mode::Full => self.parks,
            ProbeKind::Statement if mode == Mode::Focused => self.suspect.unwrap_or(0.0),
            _ => 0.0,
        }
    }
}

/// What became of a watched program.
pub(super) struct Outcome {
    pub(super) spent: f64,
    pub(super) seconds: f64,
    pub(super) changes: Vec<(u64, Change)>,
    pub(super) mode: Mode,
}

/// Watches a program that does `loads[n]` in second `n`, with guard and detaching as they are.
pub(super) fn watch(budget: Budget, ceiling: Mode, loads: &[Program]) -> Outcome {
    let mut governor = Governor::new(budget, ceiling, COSTS);
    let load = |program: &Program| Load {
        creations: Some(program.creations),
        schedules: Some(program.parks / program.parks_each),
        switches: Some(program.switches),
    };
    governor.first(load(&loads[0]));
    let mut bucket = Bucket::new(budget);
    let (mut spent, mut changes, mut attaching) = (0.0, Vec::new(), 0.0);
    for (second, program) in (1..).zip(loads) {
        let (mut target, mut tripped) = (0.0, None);
        let mode_before = governor.mode();
        for _ in 0..5 {
            let mode = governor.mode();
            let switches = program.switches * TICK.as_secs_f64();
            let mut cost = COSTS.switching(switches, mode.probes());
            for kind in ProbeKind::ALL {
                let hits = program.hits(mode, kind) * TICK.as_secs_f64();
                let admitted = hits.min(bucket.hits(COSTS.of(kind), 2) as f64);
                cost += admitted * COSTS.of(kind) + (hits - admitted) * COSTS.refused;
            }
            // From the tick after it is empty, they are gone.
            if tripped.is_some() {
                continue;
            }
            target += cost;
            bucket.settle(TICK, cost);
            if bucket.is_empty() {
                tripped = Some("too dear".to_owned());
            }
        }
        let tick = Tick {
            at: Duration::from_secs(second),
            load: load(program),
            agent: AGENT.min(budget.cores() / 2.0) + std::mem::take(&mut attaching),
            target,
            tripped,
            parks: 5.0 * program.hits(mode_before, ProbeKind::Park) * TICK.as_secs_f64(),
            suspects: program.suspect,
        };
        spent += tick.agent + tick.target;
        if let Some(change) = governor.tick(&tick) {
            if change.mode > change.previous {
                attaching = ATTACHING;
            }
            bucket = Bucket::new(budget);
            changes.push((second, change));
        }
    }
    Outcome {
        spent,
        seconds: loads.len() as f64,
        changes,
        mode: governor.mode(),
    }
}
