//! A goroutine ends: in `runtime.gdestroy` (`goexit0` before Go 1.22), whose first argument is
//! the dying `g`. Coroutines (`iter.Pull`) end here too.

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::uprobe, programs::ProbeContext};
use gostray_common::{Drop, LIFETIME_BUCKETS, ProbeKind};

use crate::{
    maps::{BIRTHS, SITES, add_one, admitted, count_drop},
    registers::{first_argument, stack_check_fails},
    target::{offsets, read_word, site_checks},
};

/// Counts the exit and the lifetime for the site the goroutine was created at.
#[uprobe]
pub fn exit(ctx: ProbeContext) -> u32 {
    if !admitted(ProbeKind::Exit) || (site_checks().exit != 0 && stack_check_fails(&ctx)) {
        return 0;
    }
    let g = first_argument(&ctx);
    let Some(birth) = BIRTHS.get_ptr(&g) else {
        count_unborn(g);
        return 0;
    };
    // SAFETY: this thread is ending this g; nobody else touches its birth before it is reused,
    // which is after this function.
    let (site, at_ns) = unsafe { ((*birth).site, (*birth).at_ns) };
    if BIRTHS.remove(&g).is_err() {
        count_drop(Drop::MapError);
    }
    let Some(stats) = SITES.get_ptr_mut(&site) else {
        count_drop(Drop::UnknownExit);
        return 0;
    };
    // SAFETY: no preconditions.
    let lifetime = unsafe { bpf_ktime_get_ns() }.wrapping_sub(at_ns);
    let bucket = log2(lifetime);
    // SAFETY: a map value; sites are never deleted while the programs are attached.
    unsafe {
        add_one(&raw mut (*stats).exited);
        if bucket < LIFETIME_BUCKETS {
            add_one(&raw mut (*stats).lifetimes[bucket]);
        }
        if lifetime > (*stats).lifetime_max_ns {
            (*stats).lifetime_max_ns = lifetime;
        }
    }
    0
}

/// The exit of a goroutine without a birth: it is older than the probes, or found no room.
#[inline(always)]
fn count_unborn(g: u64) {
    let Some(site) = read_word(g.wrapping_add(u64::from(offsets().gopc))) else {
        count_drop(Drop::ReadFailed);
        return;
    };
    match SITES.get_ptr_mut(&site) {
        // SAFETY: a map value, as above.
        Some(stats) => add_one(unsafe { &raw mut (*stats).exited_unborn }),
        None => count_drop(Drop::UnknownExit),
    }
}

/// The index of the highest bit set, by halving; at most the last bucket. 0 for 0.
#[inline(always)]
fn log2(mut value: u64) -> usize {
    let mut bit = 0;
    if value >> 32 != 0 {
        value >>= 32;
        bit += 32;
    }
    if value >> 16 != 0 {
        value >>= 16;
        bit += 16;
    }
    if value >> 8 != 0 {
        value >>= 8;
        bit += 8;
    }
    if value >> 4 != 0 {
        value >>= 4;
        bit += 4;
    }
    if value >> 2 != 0 {
        value >>= 2;
        bit += 2;
    }
    if value >> 1 != 0 {
        bit += 1;
    }
    if bit >= LIFETIME_BUCKETS {
        LIFETIME_BUCKETS - 1
    } else {
        bit
    }
}
