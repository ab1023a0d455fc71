//! The governor against programs that exist as numbers only.

use std::time::Duration;

use gostray_common::ProbeKind;
use proptest::prelude::*;

use super::{Bucket, Budget, Change, Governor, HitCosts, Load, Mode, Tick};

const COSTS: HitCosts = HitCosts {
    kinds: [0.7e-6, 0.6e-6, 0.6e-6, 0.6e-6],
    refused: 0.5e-6,
    switch: 0.13e-6,
    crowding: 0.0,
    other_processors: 1.0,
};
/// Attaching is work.
const ATTACHING: f64 = 0.02;
const AGENT: f64 = 0.001;
const TICK: Duration = Duration::from_millis(200);

/// A program that creates, and parks, so many times a second.
#[derive(Clone, Copy, Debug)]
struct Program {
    creations: f64,
    parks: f64,
    /// Parks for each time that one is scheduled.
    parks_each: f64,
    switches: f64,
    /// Creations at the site under suspicion.
    suspect: Option<f64>,
}

impl Program {
    const fn creating(creations: f64) -> Self {
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
struct Outcome {
    spent: f64,
    seconds: f64,
    changes: Vec<(u64, Change)>,
    mode: Mode,
}

/// Watches a program that does `loads[n]` in second `n`, with guard and detaching as they are.
fn watch(budget: Budget, ceiling: Mode, loads: &[Program]) -> Outcome {
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

fn modes(outcome: &Outcome) -> Vec<(u64, Mode)> {
    let changes = outcome.changes.iter();
    changes.map(|(at, change)| (*at, change.mode)).collect()
}

#[test]
fn the_richest_mode_that_fits_is_chosen_before_anything_is_attached() {
    let first = |creations, ceiling| {
        let outcome = watch(Budget::DEFAULT, ceiling, &[Program::creating(creations); 1]);
        outcome.mode
    };
    assert_eq!(first(100.0, Mode::Full), Mode::Full);
    assert_eq!(first(3_000.0, Mode::Full), Mode::Lifetimes);
    assert_eq!(first(100.0, Mode::Lifetimes), Mode::Lifetimes);
    assert_eq!(first(50_000.0, Mode::Full), Mode::Census);
    assert_eq!(first(0.0, Mode::Census), Mode::Census);
}

#[test]
fn a_load_that_is_stepped_up_and_down_is_followed_once() {
    let mut loads = vec![Program::creating(500.0); 60];
    loads.extend([Program::creating(20_000.0); 60]);
    loads.extend([Program::creating(500.0); 120]);
    let outcome = watch(Budget::DEFAULT, Mode::Lifetimes, &loads);
    let modes = modes(&outcome);
    assert!(
        matches!(
            modes.as_slice(),
            [(61..=63, Mode::Census), (130..=160, Mode::Lifetimes)]
        ),
        "{modes:?}"
    );
    insta::assert_snapshot!(
        outcome.changes.iter().map(|(_, change)| &*change.reason).collect::<Vec<_>>().join("\n"),
        @r"
    watching cost 2.70 % of a core of late; the budget is 1%
    500 creations a second cost about 0.17 % of a core, within the budget of 1%
    "
    );
}

#[test]
fn a_little_too_much_is_noticed_as_well() {
    let mut loads = vec![Program::creating(500.0); 10];
    loads.extend([Program::creating(8_000.0); 60]);
    let outcome = watch(Budget::DEFAULT, Mode::Lifetimes, &loads);
    let modes = modes(&outcome);
    assert!(
        matches!(modes.as_slice(), [(11..=40, Mode::Census)]),
        "{modes:?}"
    );
    assert!(outcome.changes[0].1.reason.starts_with("watching cost 1."));
}

#[test]
fn a_suspect_of_a_busy_program_is_looked_at_alone() {
    let suspect = Program {
        suspect: Some(20.0),
        ..Program::creating(100_000.0)
    };
    let mut loads = vec![Program::creating(100_000.0); 30];
    loads.extend([suspect; 30]);
    loads.extend([Program::creating(100_000.0); 60]);
    let outcome = watch(Budget::DEFAULT, Mode::Lifetimes, &loads);
    let modes = modes(&outcome);
    assert!(
        matches!(
            modes.as_slice(),
            [(31..=35, Mode::Focused), (85..=95, Mode::Census)]
        ),
        "{modes:?}"
    );
}

#[test]
fn parks_that_cannot_be_foreseen_are_tried_once() {
    let ping_pong = Program {
        parks: 1e6,
        parks_each: 1e4,
        ..Program::creating(10.0)
    };
    let outcome = watch(Budget::DEFAULT, Mode::Full, &[ping_pong; 300]);
    let modes = modes(&outcome);
    assert!(
        matches!(
            modes.as_slice(),
            [(1, Mode::Census), (20..=120, Mode::Lifetimes)]
        ),
        "{modes:?}"
    );
}

#[test]
fn a_program_that_sleeps_and_wakes_all_the_time_gets_no_probe() {
    let sleepy = Program {
        switches: 100_000.0,
        ..Program::creating(10.0)
    };
    let outcome = watch(Budget::DEFAULT, Mode::Lifetimes, &[sleepy; 60]);
    assert_eq!((outcome.mode, outcome.changes.len()), (Mode::Census, 0));
}

#[test]
fn without_a_limit_nothing_changes() {
    let loads = [Program::creating(1e6); 50];
    let outcome = watch(Budget::UNLIMITED, Mode::Full, &loads);
    assert_eq!((outcome.mode, outcome.changes.len()), (Mode::Full, 0));
}

#[test]
fn a_load_that_comes_and_goes_is_left_alone_after_a_while() {
    let loads: Vec<Program> = (0..3600)
        .map(|second| Program::creating(if second / 40 % 2 == 0 { 50.0 } else { 1e5 }))
        .collect();
    let outcome = watch(Budget::DEFAULT, Mode::Lifetimes, &loads);
    assert!(outcome.changes.len() <= 16, "{:?}", modes(&outcome));
}

proptest! {
    /// Whatever the program does, the budget is kept in the long run.
    #[test]
    fn the_budget_is_kept(
        percent in 0.2_f64..10.0,
        steps in prop::collection::vec((1_usize..90, 0.0_f64..6.0, prop::option::of(0.0_f64..5.0)), 5..60),
    ) {
        let budget = Budget::new(percent / 100.0).expect("in range");
        let mut loads = Vec::new();
        for (seconds, size, suspect) in steps {
            let program = Program {
                suspect: suspect.map(|size| 10_f64.powf(size)),
                ..Program::creating(10_f64.powf(size))
            };
            loads.extend(std::iter::repeat_n(program, seconds));
        }
        let outcome = watch(budget, Mode::Full, &loads);
        // The last excess: a bucket, hits turned away for a tick or two, and attaching.
        let excess = 4.0 * budget.cores() + 0.1 + ATTACHING + 5e6 * COSTS.refused * 0.4;
        prop_assert!(
            outcome.spent <= budget.cores() * outcome.seconds + excess,
            "{} s in {} s", outcome.spent, outcome.seconds
        );
    }

    /// Under a load that is steady but for noise, it settles.
    #[test]
    fn it_never_oscillates(
        size in 0.0_f64..6.0,
        noise in prop::collection::vec(0.8_f64..1.2, 1200),
    ) {
        let loads: Vec<Program> = noise
            .iter()
            .map(|noise| Program::creating(noise * 10_f64.powf(size)))
            .collect();
        let outcome = watch(Budget::DEFAULT, Mode::Full, &loads);
        prop_assert!(outcome.changes.len() <= 3, "{:?}", modes(&outcome));
    }
}
