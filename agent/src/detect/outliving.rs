//! Some goroutines of a site outlive by far all that have ended there, and become more: one lost in a
//! thousand shows long before the count does.

use std::time::Duration;

use super::{Finding, Judgement, Rule, Verdict, trend};
use crate::track::{AGES, Point, Site};

/// A site has to have ended so many before its lifetimes are known.
const MIN_ENDED: u64 = 100;
/// So many times as old as the oldest that ended, or as 99 in 100 of them.
const BEYOND_LONGEST: u32 = 2;
const BEYOND_MOST: u32 = 8;
/// So many have to have outlived the others while that was watched.
const MIN_GROWTH: u64 = 4;
const MIN_POINTS: usize = 4;
/// Points of the shortest distance that matter: what was before the leak began does not.
const LATEST: usize = 9;

/// Ages beyond which goroutines count, with the distance of the points that tell of them.
const LOOKS: [(usize, usize, Verdict); 4] = [
    (2, 4, Verdict::Likely),
    (1, 3, Verdict::Likely),
    (0, 2, Verdict::Likely),
    (0, 1, Verdict::Suspect),
];

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outliving;

impl Rule for Outliving {
    fn name(&self) -> &'static str {
        "outliving"
    }

    fn judge(&self, site: &Site) -> Judgement {
        let ended = site.lifetimes.count();
        let most = site.lifetimes.quantile(0.99);
        let (Some(most), Some(longest), true) = (most, site.lifetimes.max(), ended >= MIN_ENDED)
        else {
            return Judgement::Fine;
        };
        for (distance, age, verdict) in LOOKS {
            if AGES[age] < longest * BEYOND_LONGEST || AGES[age] < most * BEYOND_MOST {
                continue;
            }
            let points = site.series.points(distance);
            let skipped = points.len().saturating_sub(LATEST);
            let points: Vec<Point> = points.skip(skipped).copied().collect();
            if let Some((slope, watched, growth)) = growth(&points, age) {
                return Judgement::Leak(Finding {
                    verdict,
                    growth_per_minute: slope * 60.0,
                    watched,
                    doubt: None,
                    evidence: vec![format!(
                        "{growth} goroutines have become older than {} s in {:.0} s, where 99 in 100 of the \
                         {ended} that ended took no longer than {}, and none more than {}",
                        AGES[age].as_secs(),
                        watched.as_secs_f64(),
                        lifetime(most),
                        lifetime(longest),
                    )],
                });
            }
        }
        Judgement::Fine
    }
}

/// Of those beyond `age`: the slope a second, over how long, and by how many they have risen.
fn growth(points: &[Point], age: usize) -> Option<(f64, Duration, u64)> {
    let (first, last) = (points.first()?, points.last()?);
    let growth = last.survivors[age].checked_sub(first.survivors[age])?;
    let rises = trend::rises(&trend::survivors(points, age), 1.0);
    if points.len() < MIN_POINTS || growth < MIN_GROWTH || !rises {
        return None;
    }
    // Before the first of them was so old there was nothing to see: only the time after counts.
    let rising = points.partition_point(|point| point.survivors[age] == first.survivors[age]);
    let points = &points[rising.saturating_sub(1)..];
    let slope = trend::slope(&trend::times(points), &trend::survivors(points, age))?;
    Some((slope, last.at.saturating_sub(first.at), growth))
}

fn lifetime(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds @ 1.0.. => format!("{seconds:.1} s"),
        seconds => format!("{:.1} ms", seconds * 1e3),
    }
}
