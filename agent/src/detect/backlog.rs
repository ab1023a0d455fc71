//! More and more goroutines of a site live, though it creates no more of them than before, and they do
//! end: they come faster than what they need lets them through, and each lives longer than the one
//! before.

use super::{
    Doubt, Finding, Judgement, Rule, Verdict,
    trend::{self, RATE_TOLERANCE},
};
use crate::track::{POINTS, Point, Site};

/// Fewer are a queue, not a backlog.
const MIN_GROWTH: u64 = 20;
/// This share of the windows must not have seen them become fewer.
const MIN_RISING: f64 = 0.8;
/// The second half, and the first and last few points, have to grow at least so much as fast as all.
const MIN_PART_GROWTH: f64 = 0.5;
/// So many points are a few.
const FEW: usize = 4;
/// By so much more than the load their number has to grow.
const BEYOND_LOAD: f64 = 1.5;
/// This share of those that come has to end: else it is another rule's business.
const MIN_ENDING: f64 = 0.05;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog;

impl Rule for Backlog {
    fn name(&self) -> &'static str {
        "backlog"
    }

    fn judge(&self, site: &Site) -> Judgement {
        let points: Vec<Point> = site.series.points(0).copied().collect();
        let (Some(first), Some(last), POINTS) = (points.first(), points.last(), points.len())
        else {
            return Judgement::Recheck;
        };
        let growth = last.survivors[0].saturating_sub(first.survivors[0]);
        if growth < MIN_GROWTH {
            return Judgement::Fine;
        }
        let times = trend::times(&points);
        let living = trend::survivors(&points, 0);
        let middle = points.len() / 2;
        let all = trend::slope(&times, &living).unwrap_or(0.0);
        let late = trend::slope(&times[middle..], &living[middle..]).unwrap_or(0.0);
        let part = |range: std::ops::Range<usize>| {
            trend::slope(&times[range.clone()], &living[range]).unwrap_or(0.0)
        };
        let at_first = part(0..FEW);
        let of_late = part(POINTS - FEW..POINTS);
        if all <= 0.0
            || !trend::rises(&living, MIN_RISING)
            || late.min(of_late).min(at_first) < all * MIN_PART_GROWTH
        {
            return Judgement::Fine;
        }
        let (before, after) = trend::creation_rates(&points);
        let coming = first.creations_until(last).unwrap_or(0.0);
        let ending = coming - all;
        let is_steady = after <= before * RATE_TOLERANCE && before <= after * RATE_TOLERANCE;
        // Under a rising load more live because more come.
        let load = (after / before).max(1.0);
        let more = last.survivors[0] as f64 >= first.survivors[0] as f64 * load * BEYOND_LOAD;
        if !is_steady || !more || ending < coming * MIN_ENDING {
            return Judgement::Fine;
        }
        let watched = last.at.saturating_sub(first.at);
        Judgement::Leak(Finding {
            verdict: Verdict::Likely,
            growth_per_minute: all * 60.0,
            watched,
            doubt: Some(Doubt::Served),
            evidence: vec![format!(
                "{:.1} a second come and {ending:.1} end, all the time: those that live rose from {} to {} in \
                 {:.0} s",
                coming,
                first.survivors[0],
                last.survivors[0],
                watched.as_secs_f64(),
            )],
        })
    }
}
