//! Verdicts on synthetic sites.

use proptest::prelude::*;

use super::{
    Verdict::{self, Likely, Suspect},
    simulation::{Life, Reports, each_second, first, watch, watch_numbers, watch_queue},
};
use crate::runtime::Purpose;

/// `rate` a second from one moment to another, evenly.
fn evenly(rate: f64, from: f64, to: f64) -> impl Iterator<Item = f64> {
    let number = ((to - from) * rate) as u32;
    (0..number).map(move |n| from + (f64::from(n) + 0.5) / rate)
}

fn lasting(births: impl Iterator<Item = f64>, lasts: f64) -> Vec<Life> {
    births.map(|born| Life::new(born, lasts)).collect()
}

fn lost(births: impl Iterator<Item = f64>) -> Vec<Life> {
    births.map(Life::lost).collect()
}

fn within(reports: &Reports, verdict: Verdict, seconds: f64) {
    let at = first(reports, verdict);
    assert!(
        at.is_some_and(|at| at <= seconds),
        "{verdict:?}: {reports:?}"
    );
}

fn never(reports: &Reports, verdict: Verdict) {
    assert_eq!(first(reports, verdict), None, "{reports:?}");
}

#[test]
fn one_a_second_is_likely_within_a_minute() {
    let reports = watch(&lost(evenly(1.0, 0.0, 100.0)), each_second(100));
    within(&reports, Suspect, 25.0);
    within(&reports, Likely, 55.0);
    assert_eq!(reports.len(), 2, "each verdict once: {reports:?}");
}

#[test]
fn so_is_one_that_began_long_before() {
    let reports = watch(&lost(evenly(1.0, -3000.0, 100.0)), each_second(100));
    within(&reports, Likely, 55.0);
}

#[test]
fn one_in_a_thousand_of_a_busy_site_is() {
    let mut lives = lasting(evenly(200.0, 0.0, 80.0), 0.005);
    lives.extend(lasting(evenly(2.0, 0.0, 80.0), 0.9));
    lives.extend(lost(evenly(0.5, 0.0, 80.0)));
    within(&watch(&lives, each_second(80)), Likely, 70.0);
}

#[test]
fn lost_ones_among_long_lives_are_told_by_their_age() {
    let mut lives = lasting(evenly(10.0, -20.0, 100.0), 9.0);
    lives.extend(lost(evenly(1.0, 0.0, 100.0)));
    within(&watch(&lives, each_second(100)), Likely, 65.0);
}

#[test]
fn a_slow_leak_takes_longer() {
    let reports = watch(&lost(evenly(0.05, 0.0, 900.0)), each_second(900));
    within(&reports, Likely, 500.0);
}

#[test]
fn loops_that_never_end_are_found_though_they_run() {
    let ticking = evenly(2.0, 0.0, 100.0).map(|born| Life {
        runs_every: 1.0,
        waiting: Purpose::Clock,
        ..Life::lost(born)
    });
    let ticking: Vec<Life> = ticking.collect();
    within(&watch(&ticking, each_second(100)), Likely, 60.0);
}

#[test]
fn a_queue_that_grows_faster_than_it_is_served_is_likely() {
    // Ten a second come, and six are let through, in turn.
    let queue: Vec<Life> = (0..1200)
        .map(|n| {
            let born = f64::from(n) / 10.0;
            Life::new(born, f64::from(n) / 6.0 - born + 0.1)
        })
        .collect();
    within(&watch_queue(&queue, each_second(120)), Likely, 60.0);
}

#[test]
fn a_queue_that_drains_again_is_none() {
    // For half a minute in every one and a half more come than are let through.
    let mut free_at = 0.0_f64;
    let mut queue = Vec::new();
    for n in 0..3000 {
        let born = f64::from(n) / 10.0;
        let crowded = born % 90.0 < 30.0;
        if !crowded && n % 4 != 0 {
            continue;
        }
        free_at = free_at.max(born) + 1.0 / 6.0;
        queue.push(Life::new(born, free_at - born));
    }
    never(&watch_queue(&queue, each_second(300)), Likely);
}

#[test]
fn requests_that_give_up_are_no_leak() {
    for timeout in [5.0, 10.0, 20.0, 30.0, 38.0] {
        let mut lives = lasting(evenly(20.0, 0.5, 300.0), timeout);
        never(&watch(&lives, each_second(300)), Likely);
        // Most are quick, and some give up.
        lives = lasting(evenly(50.0, 0.0, 300.0), 0.01);
        lives.extend(lasting(evenly(2.0, 0.0, 300.0), timeout));
        never(&watch(&lives, each_second(300)), Likely);
    }
}

#[test]
fn a_pool_that_fills_and_stays_is_none() {
    for seconds in [5.0, 20.0, 35.0] {
        let pool = lost(evenly(5.0, 0.0, seconds));
        never(&watch(&pool, each_second(300)), Likely);
    }
}

#[test]
fn a_burst_that_never_drains_is_suspect() {
    let burst = lost((0..3000).map(|n| 40.0 + 0.001 * f64::from(n)));
    let reports = watch(&burst, each_second(200));
    within(&reports, Suspect, 70.0);
    never(&reports, Likely);
}

#[test]
fn bursts_that_drain_are_none() {
    let bursts = (0..8).flat_map(|burst| {
        let begins = f64::from(burst) * 40.0;
        (0..200).map(move |n| Life::new(begins + 0.01 * f64::from(n), 2.0 + 0.1 * f64::from(n)))
    });
    let bursts: Vec<Life> = bursts.collect();
    never(&watch(&bursts, each_second(300)), Likely);
}

#[test]
fn growth_that_follows_the_load_is_none() {
    // From one a second to ten, for five minutes, each staying half a minute.
    let ramp = (0..1650_u32).map(|n| Life::new((f64::from(n) / 1650.0).sqrt() * 300.0, 30.0));
    let ramp: Vec<Life> = ramp.collect();
    never(&watch(&ramp, each_second(300)), Likely);
}

#[test]
fn connections_in_use_are_at_most_suspect() {
    let connections = evenly(0.5, 0.0, 300.0).map(|born| Life {
        runs_every: 2.0,
        waiting: Purpose::Network,
        ..Life::lost(born)
    });
    let connections: Vec<Life> = connections.collect();
    never(&watch(&connections, each_second(300)), Likely);
}

#[test]
fn listeners_that_ask_again_and_again_are_at_most_suspect() {
    let listeners = evenly(1.0, 0.0, 90.0).map(|born| Life {
        runs_every: 20.0,
        ..Life::lost(born)
    });
    let listeners: Vec<Life> = listeners.collect();
    never(&watch(&listeners, each_second(300)), Likely);
}

#[test]
fn those_who_stay_while_others_change_get_older_not_more() {
    // A hundred at once, of which one in ten seconds makes room for another.
    let mut lives: Vec<Life> = (0..100)
        .map(|n| Life::new(0.2 * f64::from(n), 30.0 + 10.0 * f64::from(n)))
        .collect();
    lives.extend((3..40).map(|n| Life::lost(20.0 + 10.0 * f64::from(n))));
    never(&watch(&lives, each_second(400)), Likely);
}

#[test]
fn who_sleeps_will_wake() {
    let sleepers = evenly(3.0, 0.0, 300.0).map(|born| Life {
        waiting: Purpose::Clock,
        ..Life::new(born, 250.0)
    });
    let sleepers: Vec<Life> = sleepers.collect();
    never(&watch(&sleepers, each_second(300)), Likely);
}

#[test]
fn a_pool_whose_workers_are_replaced_is_none() {
    // Fifty workers at any time, one of them replaced every two seconds.
    let workers = (0..200).map(|n| Life::new(f64::from(n) * 2.0 - 100.0, 100.0));
    let workers: Vec<Life> = workers.collect();
    never(&watch(&workers, each_second(300)), Suspect);
}

#[test]
fn looking_seldom_takes_longer_and_finds_it_all_the_same() {
    let leak = lost(evenly(2.0, 0.0, 300.0));
    for period in [6.0, 11.0, 15.0] {
        let seldom = (0..20)
            .map(|n| f64::from(n) * period)
            .filter(|at| *at < 300.0);
        within(&watch(&leak, seldom), Likely, 7.0 * period + 20.0);
    }
}

/// Where ages were known at passes alone, everybody beyond 3 s was beyond 12 s too, and none
/// of them had successors.
#[test]
fn ages_are_known_between_seldom_passes() {
    let leak = lost(evenly(2.0, -50.0, 300.0));
    for period in [5.5, 8.5, 13.0, 22.0, 25.0] {
        let seldom = (0..30)
            .map(|n| f64::from(n) * period)
            .filter(|at| *at < 300.0);
        within(&watch_numbers(&leak, seldom), Likely, 6.0 * period + 20.0);
    }
}

#[test]
fn a_pause_of_the_agent_changes_nothing() {
    let leak = lost(evenly(1.0, 0.0, 200.0));
    let with_pause = each_second(30).chain((90..200).map(f64::from));
    within(&watch(&leak, with_pause), Likely, 140.0);
    let healthy = lasting(evenly(5.0, -100.0, 300.0), 20.0);
    let with_pause = each_second(30).chain((150..300).map(f64::from));
    never(&watch(&healthy, with_pause), Likely);
}

/// Lives that all end within `longest`.
fn healthy(longest: f64) -> impl Strategy<Value = Vec<Life>> {
    let life = (-50.0..200.0_f64, 0.001..longest, 0.2..60.0_f64);
    prop::collection::vec(life, 0..600).prop_map(|lives| {
        let life = |(born, lasts, runs_every)| Life {
            runs_every,
            ..Life::new(born, lasts)
        };
        lives.into_iter().map(life).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whoever ends within half a minute is no leak, whatever the load does.
    #[test]
    fn what_ends_is_never_likely(lives in healthy(35.0)) {
        never(&watch(&lives, each_second(200)), Likely);
    }

    #[test]
    fn without_growth_there_is_nothing_to_say(
        standing in 0..400_u32,
        seconds in 100..300_u32,
    ) {
        let lives = lost((0..standing).map(|n| -1.0 - f64::from(n)));
        prop_assert_eq!(watch(&lives, each_second(seconds)), Reports::new());
    }

    /// Goroutines that stay for good, however many, hide nothing.
    #[test]
    fn offset_does_not_matter(rate in 1.0..20.0_f64, standing in 0..500_u32) {
        let leak = lost(evenly(rate, 0.0, 80.0));
        let mut with_more = lost((0..standing).map(|n| -1.0 - f64::from(n)));
        with_more.extend(&leak);
        prop_assert_eq!(watch(&with_more, each_second(80)), watch(&leak, each_second(80)));
    }

    /// Each goroutine `scale` times: what was said is said no later.
    #[test]
    fn scale_does_not_matter(rate in 1.0..5.0_f64, scale in 2..8_usize) {
        let one = lost(evenly(rate, 0.0, 80.0));
        let many: Vec<Life> = one.iter().flat_map(|life| vec![*life; scale]).collect();
        let (one, many) = (watch(&one, each_second(80)), watch(&many, each_second(80)));
        for verdict in [Suspect, Likely] {
            prop_assert!(first(&many, verdict) <= first(&one, verdict), "{one:?} {many:?}");
        }
    }

    /// Only when they were created and ended matters, not in which order they are listed; and within
    /// one second not even that.
    #[test]
    fn order_within_a_window_does_not_matter(
        jitter in prop::collection::vec(0.0..0.99_f64, 400),
        rate in 1..4_u32,
    ) {
        let even: Vec<Life> = (0..80 * rate)
            .map(|n| Life::lost(f64::from(n / rate) + 0.5))
            .collect();
        let uneven: Vec<Life> = even
            .iter()
            .zip(&jitter)
            .map(|(life, jitter)| Life::lost(life.born.floor() + 0.005 + jitter))
            .rev()
            .collect();
        let (even, uneven) = (watch(&even, each_second(80)), watch(&uneven, each_second(80)));
        for verdict in [Suspect, Likely] {
            let apart = first(&even, verdict).zip(first(&uneven, verdict)).map(|(a, b)| (a - b).abs());
            prop_assert!(apart.is_some_and(|apart| apart <= 6.0), "{even:?} {uneven:?}");
        }
    }
}
