//! What a few numbers do as time passes, robustly: one that is out of line changes nothing.

/// The slope of `values` over `times` that half of all pairs of points exceed (Theil and Sen), in
/// units of the one for one of the other; `None` of less than two moments.
pub(super) fn slope(times: &[f64], values: &[f64]) -> Option<f64> {
    let points: Vec<(f64, f64)> = times.iter().copied().zip(values.iter().copied()).collect();
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (place, (early, from)) in points.iter().enumerate() {
        for (late, to) in &points[place + 1..] {
            if late > early {
                slopes.push((to - from) / (late - early));
            }
        }
    }
    slopes.sort_unstable_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied()
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
