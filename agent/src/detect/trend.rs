//! What a few numbers do as time passes, robustly: one that is out of line changes nothing.

use crate::track::Point;

/// How much more the second half of the time may create than the first, before growth is put down to
/// the load.
pub(super) const RATE_TOLERANCE: f64 = 1.25;

/// The slope of `values` over `times` that half of all pairs of points exceed, in units of the one
/// for one of the other; `None` of less than two moments.
pub(super) fn slope(times: &[f64], values: &[f64]) -> Option<f64> {
    let points: Vec<(f64, f64)> = times.iter().copied().zip(values.iter().copied()).collect();
    median_slope(&points, 1, |_, _| true)
}

/// The median of the slopes between any two of `points` at different places that `belong` together, by
/// their indices (Theil and Sen); `None` where there are fewer than `least` pairs, at least one.
pub(super) fn median_slope(
    points: &[(f64, f64)],
    least: usize,
    belong: impl Fn(usize, usize) -> bool,
) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (n, (x1, y1)) in points.iter().enumerate() {
        for (m, (x2, y2)) in points.iter().enumerate().skip(n + 1) {
            if x1 != x2 && belong(n, m) {
                slopes.push((y2 - y1) / (x2 - x1));
            }
        }
    }
    if slopes.len() < least.max(1) {
        return None;
    }
    let middle = slopes.len() / 2;
    let (_, median, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    Some(*median)
}

/// The moments of `points`, in seconds.
pub(super) fn times(points: &[Point]) -> Vec<f64> {
    points.iter().map(|point| point.at.as_secs_f64()).collect()
}

/// At each of `points`, how many are older than this one of the ages.
pub(super) fn survivors(points: &[Point], age: usize) -> Vec<f64> {
    let survivors = points.iter().map(|point| point.survivors[age] as f64);
    survivors.collect()
}

/// Whether at least this `share` of the windows has not seen `values` become less.
pub(super) fn rises(values: &[f64], share: f64) -> bool {
    let windows = values.windows(2);
    let all = windows.len() as f64;
    let rising = windows.filter(|pair| pair[1] >= pair[0]).count() as f64;
    rising >= all * share
}

/// Creations a second in the first and in the second half of `points`.
pub(super) fn creation_rates(points: &[Point]) -> (f64, f64) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return (0.0, 0.0);
    };
    let middle = &points[points.len() / 2];
    let rate = |from: &Point, to: &Point| from.creations_until(to).unwrap_or(0.0);
    (rate(first, middle), rate(middle, last))
}

/// The value at `time`, on the straight lines between the points, whose times rise; `None` outside.
pub(super) fn at(times: &[f64], values: &[f64], time: f64) -> Option<f64> {
    let after = times.partition_point(|known| *known < time);
    let (late, to) = (*times.get(after)?, *values.get(after)?);
    let Some(before) = after.checked_sub(1) else {
        return (late <= time).then_some(to);
    };
    let (early, from) = (times[before], values[before]);
    Some(from + (to - from) * (time - early) / (late - early))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_out_of_line_changes_nothing() {
        let times = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let values = [0.0, 2.0, 4.0, 500.0, 8.0, 10.0, 12.0];
        assert_eq!(slope(&times, &values), Some(2.0));
        assert_eq!(slope(&times[..1], &values[..1]), None);
    }

    #[test]
    fn only_what_belongs_together_is_compared() {
        // Between the second and the third something was moved by a hundred.
        let points = [(0.0, 0.0), (1.0, 1.0), (2.0, 102.0), (3.0, 103.0)];
        let near = |n: usize, m: usize| n / 2 == m / 2;
        assert_eq!(median_slope(&points, 2, near), Some(1.0));
        assert_eq!(median_slope(&points, 3, near), None);
        assert_eq!(median_slope(&points[..1], 0, |_, _| true), None);
    }

    #[test]
    fn some_windows_may_fall() {
        let values = [1.0, 2.0, 2.0, 1.0, 5.0];
        assert!(rises(&values, 0.75) && !rises(&values, 0.8));
        assert!(rises(&values[..1], 1.0));
    }

    #[test]
    fn between_two_points_is_a_line_and_outside_nothing() {
        let (times, values) = ([1.0, 3.0, 4.0], [10.0, 20.0, 0.0]);
        assert_eq!(at(&times, &values, 2.0), Some(15.0));
        assert_eq!(at(&times, &values, 1.0), Some(10.0));
        assert_eq!(at(&times, &values, 4.0), Some(0.0));
        assert_eq!(at(&times, &values, 0.9), None);
        assert_eq!(at(&times, &values, 4.1), None);
    }

    proptest! {
        #[test]
        fn scale_and_offset_go_through(
            values in prop::collection::vec(-1e6..1e6_f64, 2..20),
            scale in 1e-3..1e3_f64,
            offset in -1e6..1e6_f64,
        ) {
            let times: Vec<f64> = (0..values.len()).map(|n| n as f64).collect();
            let moved: Vec<f64> = values.iter().map(|value| value * scale + offset).collect();
            let (plain, moved) = (slope(&times, &values).unwrap(), slope(&times, &moved).unwrap());
            prop_assert!((moved - plain * scale).abs() <= 1e-6 * (1.0 + moved.abs() + offset.abs() + 1e6 * scale));
        }
    }
}
