//! Contexts that a parked goroutine's stack leads to, in memory that holds anything.
#![no_main]

use gostray::{
    binary::RuntimeAddress,
    runtime::{done_channels, read_goroutine},
};
use gostray_fuzz::{BASE, memory, put, release, unwinder};
use libfuzzer_sys::fuzz_target;

/// Room for a `g`, its stack, and what that leads to.
const SIZE: usize = 0x4000;
const STACK: u64 = 0x1000;
const STACK_SIZE: u64 = 0x400;
const WAITING: u32 = 4;

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else {
        return;
    };
    let layout = &release(*choice).goroutine;
    let mut memory = memory(bytes, SIZE);
    let mut field = |offset: u32, bytes: &[u8]| put(&mut memory, offset as usize, bytes);
    field(layout.atomicstatus, &WAITING.to_le_bytes());
    field(layout.m, &[0; 8]);
    let low = BASE + STACK;
    for (offset, word) in [
        (layout.stack_lo, low),
        (layout.sched_sp, low),
        (layout.stack_hi, low + STACK_SIZE),
    ] {
        field(offset, &word.to_le_bytes());
    }
    let Ok(Some(goroutine)) =
        read_goroutine(&memory, layout, &mut unwinder(), RuntimeAddress(BASE))
    else {
        return;
    };
    // Half of this memory is type descriptors, the other half channels.
    let middle = BASE + SIZE as u64 / 2;
    let channels: Vec<RuntimeAddress> = (middle..BASE + SIZE as u64)
        .step_by(8)
        .map(RuntimeAddress)
        .collect();
    let done = done_channels(&memory, layout, &(BASE..middle), &goroutine, &channels);
    assert!(done.iter().all(|channel| channels.contains(channel)));
});
