//! What it chooses, for programs that exist as numbers only.

use proptest::prelude::*;

use super::{
    Budget, Mode,
    simulation::{ATTACHING, COSTS, Outcome, Program, watch},
};

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

/// What a program did, a second a line.
fn recorded(text: &str) -> Vec<Program> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let numbers: Vec<Option<f64>> = line.split(' ').map(|n| n.parse().ok()).collect();
            Program {
                parks: numbers[1].unwrap_or(0.0),
                parks_each: 1.0,
                switches: numbers[2].unwrap_or(0.0),
                suspect: numbers[3],
                ..Program::creating(numbers[0].unwrap_or(0.0))
            }
        })
        .collect()
}

#[test]
fn a_server_whose_clients_come_and_go() {
    let loads = recorded(include_str!("../../testdata/loads/http.txt"));
    for ceiling in [Mode::Lifetimes, Mode::Full] {
        for percent in [0.2, 1.0, 5.0] {
            let budget = Budget::new(percent / 100.0).expect("in range");
            let outcome = watch(budget, ceiling, &loads);
            let allowed = budget.cores() * outcome.seconds;
            // One leap of the load, and what was saved.
            let excess = 4.0 * budget.cores() + 0.1 + 2.0 * ATTACHING;
            assert!(
                outcome.spent <= allowed + excess,
                "{percent}: {}",
                outcome.spent
            );
            assert!(
                outcome.changes.len() <= 6,
                "{percent}: {:?}",
                modes(&outcome)
            );
        }
    }
    let outcome = watch(Budget::DEFAULT, Mode::Lifetimes, &loads);
    let said: String = outcome
        .changes
        .iter()
        .map(|(at, change)| format!("{at} s: {}: {}\n", change.mode.as_str(), change.reason))
        .collect();
    insta::assert_snapshot!(said, @r"
    21 s: census: too dear
    49 s: focused: to count the creations of the sites under suspicion
    82 s: census: no site is suspected any more
    ");
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
