//! What the rules say together, and what speaks against it.

use std::time::Duration;

use super::{Doubt, Finding, Judgement, Rule, Verdict, pattern::Pattern};
use crate::{runtime::Purpose, track::Site};

/// Who has not run for so long rests.
const REST: Duration = Duration::from_secs(10);
/// Of those looked at, so many have to rest for a suspicion that rests on their age alone.
const MOSTLY: f64 = 0.9;
/// Whoever does anything in turns has run after so long.
const LONG_REST: Duration = Duration::from_secs(30);
/// Fewer resting ones mean that they are at work.
const HARDLY: f64 = 0.5;
/// Workers that become more for so long are no pool that fills.
const LONG: Duration = Duration::from_secs(120);

/// What the rules say together of `site`: the surest finding with the evidence of all that agree, and
/// which rule made it.
#[must_use]
pub fn judge(rules: &[Box<dyn Rule>], site: &Site) -> (Judgement, Option<&'static str>) {
    let mut fine = Judgement::Fine;
    let mut findings: Vec<(Finding, &'static str)> = Vec::new();
    for rule in rules {
        match rule.judge(site) {
            Judgement::Leak(finding) => findings.push((finding, rule.name())),
            Judgement::Recheck => fine = Judgement::Recheck,
            Judgement::Fine => {}
        }
    }
    // The sort is stable: of equally sure rules the first speaks.
    findings.sort_by_key(|(finding, _)| std::cmp::Reverse(finding.verdict));
    let mut findings = findings.into_iter();
    let Some((finding, rule)) = findings.next() else {
        return (fine, None);
    };
    let Some(mut finding) = temper(finding, site) else {
        return (Judgement::Recheck, None);
    };
    finding
        .evidence
        .extend(findings.flat_map(|(other, _)| other.evidence));
    (Judgement::Leak(finding), Some(rule))
}

/// Takes into account what the goroutines do. `None` where that speaks against a suspicion.
fn temper(mut finding: Finding, site: &Site) -> Option<Finding> {
    let waiting = site.rest.waiting();
    let short = site.rest.share(REST);
    if finding.verdict == Verdict::Suspect {
        let resting = short.is_none_or(|share| share >= MOSTLY);
        let wakes = waiting == Some(Purpose::Clock) && short.is_some();
        return (resting && !wakes).then(|| with_rest(finding, short, REST));
    }
    let Some(resting) = site.rest.share(LONG_REST).or(short) else {
        return Some(finding);
    };
    let percent = resting * 100.0;
    let seconds = LONG_REST.as_secs();
    let objection = match waiting {
        Some(Purpose::Clock) if resting >= HARDLY => {
            "but most of them sleep, and will wake by themselves".to_owned()
        }
        Some(Purpose::Network) if resting < HARDLY => format!(
            "but only {percent:.0} % of those looked at have not run for {seconds} s: their \
             connections are in use"
        ),
        _ => {
            if resting < HARDLY && finding.watched < LONG {
                finding.doubt.get_or_insert(Doubt::AtWork);
            }
            return Some(with_rest(finding, Some(resting), LONG_REST));
        }
    };
    finding.verdict = Verdict::Suspect;
    finding.evidence.push(objection);
    Some(finding)
}

/// Says how many have not run for `long`, if that is most of them.
fn with_rest(mut finding: Finding, share: Option<f64>, long: Duration) -> Finding {
    if let Some(share) = share.filter(|share| *share >= MOSTLY) {
        finding.evidence.push(format!(
            "{:.0} % of the goroutines looked at have not run for {} s",
            share * 100.0,
            long.as_secs()
        ));
    }
    finding
}

impl Finding {
    /// Takes into account which pattern the goroutines show, if there is a doubt that it can clear up:
    /// those that run now and then leak if all they do is go round for ever, and even then a pool that
    /// fills slowly looks the same for a while; those that end leak if they queue.
    #[must_use]
    pub fn with_pattern(mut self, pattern: Option<Pattern>) -> Self {
        /// Nearly one a second, in a minute.
        const FAST: f64 = 50.0;
        let (is_cleared, objection) = match self.doubt {
            None => return self,
            Some(Doubt::AtWork) => (
                pattern == Some(Pattern::TimerLoop) && self.growth_per_minute >= FAST,
                "but they run now and then, so they may be at work",
            ),
            Some(Doubt::Served) => (
                pattern == Some(Pattern::UnboundedFanOut),
                "but they end, and no queue was found that they wait in",
            ),
        };
        if !is_cleared {
            self.verdict = self.verdict.min(Verdict::Suspect);
            self.evidence.push(objection.to_owned());
        }
        self
    }
}
