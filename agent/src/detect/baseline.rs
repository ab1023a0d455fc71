//! What is normal for a site at an hour of the week, learnt from what was seen in weeks before.
//!
//! Each hour of the week is a bucket of its own, so that a busy Monday morning is compared with
//! Monday mornings. What was learnt is forgotten bit by bit as weeks pass, because programs change.

/// Hours of a week.
pub const HOURS: u16 = 168;
const HOUR: i64 = 3600;
const WEEK: i64 = HOUR * HOURS as i64;
/// The first of January 1970 was a Thursday; weeks begin on Mondays.
const TO_MONDAY: i64 = 3 * 24 * HOUR;

/// What of a bucket's weight is left after a week: half of it after two.
const KEPT: f64 = 0.7;
/// A bucket weighs at most as much as four hours with a sample a minute, however many were taken.
const MAX_WEIGHT: f64 = 240.0;
/// A bucket judges when it was taught in so many weeks ...
const MIN_WEEKS: u32 = 2;
/// ... by so many samples.
const MIN_SAMPLES: u64 = 20;
/// So many standard deviations above the mean are usual.
const USUAL: f64 = 2.0;

/// An hour of some week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour {
    /// Weeks since 1970.
    pub week: i64,
    /// From 0, Monday midnight, to 167.
    pub of_week: u16,
}

impl Hour {
    /// The hour of a moment in Unix seconds. In UTC: a local time would jump twice a year, containers
    /// have none, and a database may be read elsewhere. What an office's hours make of a program
    /// moves by one bucket then, and is learnt anew within weeks.
    #[must_use]
    pub fn of(unix_seconds: i64) -> Self {
        let since = unix_seconds.saturating_add(TO_MONDAY);
        let of_week = since.rem_euclid(WEEK) / HOUR;
        Self {
            week: since.div_euclid(WEEK),
            of_week: u16::try_from(of_week).unwrap_or_default(),
        }
    }
}

/// What was learnt of one figure at one hour of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bucket {
    /// Weighted mean.
    pub mean: f64,
    /// Weighted variance.
    pub variance: f64,
    /// How much the mean weighs against a new sample, which weighs 1.
    pub weight: f64,
    /// Samples in all.
    pub samples: u64,
    /// Weeks in which there were samples.
    pub weeks: u32,
    /// The last of them, since 1970.
    pub last_week: i64,
}

impl Bucket {
    /// Takes in a sample of `week`. One that is no number is not taken.
    pub fn learn(&mut self, value: f64, week: i64) {
        if !value.is_finite() {
            return;
        }
        if self.samples == 0 || week != self.last_week {
            // A clock that was set back has seen no week pass.
            let passed = match self.samples {
                0 => 0,
                _ => week.saturating_sub(self.last_week).clamp(0, 1000),
            };
            self.weight *= KEPT.powi(i32::try_from(passed).unwrap_or(1000));
            self.weeks = self.weeks.saturating_add(1);
            self.last_week = week;
        }
        self.weight = self.weight.min(MAX_WEIGHT);
        // West's update of a weighted mean and variance.
        let weight = self.weight + 1.0;
        let distance = value - self.mean;
        self.mean += distance / weight;
        self.variance = (self.variance * self.weight + distance * (value - self.mean)) / weight;
        self.variance = self.variance.max(0.0);
        self.weight = weight;
        self.samples = self.samples.saturating_add(1);
    }

    /// The same for judging.
    #[must_use]
    pub fn normal(&self) -> Normal {
        Normal {
            mean: self.mean,
            deviation: self.variance.max(0.0).sqrt(),
            samples: self.samples,
            weeks: self.weeks,
        }
    }
}

/// What is normal at an hour of the week.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
    /// From how many samples this was learnt.
    pub samples: u64,
    /// In how many weeks.
    pub weeks: u32,
}

/// How a figure compares with what is normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unusual {
    /// Higher than normal by so many standard deviations.
    By(f64),
    /// As always, or lower.
    Usual,
    /// This hour is not known well enough.
    NotKnown,
}

impl Normal {
    /// Compares `live` goroutines with what is normal. A deviation smaller than that of independent
    /// arrivals, the root of the mean, was seen by chance, and does not make the next one unusual.
    #[must_use]
    pub fn judge(&self, live: f64) -> Unusual {
        if self.weeks < MIN_WEEKS || self.samples < MIN_SAMPLES || !live.is_finite() {
            return Unusual::NotKnown;
        }
        let deviation = self.deviation.max(self.mean.max(0.0).sqrt()).max(1.0);
        match (live - self.mean) / deviation {
            by if by > USUAL => Unusual::By(by),
            _ => Unusual::Usual,
        }
    }

    /// The evidence in words, if `live` goroutines are unusual.
    #[must_use]
    pub fn evidence(&self, live: u64) -> Option<String> {
        match self.judge(live as f64) {
            Unusual::By(by) => Some(format!(
                "{live} are alive, where {:.0} ± {:.0} are normal at this hour of the week ({by:.0} \
                 standard deviations, learnt in {} weeks)",
                self.mean,
                self.deviation.max(self.mean.max(0.0).sqrt()).max(1.0),
                self.weeks,
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An hour of `value`s, one a minute, in each of `weeks`.
    fn taught(weeks: std::ops::Range<i64>, value: impl Fn(i64, i64) -> f64) -> Bucket {
        let mut bucket = Bucket::default();
        for week in weeks {
            for minute in 0..60 {
                bucket.learn(value(week, minute), week);
            }
        }
        bucket
    }

    #[test]
    fn hours_begin_on_monday() {
        let hour = |seconds| {
            let Hour { week, of_week } = Hour::of(seconds);
            (week, of_week)
        };
        assert_eq!(hour(0), (0, 72), "a Thursday");
        assert_eq!(hour(4 * 24 * HOUR), (1, 0));
        assert_eq!(hour(4 * 24 * HOUR - 1), (0, 167));
        assert_eq!(hour(-TO_MONDAY - 1), (-1, 167));
        // 2026-11-16 09:30 UTC, a Monday.
        assert_eq!(hour(1_794_821_400).1, 9);
    }

    #[test]
    fn one_week_is_not_enough() {
        let bucket = taught(0..1, |_, _| 40.0);
        assert_eq!(bucket.normal().judge(1e6), Unusual::NotKnown);
        assert_eq!(Bucket::default().normal().judge(1.0), Unusual::NotKnown);
    }

    #[test]
    fn more_than_two_deviations_are_evidence() {
        let normal = taught(0..3, |_, minute| 30.0 + (minute % 3) as f64 * 10.0).normal();
        assert!((normal.mean - 40.0).abs() < 0.5, "{normal:?}");
        assert_eq!(normal.judge(55.0), Unusual::Usual);
        assert_eq!(normal.judge(0.0), Unusual::Usual);
        assert!(matches!(normal.judge(812.0), Unusual::By(by) if by > 50.0));
        insta::assert_snapshot!(
            normal.evidence(812).unwrap(),
            @"812 are alive, where 40 ± 8 are normal at this hour of the week (95 standard deviations, learnt in 3 weeks)"
        );
        assert_eq!(normal.evidence(50), None);
    }

    #[test]
    fn a_count_that_never_moved_may_move_a_little() {
        let normal = taught(0..4, |_, _| 100.0).normal();
        assert_eq!(normal.judge(119.0), Unusual::Usual);
        assert!(matches!(normal.judge(121.0), Unusual::By(_)));
        let none = taught(0..4, |_, _| 0.0).normal();
        assert_eq!(none.judge(2.0), Unusual::Usual);
    }

    #[test]
    fn a_new_level_is_learnt_within_weeks() {
        let bucket = taught(0..8, |week, _| if week < 4 { 10.0 } else { 1000.0 });
        assert_eq!(bucket.normal().judge(1100.0), Unusual::Usual);
        assert!(bucket.mean > 700.0, "{bucket:?}");
    }

    #[test]
    fn a_clock_that_is_set_back_or_far_ahead_does_no_harm() {
        let mut bucket = taught(100..103, |_, _| 40.0);
        bucket.learn(40.0, 5);
        assert!((bucket.mean - 40.0).abs() < 1e-9);
        bucket.learn(40.0, i64::MAX);
        bucket.learn(f64::NAN, i64::MIN);
        bucket.learn(40.0, i64::MIN);
        assert!((bucket.mean - 40.0).abs() < 1e-9 && bucket.weight >= 1.0);
    }

    proptest! {
        /// Whatever comes, mean and deviation lie within what was seen, and the weight is bounded.
        #[test]
        fn stays_within_what_was_seen(
            samples in prop::collection::vec((0.0_f64..1e6, 0_i64..20), 1..300),
        ) {
            let mut bucket = Bucket::default();
            for (value, week) in &samples {
                bucket.learn(*value, *week);
            }
            let values = || samples.iter().map(|(value, _)| *value);
            let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
            prop_assert!(bucket.mean >= low - 1e-6 && bucket.mean <= high + 1e-6);
            prop_assert!(bucket.normal().deviation <= (high - low) / 2.0 + 1e-3);
            prop_assert!(bucket.weight <= MAX_WEIGHT + 1.0);
        }

        /// What was the same in all weeks is usual.
        #[test]
        fn the_usual_is_usual(values in prop::collection::vec(0.0_f64..1e4, 30..60)) {
            let mut bucket = Bucket::default();
            for week in 0..3 {
                for value in &values {
                    bucket.learn(*value, week);
                }
            }
            let normal = bucket.normal();
            prop_assert_eq!(normal.judge(normal.mean), Unusual::Usual);
        }
    }
}
