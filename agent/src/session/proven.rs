//! Proofs in a session's events.

use std::time::Duration;

use super::{Session, prove::SiteProof, proving::Found};
use crate::{
    detect::{self, Change, Finding, Judgement, Verdict},
    report::Leak,
    track::Site,
};

impl Session {
    /// Asks for a proof where a leak is likely, or the program itself knows of one, and takes in what has
    /// come of the last one: what it has made sure.
    pub(super) fn prove(&mut self, at: Duration) -> Vec<(Site, Change, &'static str)> {
        let Some(proving) = &mut self.proving else {
            return Vec::new();
        };
        let is_wanted = self
            .incidents
            .open()
            .any(|(site, verdict)| verdict == Verdict::Likely && !self.suppressed.contains(&site));
        if is_wanted || self.has_marked {
            proving.want();
        }
        match proving.answer() {
            Some(found) => self.made_sure(found, at),
            None => Vec::new(),
        }
    }

    fn made_sure(&mut self, found: Found, at: Duration) -> Vec<(Site, Change, &'static str)> {
        let mut changes = Vec::new();
        for site in self.tracker.sites() {
            let Some(proof) = found.get(&site.pc) else {
                continue;
            };
            // A goroutine that waits for ever because that is what it is for does no harm: only what
            // somebody suspects is a leak, or what somebody had the program itself look for.
            let (judgement, _) = detect::judge(&self.rules, site);
            let finding = match judgement {
                Judgement::Leak(finding) => Finding {
                    verdict: Verdict::Proven,
                    doubt: None,
                    ..finding
                },
                Judgement::Fine | Judgement::Recheck => Finding {
                    verdict: Verdict::Proven,
                    growth_per_minute: 0.0,
                    watched: at,
                    doubt: None,
                    evidence: Vec::new(),
                },
            };
            // What has been told is not told again because it is still there.
            let before = self.proofs.get(&site.pc).map_or(0, |before| before.count);
            let is_new = proof.by_runtime && proof.count > before;
            let finding = Finding {
                evidence: evidence(site, proof, finding.evidence),
                ..finding
            };
            if let Some(change) = self.incidents.prove(site, finding, at, is_new) {
                changes.push((site.clone(), change, "proof"));
            }
        }
        self.proofs.extend(found);
        changes
    }

    /// Adds to `leak` what the last proof said of its site.
    pub(super) fn retained(&self, site: &Site, leak: &mut Leak) {
        let retained = self.proofs.get(&site.pc).and_then(|proof| proof.retained);
        leak.retained_bytes = retained.map(|retained| retained.bytes);
        leak.retained_objects = retained.map(|retained| retained.objects);
        for field in ["retained_bytes", "retained_objects"] {
            if retained.is_some() {
                leak.unknown.remove(field);
            } else if let Some(proving) = &self.proving {
                leak.unknown.insert(field, proving.reason());
            }
        }
    }
}

fn evidence(site: &Site, proof: &SiteProof, before: Vec<String>) -> Vec<String> {
    let alive = site.alive().max(proof.count);
    let mut evidence = vec![format!(
        "of {alive} that are alive {} can never wake again",
        proof.count
    )];
    evidence.extend(proof.evidence.iter().cloned());
    evidence.extend(before);
    evidence
}
