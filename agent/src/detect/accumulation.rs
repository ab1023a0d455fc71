//! Goroutines of a site get old and do not end, and become more and more, while the site creates no
//! more of them than before.
//!
//! What tells a leak from long lives is the fate of cohorts: of those that were young some time ago,
//! nearly all are still there now that they are old. A burst, a pool that fills, a load that rises, and
//! requests that give up after half a minute all fail that, or level off.

use std::time::Duration;

use super::{
    Finding, Judgement, Rule, Verdict,
    trend::{self, RATE_TOLERANCE},
};
use crate::track::{AGES, DISTANCES, Point, Site};

/// Fewer survivors than this are not worth anybody's attention yet.
const MIN_GROWTH: f64 = 5.0;
/// So many have to have been watched while they grew old.
const MIN_GROWN_OLD: f64 = 4.0;
/// This share of a cohort has to grow old.
const MIN_SURVIVAL: f64 = 0.8;
/// Fewer points make no trend.
const MIN_POINTS: usize = 4;
/// This share of the windows must not have seen them become fewer.
const MIN_RISING: f64 = 0.7;
/// The second half has to grow at least so much as fast as all of the time: else it levels off.
const MIN_LATE_GROWTH: f64 = 0.4;
/// There have to be so many younger ones, of those that are needed to go on growing like that.
const MIN_SUCCESSORS: f64 = 0.7;

/// Two ages of [`AGES`], looked at over points at one of [`DISTANCES`].
#[derive(Clone, Copy, Debug)]
struct Look {
    distance: usize,
    young: usize,
    old: usize,
    verdict: Verdict,
}

/// A goroutine that is 12 s old may still be a slow request; one that is 40 s old seldom is.
const LOOKS: [Look; 4] = [
    Look {
        distance: 2,
        young: 3,
        old: 4,
        verdict: Verdict::Likely,
    },
    Look {
        distance: 1,
        young: 2,
        old: 3,
        verdict: Verdict::Likely,
    },
    Look {
        distance: 0,
        young: 1,
        old: 2,
        verdict: Verdict::Likely,
    },
    Look {
        distance: 0,
        young: 0,
        old: 1,
        verdict: Verdict::Suspect,
    },
];

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accumulation;

impl Rule for Accumulation {
    fn name(&self) -> &'static str {
        "accumulation"
    }

    fn judge(&self, site: &Site) -> Judgement {
        let mut judgement = Judgement::Fine;
        // The longest look that sees it has the steadiest rate.
        for look in LOOKS {
            match look.judge(site) {
                leak @ Judgement::Leak(_) => return leak,
                Judgement::Recheck => judgement = Judgement::Recheck,
                Judgement::Fine => {}
            }
        }
        judgement
    }
}

impl Look {
    fn judge(self, site: &Site) -> Judgement {
        let Some(seen) = Seen::of(self, site) else {
            return Judgement::Recheck;
        };
        if !seen.grows() || seen.grown_old() < MIN_GROWN_OLD {
            return Judgement::Fine;
        }
        let survival = seen.survival();
        if survival < MIN_SURVIVAL {
            return Judgement::Fine;
        }
        let (early, late) = trend::creation_rates(&seen.points);
        let load_rises = late > early * RATE_TOLERANCE;
        // Nobody shall be bothered by slow requests under a rising load.
        if load_rises && self.verdict == Verdict::Suspect {
            return Judgement::Fine;
        }
        let [young, old] = [self.young, self.old].map(|age| AGES[age].as_secs());
        let mut evidence = vec![
            format!(
                "goroutines older than {young} s rose from {:.0} to {:.0} in {:.0} s",
                seen.first().survivors[self.young],
                seen.last().survivors[self.young],
                seen.watched().as_secs_f64(),
            ),
            format!(
                "{} of those that were {young} s old are now {old} s old: {:.0} more than {:.0} s ago",
                match survival {
                    0.99.. => "all".to_owned(),
                    share => format!("{:.0} %", share * 100.0),
                },
                seen.grown_old(),
                self.growing_old().as_secs_f64(),
            ),
        ];
        evidence.push(if load_rises {
            format!("the creation rate rose meanwhile: {early:.1} then {late:.1} a second")
        } else {
            format!("the creation rate did not rise meanwhile: {early:.1} then {late:.1} a second")
        });
        Judgement::Leak(Finding {
            verdict: match load_rises {
                true => Verdict::Suspect,
                false => self.verdict,
            },
            growth_per_minute: seen.slope * 60.0,
            watched: seen.watched(),
            doubt: None,
            evidence,
        })
    }

    /// How long the young need to become the old.
    fn growing_old(self) -> Duration {
        AGES[self.old].saturating_sub(AGES[self.young])
    }
}

/// The points of one look.
struct Seen {
    look: Look,
    points: Vec<Point>,
    times: Vec<f64>,
    young: Vec<f64>,
    old: Vec<f64>,
    /// Of the young, a second.
    slope: f64,
}

impl Seen {
    /// As many of the last points as the look needs; `None` while there are not enough.
    fn of(look: Look, site: &Site) -> Option<Self> {
        let last = site.series.points(look.distance).next_back()?;
        let needed = look.growing_old();
        let before_that = last.at.checked_sub(needed)?;
        let from = before_that.saturating_sub(DISTANCES[look.distance] * 2);
        let points: Vec<Point> = site.series.points(look.distance).copied().collect();
        // Where looking is dear and seldom, it takes a longer time.
        let recent = points.partition_point(|point| point.at < from);
        let points = points[recent.min(points.len().saturating_sub(MIN_POINTS))..].to_vec();
        if points.len() < MIN_POINTS || points.first()?.at > before_that {
            return None;
        }
        let times = trend::times(&points);
        let young = trend::survivors(&points, look.young);
        Some(Self {
            old: trend::survivors(&points, look.old),
            slope: trend::slope(&times, &young)?,
            look,
            points,
            times,
            young,
        })
    }

    fn first(&self) -> &Point {
        &self.points[0]
    }

    fn last(&self) -> &Point {
        &self.points[self.points.len() - 1]
    }

    fn watched(&self) -> Duration {
        self.last().at.saturating_sub(self.first().at)
    }

    /// Whether the young have risen, throughout and still.
    fn grows(&self) -> bool {
        let growth = self.young[self.young.len() - 1] - self.young[0];
        if growth < MIN_GROWTH || self.slope <= 0.0 {
            return false;
        }
        let middle = self.young.len() / 2;
        let late = trend::slope(&self.times[middle..], &self.young[middle..]);
        trend::rises(&self.young, MIN_RISING)
            && late.is_some_and(|late| late >= self.slope * MIN_LATE_GROWTH)
            && self.has_successors()
            && self.all_grow()
    }

    /// Whether those of any age become more: where some go as others come, those who stay get older
    /// without becoming more.
    fn all_grow(&self) -> bool {
        let all = trend::survivors(&self.points, 0);
        trend::slope(&self.times, &all).is_some_and(|all| all >= self.slope * MIN_LATE_GROWTH)
    }

    /// Whether there are younger ones to become the young: a pool that has just filled has none.
    fn has_successors(&self) -> bool {
        let [youngest, young] = [0, self.look.young].map(|age| self.last().survivors[age]);
        let growing = AGES[self.look.young].saturating_sub(AGES[0]);
        let needed = self.slope * growing.as_secs_f64();
        youngest.saturating_sub(young) as f64 >= needed * MIN_SUCCESSORS
    }

    /// When those that are just old now were just young.
    fn back_then(&self) -> f64 {
        self.last()
            .at
            .saturating_sub(self.look.growing_old())
            .as_secs_f64()
    }

    /// How many more are old than back then.
    fn grown_old(&self) -> f64 {
        let then = trend::at(&self.times, &self.old, self.back_then());
        self.old[self.old.len() - 1] - then.unwrap_or(f64::INFINITY)
    }

    /// Of those that were young back then and not yet old, the share that is old now.
    fn survival(&self) -> f64 {
        let then = self.back_then();
        let young = trend::at(&self.times, &self.young, then);
        let old = trend::at(&self.times, &self.old, then);
        match young.zip(old).map(|(young, old)| young - old) {
            Some(cohort) if cohort > 0.0 => self.grown_old() / cohort,
            _ => 0.0,
        }
    }
}
