//! Judges each site, and makes events of what changes.

use std::time::Duration;

use super::{Session, evidence::Looker, leak::Describer, names, pass::Passes};
use crate::{
    detect::{self, Change, pattern},
    report::{Event, EventKind, Resolved},
    target::Descriptors,
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
        // The goroutines that read from the connections of HTTP clients tell more than those that
        // write to them.
        let names = &mut self.names;
        let readers = changes
            .iter()
            .any(|(_, change, _)| matches!(change, Change::Leaks(_)))
            .then(|| {
                self.tracker.sites().find(|site| {
                    names.site(site.pc, site.start).start.function == pattern::READ_LOOP
                })
            })
            .flatten()
            .cloned();
        changes
            .into_iter()
            .map(|(site, change, rule)| {
                let kind = match change {
                    Change::Leaks(finding) => EventKind::Leak(Box::new(
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
                            ages_at: if self.governor.mode().counts_all() {
                                self.births_at
                            } else {
                                at
                            },
                            coverage,
                        }
                        .leak(&site, finding, rule, readers.as_ref()),
                    )),
                    Change::Resolved(evidence) => EventKind::Resolved(Resolved {
                        site: self.names.site(site.pc, site.start).clone(),
                        live: site.alive(),
                        evidence,
                    }),
                };
                self.event(kind)
            })
            .collect()
    }
}
