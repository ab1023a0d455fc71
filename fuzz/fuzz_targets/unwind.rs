//! A stack of anything, by frame pointers and by the frames of a small program.
#![no_main]

use gostray::{binary::RuntimeAddress, runtime::read_goroutine};
use gostray_fuzz::{BASE, memory, pc, put, release, unwinder};
use libfuzzer_sys::fuzz_target;

const SIZE: usize = 0x4000;
const STACK: usize = 0x800;
/// Runnable, in a system call, waiting, preempted.
const STATES: [u32; 4] = [1, 3, 4, 9];

fuzz_target!(|bytes: &[u8]| {
    let [choice, state, innermost, frame, words @ ..] = bytes else {
        return;
    };
    let layout = &release(*choice).goroutine;
    // On the stack there are return addresses most of all, then what memory holds.
    let mut memory = memory(words, SIZE);
    for (n, choice) in words
        .iter()
        .enumerate()
        .filter(|(_, choice)| **choice < 0xc0)
    {
        if STACK + 8 * n + 8 <= SIZE {
            put(&mut memory, STACK + 8 * n, &pc(*choice).to_le_bytes());
        }
    }
    let sp = BASE + STACK as u64;
    let mut field = |offset: u32, word: u64| put(&mut memory, offset as usize, &word.to_le_bytes());
    for offset in [layout.sched_sp, layout.syscall_sp] {
        field(offset, sp);
    }
    for offset in [layout.sched_pc, layout.syscall_pc] {
        field(offset, pc(*innermost));
    }
    for offset in layout.syscall_bp.into_iter().chain([layout.sched_bp]) {
        field(offset, sp + 8 * u64::from(*frame));
    }
    field(layout.stack_lo, BASE);
    field(layout.stack_hi, BASE + SIZE as u64);
    field(layout.m, 0);
    // One without a number is none yet.
    field(layout.goid, 1);
    let state = STATES[usize::from(*state) % STATES.len()];
    put(
        &mut memory,
        layout.atomicstatus as usize,
        &state.to_le_bytes(),
    );
    let mut unwinder = unwinder();
    let mut read = || {
        let read = read_goroutine(&memory, layout, &mut unwinder, RuntimeAddress(BASE));
        read.expect("it is readable").expect("nothing moves")
    };
    let goroutine = read();
    assert!((1..=512).contains(&goroutine.stack.len()));
    // What has been learnt of the frames changes nothing.
    assert_eq!(read(), goroutine);
});
