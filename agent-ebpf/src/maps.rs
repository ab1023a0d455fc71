//! All maps, with their sizes and what happens when one is full.
//!
//! Sizes are the defaults; the agent sets them from its memory budget before loading. No map
//! evicts: what an LRU map forgets first is the leak.

pub use crate::counters::add_one;
use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, RingBuf},
};
use gostray_common::{Birth, Drop, HitCount, ParkKey, ProbeKind, SiteStats, StackSample};

/// Creation site (`g.gopc`) to its counts. Full: the creation is counted as a drop, and its
/// goroutine is not tracked.
#[map]
pub static SITES: HashMap<u64, SiteStats> = HashMap::with_max_entries(4096, 0);

/// Address of a living `g` to its birth. Full: the site counts it as untracked.
#[map]
pub static BIRTHS: HashMap<u64, Birth> = HashMap::with_max_entries(1 << 18, 0);

/// (site, wait reason) to the number of parks. Full: the park is counted as a drop.
#[map]
pub static PARKS: HashMap<ParkKey, u64> = HashMap::with_max_entries(8192, 0);

/// Creation stacks of the first creations of a site. Full: the sample is counted as a drop and
/// the next creation tries again.
#[map]
pub static STACKS: RingBuf = RingBuf::with_byte_size(256 * 1024, 0);

/// One value of zeroes, from which new sites are made: too large for the stack.
#[map]
pub static EMPTY_SITE: Array<SiteStats> = Array::with_max_entries(1, 0);

/// `gostray_common::ProbeKind` to how often it was hit.
#[map]
pub static HITS: Array<HitCount> = Array::with_max_entries(ProbeKind::ALL.len() as u32, 0);

/// `gostray_common::ProbeKind` to the number of hits beyond which its program returns at once. The
/// agent raises it again and again, and sets 0 before it detaches, which is slow. The limit lies here,
/// and not only in the agent, so that it holds at once and whatever the agent is doing.
#[map]
pub static ALLOWED: Array<u64> = Array::with_max_entries(ProbeKind::ALL.len() as u32, 0);

/// `gostray_common::Drop` to how often it happened. Shared, with atomic additions: a per-CPU
/// counter loses an addition when a preemptible program is preempted between load and store.
#[map]
pub static DROPS: Array<u64> = Array::with_max_entries(Drop::ALL.len() as u32, 0);

/// `-E2BIG`: the map is full.
const FULL: i32 = -7;
/// `-EEXIST`: the key was there already.
pub const EXISTS: i32 = -17;

/// Counts something that could not be kept.
#[inline(always)]
pub fn count_drop(what: Drop) {
    if let Some(counter) = DROPS.get_ptr_mut(what as u32) {
        add_one(counter);
    }
}

/// Counts a failed insertion: `full` if the map was full, else a map error.
#[inline(always)]
pub fn count_failed_insert(errno: i32, full: Drop) {
    count_drop(if errno == FULL { full } else { Drop::MapError });
}

/// Counts a hit; whether the program may do its work.
#[inline(always)]
pub fn admitted(kind: ProbeKind) -> bool {
    let (Some(count), Some(allowed)) = (HITS.get_ptr_mut(kind as u32), ALLOWED.get(kind as u32))
    else {
        return false;
    };
    // SAFETY: a map value that lives as long as the program; it is only compared, so that another
    // CPU may be just adding to it does no harm.
    unsafe {
        let hits = &raw mut (*count).hits;
        add_one(hits);
        core::ptr::read_volatile(hits) <= *allowed
    }
}

/// A free place for a creation stack.
#[inline(always)]
pub fn reserve_stack() -> Option<aya_ebpf::maps::ring_buf::RingBufEntry<StackSample>> {
    STACKS.reserve::<StackSample>(0)
}
