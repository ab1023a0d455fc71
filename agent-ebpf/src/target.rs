//! What the agent writes into the programs before it loads them, and reads of the target.

use aya_ebpf::helpers::bpf_probe_read_user;
use gostray_common::{Offsets, SiteChecks};

/// Field offsets of this target's `runtime.g`.
#[unsafe(no_mangle)]
static OFFSETS: Offsets = Offsets {
    gopc: 0,
    startpc: 0,
};

/// Which sites are a stack check's branch.
#[unsafe(no_mangle)]
static SITE_CHECKS: SiteChecks = SiteChecks {
    creation: 0,
    exit: 0,
    park: 0,
};

/// How many creation stacks are taken for each site.
#[unsafe(no_mangle)]
static STACKS_PER_SITE: u64 = 0;

macro_rules! global {
    ($name:ident) => {
        // SAFETY: a static that nothing in here writes; volatile, because the agent replaces its
        // bytes in the object after the compiler has seen the initial ones.
        unsafe { core::ptr::read_volatile(&raw const $name) }
    };
}

/// Field offsets of this target's `runtime.g`.
#[inline(always)]
pub fn offsets() -> Offsets {
    global!(OFFSETS)
}

/// Which sites are a stack check's branch.
#[inline(always)]
pub fn site_checks() -> SiteChecks {
    global!(SITE_CHECKS)
}

/// How many creation stacks are taken for each site.
#[inline(always)]
pub fn stacks_per_site() -> u64 {
    global!(STACKS_PER_SITE)
}

/// The eight bytes at `address` of the target.
#[inline(always)]
pub fn read_word(address: u64) -> Option<u64> {
    // SAFETY: the helper checks the address; a bad one is an error, not a fault.
    unsafe { bpf_probe_read_user(address as *const u64) }.ok()
}
