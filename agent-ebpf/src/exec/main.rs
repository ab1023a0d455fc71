//! A program was started: an object of its own, because it is loaded once for the machine, and the
//! others once for each target.
//!
//! At the raw tracepoint `sched_process_exec`, which needs no tracefs. When it is passed the process runs
//! its new program already: `/proc/PID/exe` leads to that, whether it was an `execve` of the process itself or
//! the first one after a fork. What is rare for the kernel may be frequent for us: a
//! busy build machine passes it a thousand times a second. So nothing is looked at here, and nobody is woken.
#![no_std]
#![no_main]
// For the one atomic instruction in `counters.rs`.
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    macros::{map, raw_tracepoint},
    maps::{Array, RingBuf},
    programs::RawTracePointContext,
};
use gostray_common::{ExecCount, ExecEvent};

#[path = "../counters.rs"]
mod counters;

/// Programs started, in the order in which they were. 24 bytes each with the kernel's header: more than five
/// thousand until the agent looks, ten times a second. Full: counted, and found by the agent's next scan.
#[map]
static EXECS: RingBuf = RingBuf::with_byte_size(128 * 1024, 0);

/// `gostray_common::ExecCount` to how often it happened.
#[map]
static EXEC_COUNTS: Array<u64> = Array::with_max_entries(ExecCount::ALL.len() as u32, 0);

#[inline(always)]
fn count(what: ExecCount) {
    if let Some(counter) = EXEC_COUNTS.get_ptr_mut(what as u32) {
        counters::add_one(counter);
    }
}

/// Notes who runs a new program.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn exec(_ctx: RawTracePointContext) -> i32 {
    count(ExecCount::Seen);
    let Some(mut event) = EXECS.reserve::<ExecEvent>(0) else {
        count(ExecCount::BufferFull);
        return 0;
    };
    // Whichever thread called `execve`, it is its process's first one by now.
    let pid = bpf_get_current_pid_tgid() >> 32;
    // SAFETY: it only reads the clock.
    let at_ns = unsafe { bpf_ktime_get_ns() };
    event.write(ExecEvent { pid, at_ns });
    event.submit(u64::from(BPF_RB_NO_WAKEUP));
    0
}

/// The helpers used are callable from GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
