//! Puts the object into the kernel, again and again.
//!
//! When a loader of aya's is made it takes the kernel's own type information apart: tens of milliseconds, and
//! tens of megabytes which the allocator then keeps for the thread. None of our programs asks for any of it,
//! so one loader, made once, loads for everybody.

use std::sync::{Mutex, PoisonError};

use aya::{Ebpf, EbpfError, EbpfLoader};
use gostray_common::{Offsets, SiteChecks};

use super::Limits;

/// What the programs know as constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Constants {
    pub(super) offsets: Offsets,
    pub(super) checks: SiteChecks,
    pub(super) stacks_per_site: u64,
}

/// The loader borrows constants for good. There are no more different ones than layouts of `g` in the releases
/// of Go; whoever makes up others is served by a loader of their own.
const KEPT: usize = 256;

/// The one loader, and what it has borrowed.
struct Shared {
    loader: EbpfLoader<'static>,
    constants: Vec<&'static Constants>,
}

static SHARED: Mutex<Option<Shared>> = Mutex::new(None);

/// Loads `object` with these constants, and maps of these sizes; programs are not given to the kernel yet.
///
/// # Errors
/// The kernel refuses a map, or the object is not as it should be.
pub(super) fn load(object: &[u8], constants: Constants, limits: Limits) -> Result<Ebpf, EbpfError> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared.get_or_insert_with(|| Shared {
        loader: without_types(),
        constants: Vec::new(),
    });
    match shared.keep(constants) {
        Some(kept) => set(&mut shared.loader, kept, limits).load(object),
        None => set(&mut without_types(), &constants, limits).load(object),
    }
}

impl Shared {
    /// The same, for as long as the process lives; `None` where too many are kept.
    fn keep(&mut self, constants: Constants) -> Option<&'static Constants> {
        let known = self.constants.iter().find(|kept| ***kept == constants);
        if let Some(kept) = known {
            return Some(kept);
        }
        if self.constants.len() >= KEPT {
            return None;
        }
        let kept: &Constants = Box::leak(Box::new(constants));
        self.constants.push(kept);
        Some(kept)
    }
}

/// A loader without the kernel's types, which it cannot be made without.
fn without_types<'a>() -> EbpfLoader<'a> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    loader
}

/// Each call sets all that any other has set.
fn set<'l, 'a>(
    loader: &'l mut EbpfLoader<'a>,
    constants: &'a Constants,
    limits: Limits,
) -> &'l mut EbpfLoader<'a> {
    loader
        .override_global("OFFSETS", &constants.offsets, true)
        .override_global("SITE_CHECKS", &constants.checks, true)
        .override_global("STACKS_PER_SITE", &constants.stacks_per_site, true)
        .map_max_entries("SITES", limits.sites)
        .map_max_entries("BIRTHS", limits.goroutines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_kept_once_and_not_without_end() {
        let mut shared = Shared {
            loader: without_types(),
            constants: Vec::new(),
        };
        let with = |gopc| Constants {
            offsets: Offsets { gopc, startpc: 8 },
            checks: SiteChecks::default(),
            stacks_per_site: 4,
        };
        let first = shared.keep(with(1)).expect("room");
        let again = shared.keep(with(1)).expect("known");
        assert!(std::ptr::eq(first, again));
        for gopc in 0..1000 {
            let kept = shared.keep(with(gopc)).copied();
            assert!(kept.is_none_or(|kept| kept == with(gopc)));
        }
        assert_eq!(shared.constants.len(), KEPT);
        assert!(shared.keep(with(1)).is_some(), "known ones stay");
    }
}
