//! What the kernel side has counted, copied out.

use std::collections::HashMap;

use gostray_common::{Birth, Drop, ParkKey, SiteStats, StackSample};

use super::{ProbeError, Probes, batch};

/// The counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct Readout {
    /// Creation site (`g.gopc`, a run-time address) to its counts.
    pub sites: Vec<(u64, SiteStats)>,
    /// Parks for each site and wait reason; empty unless asked for.
    pub parks: Vec<(ParkKey, u64)>,
    /// What could not be kept, in the order of [`Drop::ALL`].
    pub drops: [u64; Drop::ALL.len()],
}

impl Readout {
    /// How often `what` happened.
    #[must_use]
    pub fn dropped(&self, what: Drop) -> u64 {
        self.drops[what as usize]
    }
}

/// Living goroutines of one site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Births {
    /// How many.
    pub count: u64,
    /// The addresses of some of the oldest `g`s, with their creation times (`CLOCK_MONOTONIC`,
    /// nanoseconds), oldest first.
    pub oldest: Vec<(u64, u64)>,
    /// How many were created before each of the moments asked for.
    pub before: Vec<u64>,
}

impl Probes {
    /// Copies the counts of all sites.
    ///
    /// # Errors
    /// The kernel's, which is not expected.
    pub fn read(&self) -> Result<Readout, ProbeError> {
        let mut readout = Readout::default();
        batch::for_each(
            Self::map_fd(&self.sites),
            |site: &u64, stats: &SiteStats| {
                readout.sites.push((*site, *stats));
            },
        )
        .map_err(|source| unreadable("SITES", source))?;
        batch::for_each(Self::map_fd(&self.parks), |key: &ParkKey, count: &u64| {
            readout.parks.push((*key, *count));
        })
        .map_err(|source| unreadable("PARKS", source))?;
        for (index, count) in (0..).zip(&mut readout.drops) {
            *count = self
                .drops
                .get(&index, 0)
                .map_err(|e| super::programs::map_error("DROPS", "read", &e))?;
        }
        readout.sites.sort_unstable_by_key(|(site, _)| *site);
        readout.parks.sort_unstable_by_key(|(key, _)| *key);
        Ok(readout)
    }

    /// Goes through all remembered births, about 0.1 µs each. For each site the `keep` oldest, and
    /// how many are older than each of the moments in `before` (`CLOCK_MONOTONIC`, nanoseconds).
    ///
    /// # Errors
    /// The kernel's, which is not expected.
    pub fn read_births(
        &self,
        keep: usize,
        before: &[u64],
    ) -> Result<HashMap<u64, Births>, ProbeError> {
        let mut sites: HashMap<u64, Births> = HashMap::new();
        batch::for_each(Self::map_fd(&self.births), |g: &u64, birth: &Birth| {
            let births = sites.entry(birth.site).or_default();
            births.count += 1;
            births.before.resize(before.len(), 0);
            for (count, moment) in births.before.iter_mut().zip(before) {
                *count += u64::from(birth.at_ns < *moment);
            }
            let place = births
                .oldest
                .partition_point(|(_, at_ns)| *at_ns <= birth.at_ns);
            if place < keep {
                births.oldest.truncate(keep - 1);
                births.oldest.insert(place, (*g, birth.at_ns));
            }
        })
        .map_err(|source| unreadable("BIRTHS", source))?;
        Ok(sites)
    }

    /// Takes the creation stacks that have come since the last call.
    pub fn take_stacks(&mut self) -> Vec<StackSample> {
        let mut samples = Vec::new();
        while let Some(item) = self.stacks.next() {
            samples.extend(sample(&item));
        }
        samples
    }
}

/// The record as the eBPF side wrote it; `None` if it is of another size or claims too much.
fn sample(bytes: &[u8]) -> Option<StackSample> {
    let (words, rest) = bytes.as_chunks::<8>();
    let (&[site, depth], pcs) = words.split_first_chunk::<2>()?;
    let mut sample = StackSample {
        site: u64::from_ne_bytes(site),
        depth: u64::from_ne_bytes(depth),
        return_pcs: [0; gostray_common::STACK_DEPTH],
    };
    let fits =
        rest.is_empty() && pcs.len() == sample.return_pcs.len() && sample.depth <= pcs.len() as u64;
    for (pc, bytes) in sample.return_pcs.iter_mut().zip(pcs) {
        *pc = u64::from_ne_bytes(*bytes);
    }
    fits.then_some(sample)
}

fn unreadable(map: &'static str, source: std::io::Error) -> ProbeError {
    ProbeError::Map {
        map,
        action: "read",
        source,
    }
}
