//! Judges each site, and makes events of what changes.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use super::{Session, evidence::Looker, leak::Describer, names, pass::Passes};
use crate::{
    binary::RuntimeAddress,
    detect::{
        self, Change, Finding, Incidents, Judgement, Subject, Unusual, Verdict,
        pattern::{self, Pattern},
    },
    memory::LiveMemory,
    report::{Event, EventKind, Leak, Resolved},
    target::Descriptors,
    track::{Site, Tracker},
};

/// Goroutines whose pattern decides about a verdict are not looked at more often than this,
const LOOK_PAUSE: Duration = Duration::from_secs(10);
/// nor those of more sites in one observation.
const LOOKS_AT_ONCE: usize = 8;

/// A pattern that was recognised in passing, and when.
pub(super) type Glance = (Duration, Option<Pattern>);

/// The sites of which there may be something to say, by address.
pub(super) fn in_question<'a>(
    tracker: &'a Tracker,
    incidents: &Incidents,
) -> impl Iterator<Item = &'a Site> + use<'a> {
    let sites: BTreeSet<_> = tracker.lively().chain(incidents.in_question()).collect();
    sites.into_iter().filter_map(|pc| tracker.get(pc))
}

impl Session {
    pub(super) fn judge(&mut self, at: Duration, coverage: f64) -> Vec<Event> {
        let mut found = Vec::new();
        let mut changes = Vec::new();
        for site in in_question(&self.tracker, &self.incidents) {
            let name = self.names.site(site.pc, site.start);
            if names::is_system(&name.start.function) {
                continue;
            }
            let (judgement, rule) = detect::judge(&self.rules, site);
            let rule = rule.unwrap_or_default();
            let is_sure = self.incidents.verdict(site.pc) >= Some(Verdict::Likely);
            match judgement {
                // Of those that are sure already nothing makes it surer.
                Judgement::Leak(finding) if !is_sure => found.push((site.clone(), finding, rule)),
                judgement => {
                    if let Some(change) = self.incidents.update(site, judgement, at) {
                        changes.push((site.clone(), change, rule));
                    }
                }
            }
        }
        let mut looks = LOOKS_AT_ONCE;
        for (site, finding, rule) in found {
            let finding = self.weigh(&site, finding, at, coverage, &mut looks);
            let judgement = Judgement::Leak(finding);
            if let Some(change) = self.incidents.update(&site, judgement, at) {
                changes.push((site, change, rule));
            }
        }
        changes.append(&mut self.prove(at));
        if changes.is_empty() {
            return Vec::new();
        }
        self.impacts.update(&self.incidents);
        let event = |(site, change, rule): (Site, Change, &'static str)| {
            let kind = match change {
                Change::Leaks(finding) => {
                    let readers = self.readers(&site);
                    let mut leak = self.describer(at, coverage).leak(
                        &site,
                        finding.clone(),
                        rule,
                        readers.as_ref(),
                    );
                    self.suppress(site.pc, &mut leak);
                    self.retained(&site, &mut leak);
                    self.recall(&site, &finding, &mut leak, at);
                    EventKind::Leak(Box::new(leak))
                }
                Change::Resolved(evidence) => {
                    self.past.stopped(site.pc);
                    self.suppressed.remove(&site.pc);
                    EventKind::Resolved(Resolved {
                        site: self.names.site(site.pc, site.start).clone(),
                        live: site.alive(),
                        evidence,
                        state: "resolved",
                    })
                }
            };
            self.event(kind)
        };
        changes.into_iter().map(event).collect()
    }

    /// What the goroutines themselves, and the past, say to what a rule has found.
    fn weigh(
        &mut self,
        site: &Site,
        finding: Finding,
        at: Duration,
        coverage: f64,
        looks: &mut usize,
    ) -> Finding {
        let is_open = finding.doubt.is_some() || finding.verdict == Verdict::Suspect;
        let pattern = match is_open {
            true => self.glance(site, finding.verdict, at, coverage, looks),
            false => None,
        };
        let mut finding = finding.with_pattern(pattern);
        if pattern == Some(Pattern::NilChannel) && finding.verdict == Verdict::Suspect {
            finding.verdict = Verdict::Likely;
            finding
                .evidence
                .push("nothing ever comes through a nil channel".to_owned());
        }
        let live = site.alive();
        if let Some(normal) = self.past.normal(site.pc, SystemTime::now())
            && normal.judge(live as f64) == Unusual::Usual
            && finding.verdict > Verdict::Suspect
        {
            finding.verdict = Verdict::Suspect;
            finding.evidence.push(format!(
                "but {live} are alive, and {:.0} are normal at this hour of the week",
                normal.mean
            ));
        }
        finding
    }

    /// Which pattern the goroutines of `site` show, if they were looked at lately.
    fn glance(
        &mut self,
        site: &Site,
        verdict: Verdict,
        at: Duration,
        coverage: f64,
        looks: &mut usize,
    ) -> Option<Pattern> {
        let last = self.glances.get(&site.pc);
        let lately = last.filter(|(looked, _)| at.saturating_sub(*looked) < LOOK_PAUSE);
        if let Some((_, pattern)) = lately {
            return *pattern;
        }
        *looks = looks.checked_sub(1)?;
        let readers = self.readers(site);
        let pattern = self
            .describer(at, coverage)
            .pattern(site, verdict, readers.as_ref());
        self.glances.insert(site.pc, (at, pattern));
        pattern
    }

    /// Of a site whose goroutines write to the connections of HTTP clients, those that read from them:
    /// they tell more.
    fn readers(&mut self, site: &Site) -> Option<Site> {
        let names = &mut self.names;
        let mut starts = |site: &Site, function: &str| {
            names.site(site.pc, site.start).start.function == function
        };
        if !starts(site, pattern::WRITE_LOOP) {
            return None;
        }
        let mut sites = self.tracker.sites();
        sites.find(|site| starts(site, pattern::READ_LOOP)).cloned()
    }

    fn describer(&mut self, at: Duration, coverage: f64) -> Describer<'_, LiveMemory> {
        Describer {
            looker: Looker {
                program: &self.inspected.program,
                memory: &self.memory,
                landmarks: self.passes.as_ref().map(Passes::landmarks),
                unwinder: &mut self.unwinder,
                names: &mut self.names,
                descriptors: Descriptors::of(self.inspected.process.pid()),
            },
            creation_stacks: &self.creation_stacks,
            impacts: &mut self.impacts,
            ages_at: if self.governor.mode().counts_all() {
                self.births_at
            } else {
                at
            },
            coverage,
        }
    }

    /// Says of a leak that somebody has decided to live with it, if so.
    fn suppress(&mut self, pc: RuntimeAddress, leak: &mut Leak) {
        let Leak { site, labels, .. } = &*leak;
        let subject = Subject {
            created_in: &site.created_at.function,
            started: &site.start.function,
            file: site.created_at.file.as_deref(),
            line: site.created_at.line,
            labels,
        };
        let covering = self
            .options
            .suppressions
            .iter()
            .find(|it| it.covers(&subject));
        leak.suppressed = covering.map(|suppression| suppression.reason.clone());
        if leak.suppressed.is_some() && self.suppressed.insert(pc) {
            self.suppressions += 1;
        }
    }
}
