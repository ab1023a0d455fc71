//! What parked goroutines wait on: sudogs, channels, timers, the table of semaphores, conditions and
//! descriptors, in memory that holds anything.
#![no_main]

use gostray::{
    binary::{Architecture, RuntimeAddress},
    runtime::{AllGoroutines, Census, Scope, SemaphoreTable, Waits},
};
use gostray_fuzz::{BASE, REASONS, memory, put, reasons, release, unwinder};
use libfuzzer_sys::fuzz_target;

/// Room for 251 roots, goroutines, and what they lead to.
const SIZE: usize = 0x8000;
const LIST: usize = SIZE - 64;
const WAITING: u32 = 4;

fuzz_target!(|bytes: &[u8]| {
    let [choice, parked @ .., _, _, _, _] = bytes else {
        return;
    };
    let release = release(*choice);
    let layout = &release.goroutine;
    let reasons_of = &bytes[1..5];
    let mut memory = memory(parked.get(4..).unwrap_or(&[]), SIZE);
    // Four goroutines one behind the other, all of them parked, and a list of them.
    for (n, choice) in reasons_of.iter().enumerate() {
        let g = n * layout.size.next_multiple_of(8) as usize;
        let reason = *choice % REASONS.len() as u8;
        let mut field = |offset: u32, bytes: &[u8]| put(&mut memory, g + offset as usize, bytes);
        field(layout.atomicstatus, &WAITING.to_le_bytes());
        field(layout.waitreason, &[reason]);
        field(layout.m, &[0; 8]);
        field(layout.stack_lo, &BASE.to_le_bytes());
        field(layout.stack_hi, &(BASE + SIZE as u64).to_le_bytes());
        put(
            &mut memory,
            LIST + 24 + 8 * n,
            &(BASE + g as u64).to_le_bytes(),
        );
    }
    for (n, word) in [BASE + LIST as u64 + 24, 4, 4].into_iter().enumerate() {
        put(&mut memory, LIST + 8 * n, &word.to_le_bytes());
    }
    let treap = release.layouts.offset("runtime.semaRoot", "treap");
    let table = SemaphoreTable::at(
        RuntimeAddress(BASE + 0x1000),
        Architecture::X86_64,
        treap.expect("it has one"),
    );
    let waits = Waits::new(&memory, release.waits, &reasons(), Some(&table));
    let mut waits = waits.expect("the table is readable");
    let mut unwinder = unwinder();
    let scope = Scope {
        stacks: Some(&mut unwinder),
        waits: Some(&mut waits),
    };
    let all = AllGoroutines::at(RuntimeAddress(BASE + LIST as u64));
    let census = Census::take(&memory, layout, all, scope, |goroutine| {
        // A select has two for each of its cases at most.
        assert!(goroutine.waits.len() <= 2 * 1024);
    });
    assert_eq!(census.expect("a list").alive, 4);
});
