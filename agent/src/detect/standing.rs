//! Many goroutines wait for others, and do not end.
//!
//! Nothing grows, so this is no proof of a leak: a pool of idle workers looks the same. But a leak
//! that stopped, also before anybody looked, looks like this too.

use std::time::Duration;

use super::{Finding, Judgement, Rule, Verdict};
use crate::track::{Older, Site};

/// Fewer are more often a pool than a leak.
const MANY: u64 = 1000;
/// How long they have to be watched.
const MIN_WATCHED: Duration = Duration::from_secs(20);
/// One in so many may end, or not wait, all the same.
const TOLERANCE: u64 = 50;
/// Of those looked at, so many have to rest all the time.
const NEARLY_ALL: f64 = 0.95;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing;

impl Rule for Standing {
    fn name(&self) -> &'static str {
        "standing"
    }

    fn judge(&self, site: &Site) -> Judgement {
        let Some(older) = site.older.filter(|older| older.now >= MANY) else {
            return resting(site);
        };
        let Older {
            at_first,
            now,
            blocked,
            watched,
        } = older;
        if watched < MIN_WATCHED {
            return Judgement::Recheck;
        }
        let ended = at_first.saturating_sub(now);
        let alive = site.alive();
        let awake = alive.saturating_sub(blocked);
        if ended > at_first / TOLERANCE || awake > alive / TOLERANCE {
            return Judgement::Fine;
        }
        let seconds = watched.as_secs();
        Judgement::Leak(Finding {
            verdict: Verdict::Suspect,
            growth_per_minute: 0.0,
            watched,
            doubt: None,
            evidence: vec![
                format!(
                    "{at_first} goroutines were there before gostray looked, and {} in {seconds} s",
                    match ended {
                        0 => "none of them has ended".into(),
                        ended => format!("only {ended} of them have ended"),
                    },
                ),
                format!("{blocked} of the {alive} that live wait for other goroutines"),
            ],
        })
    }
}

/// Those that came while gostray watched.
fn resting(site: &Site) -> Judgement {
    let alive = site.alive();
    let blocked = site.older.map_or(0, |older| older.blocked);
    if alive < MANY || alive.saturating_sub(blocked) > alive / TOLERANCE {
        return Judgement::Fine;
    }
    match site.rest.share(MIN_WATCHED) {
        None => Judgement::Recheck,
        Some(share) if share < NEARLY_ALL => Judgement::Fine,
        Some(_) => Judgement::Leak(Finding {
            verdict: Verdict::Suspect,
            growth_per_minute: 0.0,
            watched: MIN_WATCHED,
            doubt: None,
            evidence: vec![format!(
                "{blocked} of the {alive} goroutines that live wait for others, and have not run for \
                 {} s",
                MIN_WATCHED.as_secs()
            )],
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::track::{CensusObservation, Counted, Goids, Seen, Tracker};

    fn judged(passes: &[(u64, u64, u64)]) -> Judgement {
        let mut tracker = Tracker::default();
        tracker.begin_stretch(false);
        let mut goids = Goids::default();
        for (second, alive, blocked) in passes {
            let at = Duration::from_secs(*second);
            goids.push(at, 100_000);
            let counted = Counted {
                alive: *alive,
                older: *alive,
                blocked: *blocked,
                ..Counted::default()
            };
            let census = CensusObservation {
                sites: [(0x10, counted)].into(),
                unseen: 0,
            };
            let seen = Seen {
                census: &census,
                goids: &goids,
            };
            tracker.observe_census(at, seen, &HashMap::new());
        }
        Standing.judge(tracker.sites().next().expect("a site"))
    }

    #[test]
    fn many_that_wait_and_do_not_end_are_suspect() {
        let Judgement::Leak(finding) = judged(&[(0, 5000, 5000), (25, 4990, 4980)]) else {
            panic!("not found");
        };
        assert_eq!(finding.verdict, Verdict::Suspect);
        assert_eq!(
            finding.evidence,
            [
                "5000 goroutines were there before gostray looked, and only 10 of them have ended \
                 in 25 s",
                "4980 of the 4990 that live wait for other goroutines"
            ]
        );
    }

    #[test]
    fn few_at_work_ending_or_not_yet_watched_are_not() {
        assert_eq!(judged(&[(0, 900, 900), (25, 900, 900)]), Judgement::Fine);
        assert_eq!(judged(&[(0, 5000, 0), (25, 5000, 0)]), Judgement::Fine);
        assert_eq!(
            judged(&[(0, 5000, 5000), (25, 4000, 4000)]),
            Judgement::Fine
        );
        assert_eq!(
            judged(&[(0, 5000, 5000), (5, 5000, 5000)]),
            Judgement::Recheck
        );
    }
}
