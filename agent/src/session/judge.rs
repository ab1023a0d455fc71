//! Judges each site, and makes events of what changes.

use std::time::Duration;

use super::{Session, leak::Describer, names};
use crate::{
    detect::{self, Change},
    report::{Event, EventKind, Resolved},
};

impl Session {
    pub(super) fn judge(&mut self, at: Duration, coverage: f64) -> Vec<Event> {
        let mut changes = Vec::new();
        for site in self.tracker.sites() {
            let name = self.names.site(site.pc, site.start);
            if names::is_system(&name.start.function) {
                continue;
            }
            let (judgement, rule) = detect::judge(&self.rules, site);
            if let Some(change) = self.incidents.update(site, judgement, at) {
                changes.push((site.clone(), change, rule.unwrap_or_default()));
            }
        }
        if !changes.is_empty() {
            self.impacts.update(&self.incidents);
        }
        changes
            .into_iter()
            .map(|(site, change, rule)| {
                let kind = match change {
                    Change::Leaks(finding) => {
                        let mut leak = Describer {
                            program: &self.inspected.program,
                            memory: &self.memory,
                            unwinder: &mut self.unwinder,
                            names: &mut self.names,
                            impacts: &mut self.impacts,
                            coverage,
                        }
                        .leak(
                            &site,
                            finding.clone(),
                            rule,
                            self.creation_stacks
                                .get(&site.pc.0)
                                .and_then(|stacks| stacks.first()),
                        );
                        self.recall(&site, &finding, &mut leak, at);
                        EventKind::Leak(Box::new(leak))
                    }
                    Change::Resolved(evidence) => {
                        self.past.stopped(site.pc);
                        EventKind::Resolved(Resolved {
                            site: self.names.site(site.pc, site.start).clone(),
                            live: site.alive(),
                            evidence,
                            state: "resolved",
                        })
                    }
                };
                self.event(kind)
            })
            .collect()
    }
}
