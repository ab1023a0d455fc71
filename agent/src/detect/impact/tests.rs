//! Synthetic pasts.

use proptest::prelude::*;

use super::*;

fn at(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// One sample a second, with what `sample` makes of the second.
fn history(seconds: u32, sample: impl Fn(u32) -> (u64, u64, u64)) -> History {
    let mut history = History::default();
    for second in 0..seconds {
        let (live, rss, heap) = sample(second);
        history.push(Sample {
            at: at(second.into()),
            live,
            rss: Some(rss),
            heap: Some(heap),
        });
    }
    history
}

fn near(figure: &Figure, expected: f64) -> bool {
    figure
        .as_ref()
        .is_ok_and(|found| (found - expected).abs() <= 0.01 * expected.abs())
}

const MIB: u64 = 1 << 20;

/// One goroutine a second, of 64 KiB each, in a process of 20 MiB.
fn leak(second: u32) -> (u64, u64, u64) {
    let live = u64::from(second);
    (live, 20 * MIB + live * 65_536, 4 * MIB + live * 65_536)
}

#[test]
fn a_leak_that_takes_memory() {
    let impact = Impact::of(&history(100, leak), None, Some(2048.0));
    assert!(near(&impact.goroutines_per_hour, 3600.0), "{impact:?}");
    assert!(near(&impact.stack_bytes_per_hour, 3600.0 * 2048.0));
    assert!(near(&impact.bytes_per_goroutine, 65_536.0));
    assert!(near(&impact.rss_correlation, 1.0) && near(&impact.heap_correlation, 1.0));
    assert!(near(&impact.bytes_per_hour, 3600.0 * 65_536.0));
    assert!(near(&impact.seconds_to_limit(64 * MIB), 1024.0));
    assert!(impact.rss_follows());
    assert_eq!(impact.basis, Basis::Rss);
}

#[test]
fn stacks_alone_where_memory_goes_its_own_way() {
    // As with much garbage: up and down, whatever the leak does.
    let saw = |second: u32| {
        let live = u64::from(second);
        (live, (20 + u64::from(second % 7)) * MIB, 4 * MIB)
    };
    let impact = Impact::of(&history(100, saw), None, Some(8192.0));
    assert!(!impact.rss_follows(), "{impact:?}");
    assert_eq!(impact.basis, Basis::Stacks);
    assert_eq!(impact.bytes_per_goroutine, Err(NotKnown::DoesNotFollow));
    assert_eq!(
        impact.heap_correlation,
        Err(NotKnown::Constant("the Go heap"))
    );
    assert!(near(&impact.bytes_per_hour, 3600.0 * 8192.0));
    let blind = Impact::of(&history(100, saw), None, None);
    assert_eq!(blind.seconds_to_limit(MIB), Err(NotKnown::NoStack));
}

#[test]
fn without_growth_there_is_no_time_to_a_limit() {
    for rises in [0, 1] {
        let pool = |second: u32| (50 - u64::from(second * rises % 2), 20 * MIB, 4 * MIB);
        let impact = Impact::of(&history(100, pool), Some(99.0), Some(8192.0));
        assert_eq!(impact.seconds_to_limit(MIB), Err(NotKnown::NoGrowth));
    }
    let ends = |second: u32| (1000 - u64::from(second), 20 * MIB, 4 * MIB);
    let impact = Impact::of(&history(100, ends), None, Some(8192.0));
    assert!(near(&impact.goroutines_per_hour, -3600.0), "{impact:?}");
    assert_eq!(impact.stack_bytes_per_hour, Ok(0.0));
    assert_eq!(impact.seconds_to_limit(MIB), Err(NotKnown::NoGrowth));
}

#[test]
fn a_past_that_is_too_short_says_so() {
    let impact = Impact::of(&history(3, leak), Some(1200.0), Some(2048.0));
    assert_eq!(impact.goroutines_per_hour, Ok(1200.0), "the rule's own");
    let needed = CORRELATION_POINTS;
    let too_few = Err(NotKnown::TooFew { points: 3, needed });
    assert_eq!(impact.rss_correlation, too_few);
    let nothing = Impact::of(&History::default(), None, None);
    assert!(nothing.goroutines_per_hour.is_err() && nothing.bytes_per_hour.is_err());
}

#[test]
fn memory_that_was_not_read_is_not_zero() {
    let mut history = History::default();
    for second in 0..50_u32 {
        let (live, rss, _) = leak(second);
        history.push(Sample {
            at: at(second.into()),
            live,
            rss: (second % 2 == 0).then_some(rss),
            heap: None,
        });
    }
    let impact = Impact::of(&history, None, None);
    assert!(near(&impact.bytes_per_goroutine, 65_536.0), "{impact:?}");
    let needed = CORRELATION_POINTS;
    let none = Err(NotKnown::TooFew { points: 0, needed });
    assert_eq!(impact.heap_correlation, none);
}

#[test]
fn what_lately_happened_counts() {
    // Nothing for three hours, then one a second.
    let late = |second: u32| {
        let live = u64::from(second.saturating_sub(10_800));
        (live, 20 * MIB + live * 65_536, 4 * MIB)
    };
    let impact = Impact::of(&history(14_400, late), None, None);
    assert!(near(&impact.goroutines_per_hour, 3600.0), "{impact:?}");
}

#[test]
fn leaks_that_grow_at_once_share_memory() {
    let mut impact = Impact::of(&history(100, leak), None, None);
    impact.share(1);
    assert!(impact.bytes_per_goroutine.is_ok());
    impact.share(3);
    assert_eq!(impact.bytes_per_goroutine, Err(NotKnown::Shared(3)));
}

#[test]
fn what_takes_more_comes_first() {
    let impact = |rate: u32, stack: Option<f64>| {
        let grow = move |second: u32| (u64::from(second * rate), 20 * MIB, 4 * MIB);
        Impact::of(&history(50, grow), None, stack)
    };
    let many = impact(10, Some(2048.0));
    let heavy = impact(1, Some(65_536.0));
    let unknown = impact(100, None);
    let slower = impact(50, None);
    let mut all = [&slower, &many, &unknown, &heavy];
    all.sort_by(|a, b| a.heavier_first(b));
    assert!(std::ptr::eq(all[0], &heavy) && std::ptr::eq(all[1], &many));
    assert!(std::ptr::eq(all[2], &unknown) && std::ptr::eq(all[3], &slower));
}

#[test]
fn hours_are_covered_in_bounded_memory() {
    let history = history(5 * 3600, leak);
    let samples = history.samples();
    assert!(
        (MOST_POINTS / 2 - 1..=MOST_POINTS).contains(&samples.len()),
        "{}",
        samples.len()
    );
    assert!(samples[0].at < at(600.0), "{:?}", samples[0]);
    assert!(samples.last().expect("many").at > at(4.9 * 3600.0));
}

#[test]
fn a_clock_that_goes_back_begins_anew() {
    let mut history = history(100, leak);
    let again = |second: u32| Sample {
        at: at(f64::from(second)),
        live: 7,
        rss: None,
        heap: None,
    };
    for second in 10..30 {
        history.push(again(second));
    }
    assert!(
        history
            .samples()
            .windows(2)
            .all(|two| two[0].at < two[1].at)
    );
    assert_eq!(history.samples().last(), Some(&again(29)));
}

proptest! {
    /// Gaps, and a clock that leaps ahead, change neither rate nor correlation.
    #[test]
    fn a_gap_is_harmless(place in 10_u32..90, leap in 0.0..1e6_f64) {
        let mut history = History::default();
        for second in 0..100 {
            let (live, rss, heap) = leak(second);
            let leap = if second < place { 0.0 } else { leap };
            let at = at(f64::from(second) + leap);
            history.push(Sample { at, live, rss: Some(rss), heap: Some(heap) });
        }
        let impact = Impact::of(&history, None, Some(2048.0));
        // A gap that is no longer than usual cannot be told from a pause of the program.
        if !(4.0..16.0).contains(&leap) {
            let rate = impact.goroutines_per_hour.clone().expect("a rate");
            prop_assert!((1800.0..3700.0).contains(&rate), "{rate}");
        }
        prop_assert!(impact.rss_follows());
    }

    /// Units and what else the process uses do not matter to a correlation.
    #[test]
    fn scale_and_offset_do_not_matter(
        values in prop::collection::vec((0..10_000_u32, 0..10_000_u32), 8..60),
        scale in 1e-3..1e6_f64,
        offset in 0.0..1e9_f64,
    ) {
        let pairs: Vec<(f64, f64)> =
            values.iter().map(|(x, y)| (f64::from(*x), f64::from(*y))).collect();
        let moved: Vec<(f64, f64)> =
            pairs.iter().map(|(x, y)| (*x, y * scale + offset * scale)).collect();
        match (pearson(&pairs), pearson(&moved)) {
            (Some(r), Some(s)) => prop_assert!((r - s).abs() < 1e-4, "{r} {s}"),
            (None, None) => {}
            (r, s) => prop_assert!(false, "{r:?} {s:?}"),
        }
    }

    /// Whatever comes in, in whatever order, memory is bounded and figures are numbers.
    #[test]
    fn anything_is_taken(
        samples in prop::collection::vec(
            (any::<u64>(), any::<u64>(), any::<Option<u64>>(), any::<Option<u64>>()),
            0..300,
        ),
        stack in prop::option::of(0.0..1e12_f64),
    ) {
        let mut history = History::default();
        for (at, live, rss, heap) in samples {
            history.push(Sample { at: Duration::from_nanos(at), live, rss, heap });
            prop_assert!(history.samples().len() <= MOST_POINTS);
        }
        let impact = Impact::of(&history, None, stack);
        for figure in [
            impact.goroutines_per_hour.clone(),
            impact.stack_bytes_per_hour.clone(),
            impact.bytes_per_goroutine.clone(),
            impact.rss_correlation.clone(),
            impact.heap_correlation.clone(),
            impact.bytes_per_hour.clone(),
            impact.seconds_to_limit(1 << 30),
        ]
        .into_iter()
        .flatten()
        {
            prop_assert!(figure.is_finite(), "{impact:?}");
        }
        if let Ok(seconds) = impact.seconds_to_limit(1 << 30) {
            prop_assert!(seconds >= 0.0 && impact.bytes_per_hour.expect("a rate") > 0.0);
        }
    }

    /// What does not grow has no time to a limit, whatever memory does.
    #[test]
    fn no_growth_never_reaches_a_limit(
        live in 0..1_000_000_u64,
        memory in prop::collection::vec(0..1_u64 << 40, 8..200),
        room in 0..1_u64 << 40,
    ) {
        let mut history = History::default();
        for (second, rss) in (0_u32..).zip(memory) {
            history.push(Sample { at: at(second.into()), live, rss: Some(rss), heap: Some(rss) });
        }
        let impact = Impact::of(&history, None, Some(8192.0));
        prop_assert!(impact.seconds_to_limit(room).is_err());
    }
}
