//! A finding with everything that can be said of it.

use std::time::Duration;

use super::{
    evidence::{Evidence, Looker, Sample},
    impact::Impacts,
    patterns::{self, CreationStacks},
};
use crate::{
    detect::{
        Finding, Verdict,
        pattern::{self, Pattern, Recognised},
    },
    memory::MemoryReader,
    report::{Aged, Leak, Place, SiteName, Unknown},
    track::{AGES, Site},
};

/// What a leak is described with.
pub(super) struct Describer<'a, M> {
    pub(super) looker: Looker<'a, M>,
    pub(super) creation_stacks: &'a CreationStacks,
    pub(super) impacts: &'a mut Impacts,
    /// When the ages of the oldest were last found out.
    pub(super) ages_at: Duration,
    pub(super) coverage: f64,
}

/// What was found out about the goroutines of a site.
struct Look {
    seen: Evidence,
    created_by: Option<Vec<Place>>,
    name: SiteName,
    blocked_at: Option<Place>,
    /// Of one stack, in bytes.
    stack: Option<f64>,
    recognised: Result<Recognised, String>,
}

impl<M: MemoryReader> Describer<'_, M> {
    /// The pattern that the goroutines of `site` show.
    pub(super) fn pattern(
        &mut self,
        site: &Site,
        verdict: Verdict,
        readers: Option<&Site>,
    ) -> Option<Pattern> {
        let look = self.look(site, verdict, readers);
        look.recognised.ok().map(|recognised| recognised.pattern)
    }

    fn look(&mut self, site: &Site, verdict: Verdict, readers: Option<&Site>) -> Look {
        // Those that were lost before anybody looked are told by the older ones.
        let (gs, number) = if verdict == Verdict::Suspect || site.oldest_gs.is_empty() {
            (&site.older_gs, site.alive())
        } else {
            (&site.oldest_gs, site.counts.live)
        };
        let seen = self.looker.gather(&Sample {
            site: site.pc,
            gs,
            stands_for: number,
        });
        let creation_stack = self.creation_stacks.get(&site.pc.0);
        let created_by = creation_stack
            .and_then(|stacks| stacks.first())
            .map(|pcs| self.looker.names.stack(pcs))
            .filter(|stack| !stack.is_empty());
        let name = self.looker.names.site(site.pc, site.start).clone();
        let mut waiting = patterns::waiting(
            site,
            &name,
            &seen,
            created_by.as_deref(),
            self.ages_at,
            self.looker.program,
        );
        // Only such a goroutine has nothing of its user on its stack, and all stacks have to be named.
        if pattern::serves_client(&waiting) {
            waiting.requested_by = patterns::requested_by(
                self.creation_stacks,
                self.looker.names,
                waiting.main_module.as_deref(),
            );
        }
        if let Some(readers) = readers {
            let seen = self.looker.gather(&Sample {
                site: readers.pc,
                gs: &readers.older_gs,
                stands_for: 1,
            });
            waiting.readers_reason = seen.wait_reason;
        }
        let stack = seen.stack_bytes.filter(|_| number > 0);
        Look {
            stack: stack.map(|bytes| bytes as f64 / number as f64),
            seen,
            created_by,
            name,
            blocked_at: patterns::blocked_at(&waiting),
            recognised: pattern::recognise(&waiting),
        }
    }

    pub(super) fn leak(
        &mut self,
        site: &Site,
        finding: Finding,
        rule: &'static str,
        readers: Option<&Site>,
    ) -> Leak {
        let Look {
            mut seen,
            created_by,
            name,
            blocked_at,
            stack,
            recognised,
        } = self.look(site, finding.verdict, readers);
        let mut unknown = Unknown::new();
        for field in ["retained_bytes", "retained_objects"] {
            unknown.insert(field, "nothing is proven of this leak yet".into());
        }
        if let Err(reason) = &recognised {
            unknown.insert("pattern", reason.clone());
            for field in ["advice", "example"] {
                unknown.insert(field, "there is advice only for recognised patterns".into());
            }
        }
        let impact = self.impacts.leak(site, &finding, stack);
        let mut evidence = finding.evidence;
        if seen.looked_at > 0 {
            let Evidence {
                alike, looked_at, ..
            } = seen;
            evidence.push(format!(
                "{alike} of {looked_at} looked at wait at the same place"
            ));
        }
        let (pattern, advice, example) = match recognised {
            Ok(found) => {
                evidence.push(found.because);
                (
                    Some(found.pattern.as_str().into()),
                    Some(found.advice),
                    Some(found.example),
                )
            }
            Err(_) => (None, None, None),
        };
        unknown.append(&mut seen.unknown);
        if created_by.is_none() {
            unknown.insert(
                "created_by",
                "no creation stack of this site was taken".into(),
            );
        }
        Leak {
            verdict: finding.verdict,
            rule,
            site: name,
            live: site.counts.live,
            older: site.older.map(|older| older.now),
            created: site.counts.created,
            exited: site.counts.exited,
            accuracy: site.counts.accuracy.as_str(),
            growth_per_minute: finding.growth_per_minute,
            wait_reason: seen.wait_reason,
            blocked_at,
            stack: seen.stack,
            created_by,
            pattern,
            evidence,
            advice,
            example,
            waits_on: seen.waits_on,
            stack_bytes: seen.stack_bytes,
            retained_bytes: None,
            retained_objects: None,
            oldest_seconds: site.oldest.map(|age| age.as_secs_f64()),
            coverage: self.coverage,
            older_than: older_than(site),
            labels: seen.labels,
            suppressed: None,
            history: None,
            goids: seen.goids,
            impact,
            unknown,
        }
    }
}

/// How many there are of each age.
fn older_than(site: &Site) -> Vec<Aged> {
    let last = site.series.points(0).next_back();
    let ages = AGES
        .iter()
        .zip(last.map_or([0; AGES.len()], |last| last.survivors));
    let ages = ages.map(|(age, count)| Aged {
        older_than_seconds: age.as_secs_f64(),
        count,
    });
    ages.collect()
}
