//! What the rules say together, and what speaks against it.

use std::time::Duration;

use super::{Finding, Judgement, Rule, Verdict};
use crate::track::{Site, Waiting};

/// Who has not run for so long rests.
const REST: Duration = Duration::from_secs(10);
/// Of those looked at, so many have to rest for a suspicion that rests on their age alone.
const MOSTLY: f64 = 0.9;
/// Fewer resting ones mean that they are at work now and then.
const HARDLY: f64 = 0.5;

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
    let Some(resting) = site.rest.share(REST) else {
        return Some(finding);
    };
    let percent = resting * 100.0;
    let seconds = REST.as_secs();
    let objection = match waiting {
        Some(Waiting::Clock) if resting >= HARDLY => {
            Some("but most of them sleep, and will wake by themselves".to_owned())
        }
        Some(Waiting::Network) if resting < HARDLY => Some(format!(
            "but only {percent:.0} % of those looked at have not run for {seconds} s: their connections are in use"
        )),
        _ if finding.verdict == Verdict::Suspect && resting < MOSTLY => return None,
        _ => None,
    };
    if let Some(objection) = objection {
        if finding.verdict == Verdict::Suspect {
            return None;
        }
        finding.verdict = Verdict::Suspect;
        finding.evidence.push(objection);
    } else if resting >= MOSTLY {
        finding.evidence.push(format!(
            "{percent:.0} % of the goroutines looked at have not run for {seconds} s"
        ));
    }
    Some(finding)
}
