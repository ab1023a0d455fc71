//! Correlation, and slopes that single points cannot pull away.

use crate::detect::trend::median_slope;

/// Points that a slope is taken from: the effort rises with their square.
const SLOPE_POINTS: usize = 40;
/// Fewer pairs give no slope.
const SLOPE_PAIRS: usize = 3;
/// A gap is so many times as long as what usually lies between two points.
const GAP: f64 = 8.0;

/// Pearson's correlation, from -1 to 1; `None` where one of both does not vary.
pub(super) fn pearson(pairs: &[(f64, f64)]) -> Option<f64> {
    let xs = centred(pairs.iter().map(|pair| pair.0))?;
    let ys = centred(pairs.iter().map(|pair| pair.1))?;
    let sum = |products: &mut dyn Iterator<Item = f64>| products.sum::<f64>();
    let both = sum(&mut xs.iter().zip(&ys).map(|(x, y)| x * y));
    let x = sum(&mut xs.iter().map(|x| x * x));
    let y = sum(&mut ys.iter().map(|y| y * y));
    let r = both / (x.sqrt() * y.sqrt());
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}

/// How far each is from their mean, where the farthest is 1 away: what is squared then is neither too
/// large nor too small. `None` where all are the same.
fn centred(values: impl Iterator<Item = f64>) -> Option<Vec<f64>> {
    let mut values: Vec<f64> = values.collect();
    let first = *values.first()?;
    for value in &mut values {
        *value -= first;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let farthest = values.iter().map(|v| (v - mean).abs()).fold(0.0, f64::max);
    if values.iter().all(|value| *value == 0.0) || farthest == 0.0 {
        return None;
    }
    Some(values.iter().map(|v| (v - mean) / farthest).collect())
}

/// The median of the slopes between any two points (Theil and Sen): right as long as less than a
/// third of the points are off. Only points of the same stretch are compared. `None` where there are
/// too few.
pub(super) fn slope(points: &[(f64, f64)], stretches: &[u32]) -> Option<f64> {
    let step = points.len().div_ceil(SLOPE_POINTS).max(1);
    // Counted from the end: the last is the newest.
    let chosen = points.iter().zip(stretches).rev().step_by(step);
    let (points, stretches): (Vec<(f64, f64)>, Vec<u32>) = chosen.unzip();
    median_slope(&points, SLOPE_PAIRS, |n, m| stretches[n] == stretches[m])
}

/// For each point of a series in time, in which stretch without gaps it lies. What lies on both sides
/// of a gap may be so far apart because the machine slept or its clock was set.
pub(super) fn stretches(points: &[(f64, f64)]) -> Vec<u32> {
    let distances = points.windows(2).map(|two| two[1].0 - two[0].0);
    let mut sorted: Vec<f64> = distances.clone().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let usual = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    let mut stretch = 0;
    let rest = distances.map(|distance| {
        stretch += u32::from(distance > usual * GAP);
        stretch
    });
    let first = points.first().map(|_| 0);
    first.into_iter().chain(rest).collect()
}
