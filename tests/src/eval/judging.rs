//! What is said of a recording: found or missed, and what was said of healthy sites.

use serde::Serialize;

use super::recording::{Place, Recording, Sighting, Verdict};
use super::scenarios::{Leak, Scenario};

/// What became of one program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Which program.
    pub name: String,
    /// One for each leak it has.
    pub leaks: Vec<Found>,
    /// The worst that was said of each site that does not leak.
    pub elsewhere: Vec<Wrong>,
    /// Seconds for which the agent watched.
    pub watched_seconds: f64,
    /// Why the run shows nothing, such as an agent that ended by itself.
    pub trouble: Option<String>,
    /// Every target that was missed, in words.
    pub misses: Vec<String>,
}

impl Judged {
    /// The worst that was said of any site that does not leak.
    #[must_use]
    pub fn worst_elsewhere(&self) -> Option<&Wrong> {
        // The first of those that are equally bad.
        self.elsewhere.iter().rev().max_by_key(|w| w.verdict)
    }
}

/// What became of one leak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// Which leak.
    pub marker: String,
    /// The least verdict that is right.
    pub due: Verdict,
    /// The worst verdict of it.
    pub verdict: Option<Verdict>,
    /// Seconds from its beginning to the first verdict.
    pub suspect_seconds: Option<f64>,
    /// Seconds from its beginning to the first that says at least likely.
    pub likely_seconds: Option<f64>,
    /// By when the verdict that is due has to come, in seconds from its beginning.
    pub within_seconds: f64,
    /// The verdict that was due came, and in time.
    pub in_time: bool,
    /// The pattern recognised last.
    pub pattern: Option<String>,
    /// The pattern it has.
    pub expected_pattern: String,
    /// Whether it was said what to change.
    pub advised: bool,
}

/// A verdict of a site that does not leak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wrong {
    /// Where.
    pub place: Place,
    /// The worst that was said of it.
    pub verdict: Verdict,
    /// Seconds from the agent's start until that.
    pub after_seconds: f64,
}

/// Judges one recording.
#[must_use]
pub fn judge(scenario: &Scenario, recording: &Recording) -> Judged {
    let elsewhere = elsewhere(scenario, &recording.sightings);
    let trouble = recording.ending.trouble();
    let mut misses = Vec::new();
    let mut leaks = Vec::new();
    for leak in &scenario.leaks {
        let (mut found, missed) = find(leak, recording);
        // Whatever was said before, a run that broke off shows nothing.
        if trouble.is_some() {
            found.in_time = false;
        } else {
            misses.extend(missed);
        }
        leaks.push(found);
    }
    misses.extend(trouble.clone());
    for wrong in &elsewhere {
        if wrong.verdict >= Verdict::Likely {
            misses.push(format!(
                "{} after {:.0} s at {}, which does not leak",
                wrong.verdict.word(),
                wrong.after_seconds,
                wrong.place
            ));
        }
    }
    Judged {
        name: scenario.name.clone(),
        leaks,
        elsewhere,
        watched_seconds: recording.watched,
        trouble,
        misses,
    }
}

/// Whether all is said that is due: nothing that follows makes it better.
#[must_use]
pub fn is_settled(scenario: &Scenario, sightings: &[Sighting]) -> bool {
    !scenario.is_healthy()
        && scenario.leaks.iter().all(|leak| {
            let here = || sightings.iter().filter(|s| leak.is_at(&s.place));
            here().any(|s| s.verdict >= due(leak)) && here().any(|s| s.pattern.is_some())
        })
}

fn due(leak: &Leak) -> Verdict {
    if leak.stopped {
        Verdict::Suspect
    } else {
        Verdict::Likely
    }
}

/// What became of a leak, and which of its targets were missed.
fn find(leak: &Leak, recording: &Recording) -> (Found, Vec<String>) {
    let begins = (leak.starts_after_seconds - recording.ready_before).max(0.0);
    let here = || recording.sightings.iter().filter(|s| leak.is_at(&s.place));
    // A verdict from before it began is one of a healthy site.
    let first = |least: Verdict| {
        here()
            .find(|s| s.verdict >= least && s.after >= begins)
            .map(|s| s.after - begins)
    };
    let due = due(leak);
    let reached = first(due);
    let found = Found {
        marker: leak.marker.clone(),
        due,
        verdict: here().map(|s| s.verdict).max(),
        suspect_seconds: here().next().map(|s| (s.after - begins).max(0.0)),
        likely_seconds: first(Verdict::Likely),
        within_seconds: leak.within_seconds,
        in_time: reached.is_some_and(|seconds| seconds <= leak.within_seconds),
        pattern: here().filter_map(|s| s.pattern.clone()).next_back(),
        expected_pattern: leak.pattern.clone(),
        advised: here().any(|s| s.advised),
    };
    let mut misses = Vec::new();
    let name = &leak.marker;
    if let Some(early) = here().find(|s| s.verdict >= Verdict::Likely && s.after < begins) {
        misses.push(format!(
            "{name}: {} {:.0} s before anything was lost",
            early.verdict.word(),
            begins - early.after
        ));
    }
    match (found.verdict, reached) {
        (None, _) => misses.push(format!("{name}: not found")),
        (Some(verdict), None) if verdict < due => misses.push(format!(
            "{name}: {} only, {} is due",
            verdict.word(),
            due.word()
        )),
        // It was said too early, which is told already.
        (Some(_), None) => {}
        (Some(_), Some(seconds)) if !found.in_time => misses.push(format!(
            "{name}: {} after {seconds:.0} s, not within {:.0} s",
            due.word(),
            leak.within_seconds
        )),
        (Some(_), Some(_)) => {}
    }
    if found.verdict.is_some() && found.pattern.as_deref() != Some(&leak.pattern) {
        misses.push(format!(
            "{name}: the pattern is {}, and {} was recognised",
            leak.pattern,
            found.pattern.as_deref().unwrap_or("none")
        ));
    }
    (found, misses)
}

/// The worst of each site that does not leak, in the order in which they came up.
fn elsewhere(scenario: &Scenario, sightings: &[Sighting]) -> Vec<Wrong> {
    let mut all: Vec<Wrong> = Vec::new();
    for seen in sightings {
        if scenario.loses_at(&seen.place) {
            continue;
        }
        let wrong = Wrong {
            place: seen.place.clone(),
            verdict: seen.verdict,
            after_seconds: seen.after,
        };
        match all.iter_mut().find(|w| w.place == seen.place) {
            Some(known) if known.verdict < wrong.verdict => *known = wrong,
            Some(_) => {}
            None => all.push(wrong),
        }
    }
    all
}

#[cfg(test)]
#[path = "judging_tests.rs"]
mod tests;
