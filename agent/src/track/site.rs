//! One creation site.

use std::time::Duration;

use gostray_common::SiteStats;

use super::{Counted, Goids, Ledger, Lifetimes, Rest, Series};
use crate::binary::RuntimeAddress;

/// How well counts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accuracy {
    /// Every event was counted.
    Exact,
    /// Events were lost, and put right by a census: right at the moment of the last.
    Repaired,
    /// Events were lost.
    Estimated,
    /// There were no probes for some of the time: who lived and died between two passes then was not
    /// seen.
    Sampled,
}

impl Accuracy {
    /// The word for it in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Repaired => "repaired",
            Self::Estimated => "estimated",
            Self::Sampled => "sampled",
        }
    }
}

/// What has been counted at one site since attaching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Goroutines created.
    pub created: u64,
    /// Of those, the ones that ended.
    pub exited: u64,
    /// Of those, the ones that live.
    pub live: u64,
    /// Goroutines older than the agent that ended meanwhile.
    pub exited_older: u64,
    /// How well this is known.
    pub accuracy: Accuracy,
}

impl From<&SiteStats> for Counts {
    fn from(stats: &SiteStats) -> Self {
        // A goroutine that found no room ends without a birth, as an older one does. Which of
        // both it was is not known: at most `untracked` ones are taken for ours.
        let untracked_exits = stats.exited_unborn.min(stats.untracked);
        let exited = stats.exited + untracked_exits;
        Self {
            created: stats.created,
            exited,
            // The counters are read one after the other while the program runs.
            live: stats.created.saturating_sub(exited),
            exited_older: stats.exited_unborn - untracked_exits,
            accuracy: if stats.untracked == 0 {
                Accuracy::Exact
            } else {
                Accuracy::Estimated
            },
        }
    }
}

/// Goroutines of a site that were there before the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    /// How many there were at first.
    pub at_first: u64,
    /// How many of them live.
    pub now: u64,
    /// Of all that live at the site, how many wait for another goroutine.
    pub blocked: u64,
    /// For how long they have been watched.
    pub watched: Duration,
}

/// One creation site.
#[derive(Clone, Debug)]
pub struct Site {
    /// The pc behind the `call runtime.newproc`, in the running process.
    pub pc: RuntimeAddress,
    /// The function its first goroutine began with; `None` if that could not be read.
    pub start: Option<RuntimeAddress>,
    /// The counts.
    pub counts: Counts,
    /// Lifetimes of the ended.
    pub lifetimes: Lifetimes,
    /// Age of the oldest living goroutine created since attaching.
    pub oldest: Option<Duration>,
    /// Addresses of some of the oldest living `g`s that were created since attaching.
    pub oldest_gs: Vec<RuntimeAddress>,
    /// Its recent past.
    pub series: Series,
    /// For how long its goroutines have not run, as far as passes have seen them.
    pub rest: Rest,
    /// Those that are older than the agent; `None` before the first census.
    pub older: Option<Older>,
    /// Addresses of some of the oldest living `g`s of all.
    pub older_gs: Vec<RuntimeAddress>,
    pub(super) ledger: Ledger,
    /// What was counted before the present stretch.
    pub(super) carried: Carried,
    /// Goroutines that were seen for the first time in this stretch, where there are no probes.
    pub(super) seen: u64,
}

/// What remains of a stretch when the next begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    /// Goroutines created.
    pub(super) created: u64,
    /// Of those, the ones that live: found by a census and not counted since.
    pub(super) live: i64,
    /// Lifetimes of the ended.
    pub(super) lifetimes: Lifetimes,
}

impl Site {
    /// The site at `pc`, of which nothing but the counts is known.
    #[must_use]
    pub fn new(pc: u64, counts: Counts) -> Self {
        Self {
            pc: RuntimeAddress(pc),
            start: None,
            counts,
            lifetimes: Lifetimes::NONE,
            oldest: None,
            oldest_gs: Vec::new(),
            series: Series::default(),
            rest: Rest::default(),
            older: None,
            older_gs: Vec::new(),
            ledger: Ledger::default(),
            carried: Carried {
                created: 0,
                live: 0,
                lifetimes: Lifetimes::NONE,
            },
            seen: 0,
        }
    }

    /// All that live, those older than the agent included.
    #[must_use]
    pub fn alive(&self) -> u64 {
        self.counts.live + self.older.map_or(0, |older| older.now)
    }

    /// Closes the books: what comes is counted anew, and added to what has been.
    pub(super) fn carry(&mut self) {
        self.carried = Carried {
            created: self.counts.created,
            live: i64::try_from(self.counts.live).unwrap_or(i64::MAX),
            lifetimes: self.lifetimes,
        };
        self.seen = 0;
    }

    /// The counts, where those of this stretch are `now`: of creations those that are known, and of
    /// ends the rest.
    pub(super) fn sum(&mut self, now: Counts) {
        let live = i64::try_from(now.live).unwrap_or(i64::MAX);
        let live = live.saturating_add(self.carried.live);
        let live = u64::try_from(live).unwrap_or(0);
        let created = (self.carried.created + now.created).max(live);
        self.counts = Counts {
            created,
            exited: created - live,
            live,
            exited_older: self
                .older
                .map_or(0, |older| older.at_first.saturating_sub(older.now)),
            accuracy: Accuracy::Sampled,
        };
    }

    /// What a census tells of the living, those older than the agent by their numbers.
    pub(super) fn set_living(&mut self, at: Duration, found: &Counted, goids: &Goids) {
        let at_first = self.older.map_or(found.older, |older| older.at_first);
        self.older = Some(Older {
            at_first,
            now: found.older,
            blocked: found.blocked,
            watched: at,
        });
        self.start = self.start.or(found.start);
        self.older_gs = found.oldest.iter().map(|(_, g)| *g).collect();
        let since = found
            .oldest
            .iter()
            .filter(|(goid, _)| *goid > goids.first());
        self.oldest_gs = since.clone().map(|(_, g)| *g).collect();
        self.oldest = since
            .clone()
            .next()
            .and_then(|(goid, _)| goids.created_before(*goid))
            .map(|created| at.saturating_sub(created));
    }

    /// How many older goroutines there were at first, and live: at least, where the site was busy.
    pub(super) fn set_older(&mut self, at: Duration, found: &Counted) {
        if let Some((at_first, now)) = self.ledger.older(self.counts) {
            self.older = Some(Older {
                at_first,
                now,
                blocked: found.blocked,
                watched: at,
            });
        }
        self.older_gs = found.oldest.iter().map(|(_, g)| *g).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untracked_exits_are_told_from_older_goroutines_as_far_as_possible() {
        let stats = SiteStats {
            created: 10,
            exited: 3,
            untracked: 4,
            exited_unborn: 6,
            ..SiteStats::EMPTY
        };
        let counts = Counts::from(&stats);
        assert_eq!((counts.exited, counts.live, counts.exited_older), (7, 3, 2));
        assert_eq!(counts.accuracy, Accuracy::Estimated);
    }

    #[test]
    fn counters_read_while_they_move_never_underflow() {
        let stats = SiteStats {
            created: 1,
            exited: 2,
            ..SiteStats::EMPTY
        };
        assert_eq!(Counts::from(&stats).live, 0);
    }
}
