//! Precision, recall and times of a set.

use serde::Serialize;

use super::judging::{Found, Judged};
use super::recording::Verdict;

/// Of all programs together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Of verdicts of any level.
    pub suspect: Level,
    /// Of those that say at least likely.
    pub likely: Level,
    /// Leaks of which the right pattern was recognised.
    pub patterns: usize,
    /// Leaks of which it was said what to change.
    pub advised: usize,
    /// All leaks.
    pub leaks: usize,
}

/// Of verdicts of at least one level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// Sites that leak, and of which it was said.
    pub right: usize,
    /// Sites that do not, and of which it was said.
    pub wrong: usize,
    /// Leaks of which it has to be said.
    pub due: usize,
    /// Of those, how many it was said of in time.
    pub in_time: usize,
    /// Seconds to it: the one in the middle.
    pub median_seconds: Option<f64>,
    /// Seconds to it: the longest.
    pub worst_seconds: Option<f64>,
}

impl Level {
    fn of(all: &[Judged], level: Verdict) -> Self {
        let leaks = || all.iter().flat_map(|judged| &judged.leaks);
        let seconds = |found: &Found| match level {
            Verdict::Suspect => found.suspect_seconds,
            Verdict::Likely | Verdict::Proven => found.likely_seconds,
        };
        // Of a leak that stopped likely is not due, but not wrong either.
        let due = |found: &&Found| found.due >= level;
        let mut times: Vec<f64> = leaks().filter(due).filter_map(seconds).collect();
        times.sort_by(f64::total_cmp);
        Self {
            right: leaks().filter(|f| f.verdict >= Some(level)).count(),
            wrong: all
                .iter()
                .flat_map(|judged| &judged.elsewhere)
                .filter(|wrong| wrong.verdict >= level)
                .count(),
            due: leaks().filter(due).count(),
            in_time: all
                .iter()
                .filter(|judged| judged.trouble.is_none())
                .flat_map(|judged| &judged.leaks)
                .filter(due)
                .filter(|f| seconds(f).is_some_and(|s| s <= f.within_seconds))
                .count(),
            median_seconds: times.get(times.len() / 2).copied(),
            worst_seconds: times.last().copied(),
        }
    }

    /// The share of sites it was said of that do leak; `None` if it was said of none.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        share(self.right, self.right + self.wrong)
    }

    /// The share of leaks found in time; `None` if none is due.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        share(self.in_time, self.due)
    }
}

#[allow(clippy::cast_precision_loss, reason = "a zoo is small")]
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Score {
    /// Of these programs.
    #[must_use]
    pub fn of(all: &[Judged]) -> Self {
        let leaks = || all.iter().flat_map(|judged| &judged.leaks);
        Self {
            suspect: Level::of(all, Verdict::Suspect),
            likely: Level::of(all, Verdict::Likely),
            patterns: leaks()
                .filter(|f| f.pattern.as_ref() == Some(&f.expected_pattern))
                .count(),
            advised: leaks().filter(|f| f.advised).count(),
            leaks: leaks().count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::judging::Wrong;
    use crate::eval::recording::Place;

    fn found(verdict: Option<Verdict>, likely: Option<f64>) -> Judged {
        Judged {
            name: String::new(),
            leaks: vec![Found {
                marker: String::new(),
                due: Verdict::Likely,
                verdict,
                suspect_seconds: verdict.map(|_| 5.0),
                likely_seconds: likely,
                within_seconds: 60.0,
                in_time: likely.is_some_and(|s| s <= 60.0),
                pattern: None,
                expected_pattern: "cond".to_owned(),
                advised: false,
            }],
            elsewhere: Vec::new(),
            watched_seconds: 1.0,
            trouble: None,
            misses: Vec::new(),
        }
    }

    fn healthy(verdict: Option<Verdict>) -> Judged {
        Judged {
            leaks: Vec::new(),
            elsewhere: verdict
                .map(|verdict| Wrong {
                    place: Place {
                        function: "f".to_owned(),
                        file: None,
                        line: None,
                    },
                    verdict,
                    after_seconds: 1.0,
                })
                .into_iter()
                .collect(),
            ..found(None, None)
        }
    }

    #[test]
    fn each_level_is_counted_by_itself() {
        let score = Score::of(&[
            found(Some(Verdict::Likely), Some(30.0)),
            found(Some(Verdict::Likely), Some(90.0)),
            found(Some(Verdict::Suspect), None),
            found(None, None),
            healthy(Some(Verdict::Suspect)),
            healthy(Some(Verdict::Likely)),
            healthy(None),
        ]);
        let likely = &score.likely;
        assert_eq!((likely.right, likely.wrong), (2, 1));
        assert_eq!((likely.in_time, likely.due), (1, 4));
        assert_eq!(likely.recall(), Some(0.25));
        assert_eq!(likely.worst_seconds, Some(90.0));
        assert_eq!((score.suspect.right, score.suspect.wrong), (3, 2));
        assert_eq!((score.suspect.in_time, score.suspect.due), (3, 4));
        assert_eq!(score.suspect.precision(), Some(0.6));
        assert_eq!((score.patterns, score.leaks), (0, 4));
    }

    #[test]
    fn a_run_that_broke_off_found_nothing_in_time() {
        let mut broken = found(Some(Verdict::Likely), Some(30.0));
        broken.trouble = Some("the agent ended".to_owned());
        assert_eq!(Score::of(&[broken]).likely.recall(), Some(0.0));
    }

    #[test]
    fn of_nothing_there_is_no_share() {
        let score = Score::of(&[healthy(None)]);
        assert_eq!(score.likely.precision(), None);
        assert_eq!(score.likely.recall(), None);
        assert_eq!(score.likely.median_seconds, None);
    }
}
