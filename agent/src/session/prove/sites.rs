//! What a proof says of creation sites, for a session that watches them.

use std::collections::HashMap;

use super::{Moment, ProveError, Prover, leaked};
use crate::{binary::RuntimeAddress, memory::MemoryReader, proof::Watch, report::Ground};

/// The proven goroutines of one creation site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::session) struct SiteProof {
    /// How many.
    pub(in crate::session) count: u64,
    /// Heap memory that only they retain; `None` where it was not counted.
    pub(in crate::session) retained: Option<Retained>,
    /// Whether the program's own detector has found some of them.
    pub(in crate::session) by_runtime: bool,
    /// Why they can never wake again, in sentences.
    pub(in crate::session) evidence: Vec<String>,
}

/// Objects of the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::session) struct Retained {
    pub(in crate::session) bytes: u64,
    pub(in crate::session) objects: u64,
}

impl<M: MemoryReader> Prover<'_, M> {
    /// A pass that is not the last one.
    ///
    /// # Errors
    /// It says nothing: what is alive could not all be read.
    pub(in crate::session) fn rehearse(&mut self, watch: &mut dyn Watch) -> Result<(), ProveError> {
        self.pass(false, watch, |_, _| Ok(()))
    }

    /// The last pass: what it and those before agree on, by creation site.
    ///
    /// # Errors
    /// As [`Self::rehearse`].
    pub(in crate::session) fn conclude(
        &mut self,
        moment: Moment,
        watch: &mut dyn Watch,
    ) -> Result<HashMap<RuntimeAddress, SiteProof>, ProveError> {
        self.pass(false, watch, |mut done, watch| {
            let lists = leaked::lists(&mut done, moment, watch)?;
            let passes = done.agreement.passes();
            let mut sites: HashMap<RuntimeAddress, SiteProof> = HashMap::new();
            // The largest group of a site comes first, and speaks for it.
            for (site, group) in lists.leaked {
                let held = group.retained_bytes.zip(group.retained_objects);
                let held = held.map(|(bytes, objects)| Retained { bytes, objects });
                let by_runtime = group.proof == Ground::Runtime;
                match sites.get_mut(&site) {
                    Some(known) => {
                        known.count += group.count;
                        known.by_runtime |= by_runtime;
                        known.retained = known.retained.zip(held).map(|(a, b)| Retained {
                            bytes: a.bytes + b.bytes,
                            objects: a.objects + b.objects,
                        });
                    }
                    None => {
                        let proof = SiteProof {
                            count: group.count,
                            retained: held,
                            by_runtime,
                            evidence: group.evidence(passes),
                        };
                        sites.insert(site, proof);
                    }
                }
            }
            Ok(sites)
        })
    }
}
