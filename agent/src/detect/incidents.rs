//! What becomes of a verdict: it is reported once, again when it has grown a lot, and closed when
//! it stops.

use std::{collections::HashMap, time::Duration};

use super::{Finding, Judgement, Verdict};
use crate::{binary::RuntimeAddress, track::Site};

/// An open incident is reported again when this many times as many goroutines are lost.
const AGAIN_AT: u64 = 4;

/// An incident without growth for this long, or for twice as long as it took to find, whichever
/// is longer, has stopped.
const QUIET: Duration = Duration::from_secs(60);

/// A change that is worth an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A leak, new or grown.
    Leaks(Finding),
    /// It stopped, with the reason in sentences.
    Resolved(Vec<String>),
}

#[derive(Clone, Debug)]
struct Incident {
    /// Living goroutines when it was last reported.
    reported: u64,
    verdict: Verdict,
    /// Most living goroutines so far, and when that was.
    peak: (u64, Duration),
    watched: Duration,
}

/// The open incidents of one process.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    open: HashMap<RuntimeAddress, Incident>,
    opened: usize,
}

impl Incidents {
    /// How many incidents there have been.
    #[must_use]
    pub fn opened(&self) -> usize {
        self.opened
    }

    /// Sites with an open incident, and its verdict.
    pub fn open(&self) -> impl Iterator<Item = (RuntimeAddress, Verdict)> {
        self.open
            .iter()
            .map(|(site, incident)| (*site, incident.verdict))
    }

    /// Whether `site` has an open incident.
    #[must_use]
    pub fn is_open(&self, site: RuntimeAddress) -> bool {
        self.open.contains_key(&site)
    }

    /// Takes in a judgement made at `at`.
    pub fn update(&mut self, site: &Site, judgement: Judgement, at: Duration) -> Option<Change> {
        let live = site.alive();
        let Some(incident) = self.open.get_mut(&site.pc) else {
            let Judgement::Leak(finding) = judgement else {
                return None;
            };
            self.open.insert(
                site.pc,
                Incident {
                    reported: live,
                    verdict: finding.verdict,
                    peak: (live, at),
                    watched: finding.watched,
                },
            );
            self.opened += 1;
            return Some(Change::Leaks(finding));
        };
        if live > incident.peak.0 {
            incident.peak = (live, at);
        }
        let quiet = at.saturating_sub(incident.peak.1);
        let evidence = if live <= incident.peak.0 / 2 {
            format!(
                "{live} goroutines are alive, of {} at the peak",
                incident.peak.0
            )
        } else if incident.verdict > Verdict::Suspect && quiet > QUIET.max(incident.watched * 2) {
            format!("no growth for {:.0} s", quiet.as_secs_f64())
        } else {
            let Judgement::Leak(finding) = judgement else {
                return None;
            };
            let is_surer = finding.verdict > incident.verdict;
            if !is_surer && live < incident.reported.saturating_mul(AGAIN_AT) {
                return None;
            }
            incident.reported = live;
            incident.verdict = incident.verdict.max(finding.verdict);
            incident.watched = incident.watched.max(finding.watched);
            return Some(Change::Leaks(finding));
        };
        self.open.remove(&site.pc);
        Some(Change::Resolved(vec![evidence]))
    }
}

#[cfg(test)]
mod tests {
    use gostray_common::SiteStats;

    use super::*;
    use crate::track::Counts;

    fn site(live: u64) -> Site {
        let stats = SiteStats {
            created: live,
            ..SiteStats::EMPTY
        };
        Site::new(0x1000, Counts::from(&stats))
    }

    fn leak() -> Judgement {
        Judgement::Leak(Finding {
            verdict: Verdict::Likely,
            growth_per_minute: 60.0,
            watched: Duration::from_secs(15),
            evidence: Vec::new(),
        })
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_leak_is_said_once_and_again_when_it_has_grown_a_lot() {
        let mut incidents = Incidents::default();
        assert_eq!(incidents.update(&site(5), Judgement::Fine, at(0)), None);
        let said = |change| matches!(change, Some(Change::Leaks(_)));
        assert!(said(incidents.update(&site(10), leak(), at(15))));
        assert!(incidents.is_open(RuntimeAddress(0x1000)));
        assert!(!said(incidents.update(&site(20), leak(), at(18))));
        assert!(said(incidents.update(&site(40), leak(), at(21))));
        assert_eq!(incidents.opened(), 1);
    }

    #[test]
    fn it_is_resolved_when_half_of_them_are_gone() {
        let mut incidents = Incidents::default();
        incidents.update(&site(100), leak(), at(15));
        assert_eq!(incidents.update(&site(60), Judgement::Fine, at(16)), None);
        assert!(matches!(
            incidents.update(&site(50), Judgement::Fine, at(17)),
            Some(Change::Resolved(_))
        ));
        assert!(!incidents.is_open(RuntimeAddress(0x1000)));
    }

    #[test]
    fn it_is_resolved_when_it_has_long_stopped_growing() {
        let mut incidents = Incidents::default();
        incidents.update(&site(100), leak(), at(15));
        incidents.update(&site(101), Judgement::Fine, at(20));
        assert_eq!(incidents.update(&site(101), Judgement::Fine, at(80)), None);
        assert!(matches!(
            incidents.update(&site(101), Judgement::Fine, at(81)),
            Some(Change::Resolved(_))
        ));
    }
}
