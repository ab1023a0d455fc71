//! Counters that several CPUs add to: of both objects.

/// Adds one to a counter that other CPUs add to as well.
///
/// Written as the instruction itself: `core` has no atomic additions for BPF, the compiler's
/// intrinsic changes its shape between releases, and the form that fetches needs Linux 5.12.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub fn add_one(counter: *mut u64) {
    // SAFETY: callers pass a pointer to an aligned u64 inside a map value the verifier has
    // checked; map values outlive the program run.
    unsafe {
        core::arch::asm!(
            "lock *(u64 *)({counter} + 0) += {one}",
            counter = in(reg) counter,
            one = in(reg) 1_u64,
            options(nostack),
        );
    }
}

/// Stands in where the host's compiler looks at this crate: clippy and rust-analyzer.
#[cfg(not(target_arch = "bpf"))]
pub fn add_one(counter: *mut u64) {
    // SAFETY: as for the real one.
    unsafe { core::sync::atomic::AtomicU64::from_ptr(counter) }
        .fetch_add(1, core::sync::atomic::Ordering::Relaxed);
}
