//! What is kept for each creation site: its counts, and the stacks of its first creations.

use aya_ebpf::{
    bindings::{BPF_NOEXIST, BPF_RB_NO_WAKEUP},
    helpers::bpf_probe_read_user_buf,
    programs::ProbeContext,
};
use gostray_common::{Drop, STACK_DEPTH, SiteStats};

use crate::{
    maps::{EMPTY_SITE, EXISTS, SITES, add_one, count_drop, count_failed_insert, reserve_stack},
    registers::frame_pointer,
    target::read_word,
};

/// The counts of `site`, made now if this is its first goroutine, whose function stands at `start`.
#[inline(always)]
pub fn site_stats(site: &u64, start: u64) -> Option<*mut SiteStats> {
    if let Some(stats) = SITES.get_ptr_mut(site) {
        return Some(stats);
    }
    let empty = EMPTY_SITE.get(0)?;
    match SITES.insert(site, empty, u64::from(BPF_NOEXIST)) {
        Ok(()) => {
            let stats = SITES.get_ptr_mut(site)?;
            if let Some(start_pc) = read_word(start) {
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

/// Follows the frame pointers into the creator's stack, from the system stack where `newproc1` runs
/// on that. Our own walk, not `bpf_get_stack`: that one's buffers are per CPU and a preempted
/// program would find another's frames in them.
#[inline(always)]
pub fn take_stack(ctx: &ProbeContext, site: u64, stats: *mut SiteStats) {
    let Some(mut entry) = reserve_stack() else {
        count_drop(Drop::StackBufferFull);
        return;
    };
    // SAFETY: a map value, as its caller says.
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
