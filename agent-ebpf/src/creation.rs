//! A goroutine is created: at `runtime.newproc1`'s call of `isSystemGoroutine`, whose first
//! argument is the new `g`, with `gopc` and `startpc` set and its goid not yet.

use aya_ebpf::{
    bindings::BPF_NOEXIST, helpers::bpf_ktime_get_ns, macros::uprobe, programs::ProbeContext,
};
use gostray_common::{Birth, Drop, ProbeKind, SiteStats};

use crate::{
    maps::{BIRTHS, EXISTS, SITES, add_one, admitted, count_drop, count_failed_insert},
    registers::{first_argument, stack_check_fails},
    sites::{site_stats, take_stack},
    target::{offsets, read_word, site_checks, stacks_per_site},
};

/// Counts the creation for its site, and remembers the birth.
#[uprobe]
pub fn creation(ctx: ProbeContext) -> u32 {
    if !admitted(ProbeKind::Creation) || (site_checks().creation != 0 && stack_check_fails(&ctx)) {
        return 0;
    }
    let g = first_argument(&ctx);
    let Some(site) = read_word(g.wrapping_add(u64::from(offsets().gopc))) else {
        count_drop(Drop::ReadFailed);
        return 0;
    };
    let birth = Birth {
        site,
        // SAFETY: no preconditions.
        at_ns: unsafe { bpf_ktime_get_ns() },
    };
    // Map keys are passed by their address on the stack; using the one in `birth` saves eight
    // bytes of the few there are.
    let start = g.wrapping_add(u64::from(offsets().startpc));
    let Some(stats) = site_stats(&birth.site, start) else {
        return 0;
    };
    // SAFETY: a map value; sites are never deleted while the programs are attached.
    add_one(unsafe { &raw mut (*stats).created });
    remember_birth(&g, &birth, stats);
    // SAFETY: as above.
    if unsafe { (*stats).stacks_taken } < stacks_per_site() {
        take_stack(&ctx, site, stats);
    }
    0
}

#[inline(always)]
fn remember_birth(g: &u64, birth: &Birth, stats: *mut SiteStats) {
    let Err(errno) = BIRTHS.insert(g, birth, u64::from(BPF_NOEXIST)) else {
        return;
    };
    if errno == EXISTS {
        // This g lived before and we did not see it end. Settle that life, then begin this one.
        count_drop(Drop::MissedExit);
        if let Some(earlier) = BIRTHS.get_ptr_mut(g) {
            // SAFETY: nobody else touches the birth of a g that is just being created.
            unsafe {
                if let Some(stats) = SITES.get_ptr_mut(&(*earlier).site) {
                    add_one(&raw mut (*stats).exited);
                }
                *earlier = *birth;
            }
        }
        return;
    }
    count_failed_insert(errno, Drop::BirthMapFull);
    // SAFETY: a map value, as in `creation`.
    add_one(unsafe { &raw mut (*stats).untracked });
}
