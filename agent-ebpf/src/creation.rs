//! A goroutine is created: at `runtime.newproc1`'s call of `isSystemGoroutine`, whose first
//! argument is the new `g`, with `gopc` and `startpc` set and its goid not yet.

use aya_ebpf::{
    bindings::{BPF_NOEXIST, BPF_RB_NO_WAKEUP},
    helpers::{bpf_ktime_get_ns, bpf_probe_read_user_buf},
    macros::uprobe,
    programs::ProbeContext,
};
use gostray_common::{Birth, Drop, STACK_DEPTH, SiteStats};

use crate::{
    maps::{
        BIRTHS, EMPTY_SITE, EXISTS, SITES, add_one, count_drop, count_failed_insert, paused,
        reserve_stack,
    },
    registers::{first_argument, frame_pointer, stack_check_fails},
    target::{offsets, read_word, site_checks, stacks_per_site},
};

/// Counts the creation for its site, and remembers the birth.
#[uprobe]
pub fn creation(ctx: ProbeContext) -> u32 {
    if paused() || (site_checks().creation != 0 && stack_check_fails(&ctx)) {
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
    let Some(stats) = site_stats(&birth.site, g) else {
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

/// The counts of `site`, made now if this is its first goroutine.
#[inline(always)]
fn site_stats(site: &u64, g: u64) -> Option<*mut SiteStats> {
    if let Some(stats) = SITES.get_ptr_mut(site) {
        return Some(stats);
    }
    let empty = EMPTY_SITE.get(0)?;
    match SITES.insert(site, empty, u64::from(BPF_NOEXIST)) {
        Ok(()) => {
            let stats = SITES.get_ptr_mut(site)?;
            if let Some(start_pc) = read_word(g.wrapping_add(u64::from(offsets().startpc))) {
                // SAFETY: a map value that only the inserting thread writes this field of.
                unsafe { (*stats).start_pc = start_pc };
            }
            Some(stats)
        }
        // Another thread was first.
        Err(EXISTS) => SITES.get_ptr_mut(site),
        Err(errno) => {
            count_failed_insert(errno, Drop::SiteMapFull);
            None
        }
    }
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

/// Follows the frame pointers from the system stack, on which `newproc1` runs, into the creator's
/// stack. Our own walk, not `bpf_get_stack`: that one's buffers are per CPU and a preempted
/// program would find another's frames in them.
#[inline(always)]
fn take_stack(ctx: &ProbeContext, site: u64, stats: *mut SiteStats) {
    let Some(mut entry) = reserve_stack() else {
        count_drop(Drop::StackBufferFull);
        return;
    };
    // SAFETY: a map value, as in `creation`.
    add_one(unsafe { &raw mut (*stats).stacks_taken });
    let sample = entry.as_mut_ptr();
    let mut frame = frame_pointer(ctx);
    let mut depth = 0;
    // SAFETY: `sample` points to reserved memory of its type, which is written field by field;
    // entries from `depth` on are not read by anyone.
    unsafe {
        (*sample).site = site;
        for i in 0..STACK_DEPTH {
            let slot = &raw mut (*sample).return_pcs[i];
            let slot = core::slice::from_raw_parts_mut(slot.cast::<u8>(), 8);
            if bpf_probe_read_user_buf(frame.wrapping_add(8) as *const u8, slot).is_err() {
                break;
            }
            depth = i as u64 + 1;
            let Some(caller) = read_word(frame) else {
                break;
            };
            // The system stack may lie above or below the goroutine's, so only 0 ends the walk.
            if caller == 0 {
                break;
            }
            frame = caller;
        }
        (*sample).depth = depth;
    }
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
}
