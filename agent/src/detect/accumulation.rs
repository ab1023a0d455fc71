//! Survivors of a site accumulate over several windows while its creation rate does not rise.
//!
//! "Survivors" are goroutines older than one window, so a burst of short-lived ones does not
//! count, however many there are at the moment. A rise that follows the load is not a leak.

use super::{Finding, Judgement, Rule, Verdict};
use crate::track::{POINTS, Point, SCALES, Site};

/// How much more the second half of the windows may create than the first, before the growth is
/// put down to the load.
const RATE_TOLERANCE: f64 = 1.25;

/// Fewer survivors than this are not worth anybody's attention yet.
const MIN_GROWTH: u64 = 5;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accumulation;

impl Rule for Accumulation {
    fn name(&self) -> &'static str {
        "accumulation"
    }

    fn judge(&self, site: &Site) -> Judgement {
        let mut unfinished = false;
        // The largest scale that sees it has the steadiest rate.
        for scale in (0..SCALES.len()).rev() {
            let points: Vec<Point> = site.series.points(scale).copied().collect();
            if points.len() < POINTS {
                unfinished = true;
            } else if let Some(finding) = judge_scale(&points, scale) {
                return Judgement::Leak(finding);
            }
        }
        if unfinished {
            Judgement::Recheck
        } else {
            Judgement::Fine
        }
    }
}

fn judge_scale(points: &[Point], scale: usize) -> Option<Finding> {
    let (first, last) = (points.first()?, points.last()?);
    let grows_always = points
        .windows(2)
        .all(|pair| pair[1].survivors > pair[0].survivors);
    let growth = last.survivors.checked_sub(first.survivors)?;
    if !grows_always || growth < MIN_GROWTH {
        return None;
    }
    let (early, late) = creation_rates(points)?;
    if late > early * RATE_TOLERANCE {
        return None;
    }
    let watched = last.at.checked_sub(first.at)?;
    let minutes = watched.as_secs_f64() / 60.0;
    let window = SCALES[scale].as_secs();
    Some(Finding {
        verdict: Verdict::Likely,
        growth_per_minute: growth as f64 / minutes,
        watched,
        evidence: vec![
            format!(
                "goroutines older than {window} s rose from {} to {} in {:.0} s, in each of {} \
                 windows",
                first.survivors,
                last.survivors,
                watched.as_secs_f64(),
                points.len() - 1,
            ),
            format!("the creation rate did not rise meanwhile: {early:.1} then {late:.1} a second",),
        ],
    })
}

/// Creations a second in the first and the second half.
fn creation_rates(points: &[Point]) -> Option<(f64, f64)> {
    let middle = points.len() / 2;
    let rate = |from: &Point, to: &Point| {
        let seconds = to.at.checked_sub(from.at)?.as_secs_f64();
        let created = to.created.checked_sub(from.created)?;
        (seconds > 0.0).then(|| created as f64 / seconds)
    };
    Some((
        rate(points.first()?, points.get(middle)?)?,
        rate(points.get(middle)?, points.last()?)?,
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A site seen every 3 s, with `created` and `survivors` in all.
    fn points(series: [(u64, u64); POINTS]) -> Vec<Point> {
        (0..)
            .zip(series)
            .map(|(n, (created, survivors))| Point {
                at: Duration::from_secs(3 * n),
                created,
                survivors,
            })
            .collect()
    }

    #[test]
    fn steady_survivors_under_a_steady_load_are_a_leak() {
        let leak = points([(0, 0), (30, 3), (60, 6), (90, 9), (120, 12), (150, 15)]);
        let finding = judge_scale(&leak, 0).expect("a leak");
        assert_eq!(finding.verdict, Verdict::Likely);
        assert!((finding.growth_per_minute - 60.0).abs() < 1e-9);
    }

    #[test]
    fn the_smallest_scale_alone_finds_a_fast_leak() {
        let nothing = crate::track::Counts::from(&gostray_common::SiteStats::EMPTY);
        let mut site = Site::new(0, nothing);
        for second in 0..16 {
            assert_eq!(Accumulation.judge(&site), Judgement::Recheck);
            let lost = 100 * second;
            site.series
                .push(Duration::from_secs(second), lost, [lost; SCALES.len()]);
        }
        assert!(matches!(Accumulation.judge(&site), Judgement::Leak(_)));
    }

    #[test]
    fn growth_that_follows_the_load_is_not() {
        let load = points([(0, 0), (10, 5), (30, 12), (70, 25), (150, 50), (310, 100)]);
        assert_eq!(judge_scale(&load, 0), None);
    }

    #[test]
    fn a_pool_that_levels_off_is_not() {
        let pool = points([(0, 0), (50, 40), (80, 64), (80, 80), (80, 80), (80, 80)]);
        assert_eq!(judge_scale(&pool, 0), None);
    }

    #[test]
    fn two_lost_ones_are_not_news() {
        let few = points([(0, 0), (9, 0), (18, 1), (27, 1), (36, 2), (45, 2)]);
        assert_eq!(judge_scale(&few, 0), None);
    }
}
