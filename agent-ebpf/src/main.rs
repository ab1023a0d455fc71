//! The eBPF programs of gostray. For now one that counts its hits.
#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{map, uprobe},
    maps::PerCpuArray,
    programs::ProbeContext,
};

#[map]
static HITS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

#[uprobe]
fn hit(_context: ProbeContext) -> u32 {
    if let Some(count) = HITS.get_ptr_mut(0) {
        // SAFETY: the map hands out a pointer to this CPU's own entry.
        unsafe { *count += 1 };
    }
    0
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
