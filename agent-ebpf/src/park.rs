//! A goroutine parks: in `runtime.gopark`, behind its stack check. The current `g` is in its
//! fixed register, the wait reason is the third argument. Attached only when asked for: a program
//! parks more often than it creates.

use aya_ebpf::{bindings::BPF_NOEXIST, macros::uprobe, programs::ProbeContext};
use gostray_common::{Drop, ParkKey, ProbeKind};

use crate::{
    maps::{EXISTS, PARKS, add_one, admitted, count_drop, count_failed_insert},
    registers::{current_g, stack_check_fails, third_argument},
    target::{offsets, read_word, site_checks},
};

/// Counts the park for the goroutine's creation site and the wait reason.
#[uprobe]
pub fn park(ctx: ProbeContext) -> u32 {
    if !admitted(ProbeKind::Park) || (site_checks().park != 0 && stack_check_fails(&ctx)) {
        return 0;
    }
    let g = current_g(&ctx);
    let Some(site) = read_word(g.wrapping_add(u64::from(offsets().gopc))) else {
        count_drop(Drop::ReadFailed);
        return 0;
    };
    let key = ParkKey {
        site,
        // waitReason is a uint8; the rest of the register is not defined.
        reason: third_argument(&ctx) & 0xff,
    };
    if let Some(count) = PARKS.get_ptr_mut(&key) {
        add_one(count);
        return 0;
    }
    match PARKS.insert(&key, &1, u64::from(BPF_NOEXIST)) {
        Ok(()) => {}
        Err(EXISTS) => {
            if let Some(count) = PARKS.get_ptr_mut(&key) {
                add_one(count);
            }
        }
        Err(errno) => count_failed_insert(errno, Drop::ParkMapFull),
    }
    0
}
