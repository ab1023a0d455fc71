//! How often the programs may do their work, told to the kernel side; and how often they did.

use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use gostray_common::{HitCount, ProbeKind};

use super::{
    ProbeError,
    programs::{array, map_error},
};
use crate::governor::{Bucket, HitCosts, Hits};

const KINDS: usize = ProbeKind::ALL.len();

/// The kernel's `HITS` and `ALLOWED`, and what is known of them.
pub(super) struct Guards {
    seen: Array<MapData, HitCount>,
    allowed: Array<MapData, u64>,
    /// The kinds that are loaded.
    kinds: Vec<ProbeKind>,
    last_seen: [u64; KINDS],
    last_allowed: [u64; KINDS],
    hits: Hits,
}

impl Guards {
    /// Of the kinds that are loaded. Nothing is allowed yet.
    pub(super) fn new(ebpf: &mut Ebpf, mut kinds: Vec<ProbeKind>) -> Result<Self, ProbeError> {
        kinds.sort_unstable();
        kinds.dedup();
        Ok(Self {
            seen: array(ebpf, "HITS")?,
            allowed: array(ebpf, "ALLOWED")?,
            kinds,
            last_seen: [0; KINDS],
            last_allowed: [0; KINDS],
            hits: Hits::default(),
        })
    }

    /// All hits so far.
    pub(super) fn hits(&self) -> Hits {
        self.hits
    }

    /// Counts the hits that have come since the last call.
    pub(super) fn count(&mut self) -> Result<(), ProbeError> {
        for kind in &self.kinds {
            let n = *kind as usize;
            let now = self.seen.get(&(*kind as u32), 0);
            let now = now.map_err(|e| map_error("HITS", "read", &e))?.hits;
            let came = now.saturating_sub(self.last_seen[n]);
            let room = self.last_allowed[n].saturating_sub(self.last_seen[n]);
            self.hits.0[n].admitted += came.min(room);
            self.hits.0[n].refused += came.saturating_sub(room);
            self.last_seen[n] = now;
        }
        Ok(())
    }

    /// Allows what is in the bucket from now on.
    pub(super) fn allow(&mut self, bucket: &Bucket, costs: &HitCosts) -> Result<(), ProbeError> {
        for kind in self.kinds.clone() {
            let more = bucket.hits(costs.of(kind), self.kinds.len());
            self.set(kind, self.last_seen[kind as usize].saturating_add(more))?;
        }
        Ok(())
    }

    /// Turns all hits away from now on.
    pub(super) fn close(&mut self) -> Result<(), ProbeError> {
        // A failure with one is no reason to leave the others open.
        let kinds = self.kinds.clone().into_iter();
        let results: Vec<_> = kinds.map(|kind| self.set(kind, 0)).collect();
        results.into_iter().collect()
    }

    fn set(&mut self, kind: ProbeKind, allowed: u64) -> Result<(), ProbeError> {
        self.last_allowed[kind as usize] = allowed;
        self.allowed
            .set(kind as u32, allowed, 0)
            .map_err(|e| map_error("ALLOWED", "written", &e))
    }
}
