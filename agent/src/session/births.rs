//! What the probes remember of the living, and of creators.

use std::{collections::HashMap, time::Duration};

use nix::time::{ClockId, clock_gettime};

use super::evidence::SAMPLES;
use crate::{
    binary::RuntimeAddress,
    probes::{Births, ProbeError, Probes},
    track::{AGES, Living},
};

/// The living of each site.
pub(super) fn living(probes: &Probes) -> Result<HashMap<u64, Living>, ProbeError> {
    let now_ns = monotonic_ns();
    let moments = AGES.map(|age| now_ns.saturating_sub(nanos(age)));
    let births = probes.read_births(SAMPLES, &moments)?.into_iter();
    Ok(births
        .map(|(site, births)| (site, of_site(&births, now_ns)))
        .collect())
}

fn of_site(births: &Births, now_ns: u64) -> Living {
    let mut survivors = [0; AGES.len()];
    for (survivors, before) in survivors.iter_mut().zip(&births.before) {
        *survivors = *before;
    }
    let oldest = births
        .oldest
        .first()
        .map_or(0, |(_, at_ns)| now_ns.saturating_sub(*at_ns));
    Living {
        oldest: Duration::from_nanos(oldest),
        oldest_gs: births
            .oldest
            .iter()
            .map(|(g, _)| RuntimeAddress(*g))
            .collect(),
        survivors,
    }
}

/// The creator's frames of a creation stack: from the `go` statement outwards. Where the creation was
/// seen in `newproc1`, the runtime's own frames on the system stack lie before it; where it was seen
/// at the statement itself, there are its callers only.
pub(super) fn creators(
    sample: &gostray_common::StackSample,
    at_statement: bool,
) -> Vec<RuntimeAddress> {
    let depth = usize::try_from(sample.depth).unwrap_or(usize::MAX);
    let pcs = sample.return_pcs.iter().take(depth).copied();
    let statement = at_statement.then_some(sample.site);
    statement
        .into_iter()
        .chain(pcs)
        .skip_while(|pc| *pc != sample.site)
        .map(RuntimeAddress)
        .collect()
}

/// The clock of `bpf_ktime_get_ns`, in nanoseconds.
pub(super) fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| nanos(Duration::from(time)))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use gostray_common::{STACK_DEPTH, StackSample};

    use super::*;

    fn creators_of(site: u64, pcs: &[u64], at_statement: bool) -> Vec<u64> {
        let mut return_pcs = [0; STACK_DEPTH];
        return_pcs[..pcs.len()].copy_from_slice(pcs);
        let sample = StackSample {
            site,
            depth: pcs.len() as u64,
            return_pcs,
        };
        let creators = creators(&sample, at_statement);
        creators.into_iter().map(|pc| pc.0).collect()
    }

    #[test]
    fn a_creation_stack_begins_with_the_statement() {
        assert_eq!(creators_of(7, &[1, 2, 7, 8, 9], false), [7, 8, 9]);
        assert_eq!(creators_of(7, &[8, 9], true), [7, 8, 9]);
        // A walk that did not get so far tells nothing.
        assert_eq!(creators_of(7, &[1, 2], false), [0_u64; 0]);
    }
}
