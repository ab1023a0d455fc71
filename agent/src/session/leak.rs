//! A finding with everything that can be said of it.

use super::{Program, evidence, impact::Impacts, names::Names};
use crate::{
    binary::RuntimeAddress,
    detect::{Finding, Verdict},
    memory::MemoryReader,
    report::{Leak, Unknown},
    runtime::Unwinder,
    track::Site,
};

/// What a leak is described with.
pub(super) struct Describer<'a, M> {
    pub(super) program: &'a Program,
    pub(super) memory: &'a M,
    pub(super) unwinder: &'a mut Unwinder,
    pub(super) names: &'a mut Names,
    pub(super) impacts: &'a mut Impacts,
    pub(super) coverage: f64,
}

impl<M: MemoryReader> Describer<'_, M> {
    pub(super) fn leak(
        &mut self,
        site: &Site,
        finding: Finding,
        rule: &'static str,
        creation_stack: Option<&Vec<RuntimeAddress>>,
    ) -> Leak {
        // Those that were lost before anybody looked are told by the older ones.
        let (gs, number) = if finding.verdict == Verdict::Suspect || site.oldest_gs.is_empty() {
            (&site.older_gs, site.alive())
        } else {
            (&site.oldest_gs, site.counts.live)
        };
        let mut seen = evidence::gather(
            &evidence::Sample {
                site: site.pc,
                gs,
                stands_for: number,
            },
            self.memory,
            self.program,
            self.unwinder,
            self.names,
        );
        let created_by = creation_stack
            .map(|pcs| self.names.stack(pcs))
            .filter(|stack| !stack.is_empty());
        let mut unknown = Unknown::from([
            ("pattern", "patterns are not recognised yet".into()),
            (
                "advice",
                "there is advice only for recognised patterns".into(),
            ),
            ("retained_bytes", "the heap is not looked at yet".into()),
        ]);
        unknown.append(&mut seen.unknown);
        if created_by.is_none() {
            unknown.insert(
                "created_by",
                "no creation stack of this site was taken".into(),
            );
        }
        let stack = seen.stack_bytes.filter(|_| number > 0);
        let stack = stack.map(|bytes| bytes as f64 / number as f64);
        let impact = self.impacts.leak(site, &finding, stack);
        Leak {
            verdict: finding.verdict,
            rule,
            site: self.names.site(site.pc, site.start).clone(),
            live: site.counts.live,
            older: site.older.map(|older| older.now),
            created: site.counts.created,
            exited: site.counts.exited,
            accuracy: site.counts.accuracy.as_str(),
            growth_per_minute: finding.growth_per_minute,
            wait_reason: seen.wait_reason,
            blocked_at: seen.blocked_at,
            stack: seen.stack,
            created_by,
            pattern: None,
            evidence: finding.evidence,
            advice: None,
            stack_bytes: seen.stack_bytes,
            retained_bytes: None,
            oldest_seconds: site.oldest.map(|age| age.as_secs_f64()),
            coverage: self.coverage,
            history: None,
            goids: seen.goids,
            impact,
            unknown,
        }
    }
}
