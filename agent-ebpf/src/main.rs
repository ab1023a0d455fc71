//! gostray's programs inside the kernel: one file a probe, all maps in `maps.rs`.
//!
//! Three rules that look harmless when broken:
//! - All sub-programs together use less than 64 bytes of stack. From Linux 6.13 on, more gets a
//!   private stack per CPU, which preemptible uprobe programs overwrite for each other. A test of
//!   the agent reads the built object and checks it.
//! - For the same reason no per-CPU scratch. Large values are written in place, in a map value or
//!   in a ring buffer reservation.
//! - Nothing is sent for each goroutine, and nobody is woken: counts stay in maps until read.
#![no_std]
#![no_main]
// For the one atomic instruction in `counters.rs`.
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]
#![allow(
    clippy::needless_borrows_for_generic_args,
    reason = "a borrowed key stays in its one place on the stack; a copied one takes another"
)]

mod counters;
mod creation;
mod exit;
mod maps;
mod park;
mod registers;
mod sites;
mod statement;
mod target;

/// The helpers used are callable from GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
