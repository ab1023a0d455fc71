//! What becomes of a verdict: it is reported once, again when it is surer, and closed when it stops.
//! What is said only once in passing is not said at all.

use std::{collections::HashMap, time::Duration};

use super::{Finding, Judgement, Verdict};
use crate::{binary::RuntimeAddress, track::Site};

/// An incident without growth for this long, or for twice as long as it took to find, whichever
/// is longer, has stopped; so has a suspicion without support.
const QUIET: Duration = Duration::from_secs(60);

/// A change that is worth an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A leak, new or surer than before.
    Leaks(Finding),
    /// It stopped, with the reason in sentences.
    Resolved(Vec<String>),
}

#[derive(Clone, Debug)]
struct Incident {
    verdict: Verdict,
    /// Most living goroutines so far, and when that was.
    peak: (u64, Duration),
    /// When a rule last supported it.
    supported: Duration,
    watched: Duration,
    /// It was proven without any growth, so that there is none says nothing.
    is_standing: bool,
}

/// The incidents of one process.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    open: HashMap<RuntimeAddress, Incident>,
    /// What rules have said of a site at the last observation, and has not been reported.
    said_once: HashMap<RuntimeAddress, Verdict>,
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

    /// How sure the open incident of `site` is.
    #[must_use]
    pub fn verdict(&self, site: RuntimeAddress) -> Option<Verdict> {
        self.open.get(&site).map(|incident| incident.verdict)
    }

    /// Sites of which something has been said, or may be said if it is seen again.
    pub fn in_question(&self) -> impl Iterator<Item = RuntimeAddress> {
        self.open.keys().chain(self.said_once.keys()).copied()
    }

    /// Takes in a judgement made at `at`.
    pub fn update(&mut self, site: &Site, judgement: Judgement, at: Duration) -> Option<Change> {
        let live = site.alive();
        let finding = match judgement {
            Judgement::Leak(finding) => Some(finding),
            Judgement::Fine | Judgement::Recheck => None,
        };
        if let Some(incident) = self.open.get_mut(&site.pc) {
            if live > incident.peak.0 {
                incident.peak = (live, at);
            }
            if finding.is_some() {
                incident.supported = at;
            }
            if let Some(evidence) = incident.has_stopped(live, at) {
                self.open.remove(&site.pc);
                self.said_once.remove(&site.pc);
                return Some(Change::Resolved(vec![evidence]));
            }
        }
        let known = self.verdict(site.pc);
        let Some(finding) = finding.filter(|finding| known.is_none_or(|it| finding.verdict > it))
        else {
            self.said_once.remove(&site.pc);
            return None;
        };
        let before = self.said_once.insert(site.pc, finding.verdict);
        if before.is_none_or(|before| before < finding.verdict) {
            return None;
        }
        self.said_once.remove(&site.pc);
        self.opened += usize::from(known.is_none());
        let incident = self.open.entry(site.pc).or_insert(Incident {
            verdict: finding.verdict,
            peak: (live, at),
            supported: at,
            watched: finding.watched,
            is_standing: false,
        });
        incident.verdict = finding.verdict;
        incident.watched = incident.watched.max(finding.watched);
        Some(Change::Leaks(finding))
    }
}

impl Incidents {
    /// `site` has been proven to leak, which needs no second look. Where nothing was unusual about it that is
    /// none, unless it `is_leak` whatever its numbers are.
    pub fn prove(
        &mut self,
        site: &Site,
        finding: Finding,
        at: Duration,
        is_leak: bool,
    ) -> Option<Change> {
        let known = self.verdict(site.pc);
        if known >= Some(Verdict::Proven) || known.is_none() && !is_leak {
            return None;
        }
        self.said_once.remove(&site.pc);
        self.opened += usize::from(known.is_none());
        let incident = self.open.entry(site.pc).or_insert(Incident {
            verdict: Verdict::Proven,
            peak: (site.alive(), at),
            supported: at,
            watched: finding.watched,
            is_standing: true,
        });
        incident.verdict = Verdict::Proven;
        Some(Change::Leaks(finding))
    }
}

impl Incident {
    /// Why it is over, if it is.
    fn has_stopped(&self, live: u64, at: Duration) -> Option<String> {
        let quiet = at.saturating_sub(self.peak.1);
        let alone = at.saturating_sub(self.supported);
        if live <= self.peak.0 / 2 {
            Some(format!(
                "{live} goroutines are alive, of {} at the peak",
                self.peak.0
            ))
        } else if self.verdict == Verdict::Suspect && alone > QUIET {
            Some(format!(
                "nothing has been unusual for {:.0} s",
                alone.as_secs_f64()
            ))
        } else if self.verdict > Verdict::Suspect
            && !self.is_standing
            && quiet > QUIET.max(self.watched * 2)
        {
            Some(format!("no growth for {:.0} s", quiet.as_secs_f64()))
        } else {
            None
        }
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

    fn says(verdict: Verdict) -> Judgement {
        Judgement::Leak(Finding {
            verdict,
            growth_per_minute: 60.0,
            watched: Duration::from_secs(15),
            doubt: None,
            evidence: Vec::new(),
        })
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Which verdict was reported, if one was.
    fn reported(change: Option<Change>) -> Option<Verdict> {
        match change {
            Some(Change::Leaks(finding)) => Some(finding.verdict),
            _ => None,
        }
    }

    fn with_a_leak(verdict: Verdict) -> Incidents {
        let mut incidents = Incidents::default();
        incidents.update(&site(100), says(verdict), at(14));
        let change = incidents.update(&site(100), says(verdict), at(15));
        assert_eq!(reported(change), Some(verdict));
        incidents
    }

    fn proven() -> Finding {
        Finding {
            verdict: Verdict::Proven,
            growth_per_minute: 0.0,
            watched: at(20),
            doubt: None,
            evidence: Vec::new(),
        }
    }

    #[test]
    fn a_proof_needs_no_second_look_but_a_suspicion() {
        let mut incidents = with_a_leak(Verdict::Suspect);
        let change = incidents.prove(&site(100), proven(), at(20), false);
        assert_eq!(reported(change), Some(Verdict::Proven));
        assert_eq!(incidents.prove(&site(100), proven(), at(21), false), None);
        assert_eq!(incidents.opened(), 1);
        let mut none = Incidents::default();
        assert_eq!(none.prove(&site(100), proven(), at(20), false), None);
    }

    #[test]
    fn what_the_program_itself_has_found_is_a_leak_though_it_does_not_grow() {
        let mut incidents = Incidents::default();
        let change = incidents.prove(&site(3), proven(), at(20), true);
        assert_eq!(reported(change), Some(Verdict::Proven));
        assert_eq!(incidents.update(&site(3), Judgement::Fine, at(900)), None);
        let ended = incidents.update(&site(1), Judgement::Fine, at(901));
        assert!(matches!(ended, Some(Change::Resolved(_))));
    }

    #[test]
    fn what_is_said_in_passing_is_not_reported() {
        let mut incidents = Incidents::default();
        for second in 0..20 {
            let judgement = match second % 2 {
                0 => says(Verdict::Likely),
                _ => Judgement::Fine,
            };
            assert_eq!(incidents.update(&site(10), judgement, at(second)), None);
        }
        assert_eq!(incidents.opened(), 0);
    }

    #[test]
    fn each_verdict_is_reported_once_and_never_a_lesser_one_after() {
        use Verdict::{Likely, Suspect};
        let mut incidents = Incidents::default();
        let mut heard = Vec::new();
        for (second, verdict) in (0..).zip([
            Suspect, Suspect, Suspect, Likely, Suspect, Likely, Likely, Likely, Suspect, Suspect,
        ]) {
            let change = incidents.update(&site(10 + 50 * second), says(verdict), at(second));
            heard.extend(reported(change));
        }
        assert_eq!(heard, [Suspect, Likely]);
        assert_eq!(incidents.opened(), 1);
        assert_eq!(incidents.verdict(RuntimeAddress(0x1000)), Some(Likely));
    }

    #[test]
    fn it_is_resolved_when_half_of_them_are_gone() {
        let mut incidents = with_a_leak(Verdict::Likely);
        assert_eq!(incidents.update(&site(60), Judgement::Fine, at(16)), None);
        assert!(matches!(
            incidents.update(&site(50), Judgement::Fine, at(17)),
            Some(Change::Resolved(_))
        ));
        assert!(!incidents.is_open(RuntimeAddress(0x1000)));
    }

    #[test]
    fn it_is_resolved_when_it_has_long_stopped_growing() {
        let mut incidents = with_a_leak(Verdict::Likely);
        incidents.update(&site(101), Judgement::Fine, at(20));
        assert_eq!(incidents.update(&site(101), Judgement::Fine, at(80)), None);
        assert!(matches!(
            incidents.update(&site(101), Judgement::Fine, at(81)),
            Some(Change::Resolved(_))
        ));
    }

    #[test]
    fn a_suspicion_ends_when_nothing_supports_it_any_more() {
        let mut incidents = with_a_leak(Verdict::Suspect);
        for second in 16..100 {
            let standing = says(Verdict::Suspect);
            assert_eq!(incidents.update(&site(100), standing, at(second)), None);
        }
        assert_eq!(incidents.update(&site(100), Judgement::Fine, at(159)), None);
        assert!(matches!(
            incidents.update(&site(100), Judgement::Fine, at(160)),
            Some(Change::Resolved(_))
        ));
    }
}
