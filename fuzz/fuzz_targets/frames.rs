//! Live words of a stack of anything, by stack maps that may be damaged; and who has moved since.
#![no_main]

use std::{collections::HashSet, sync::Arc};

use gostray::{
    binary::{LoadBias, RuntimeAddress},
    runtime::{
        AllGoroutines, Member, Roster, Waits,
        frames::{Frames, Precision},
        modules::data_ranges,
    },
};
use gostray_fuzz::{BASE, damaged_program, memory, pc, put, reasons, release};
use libfuzzer_sys::fuzz_target;

const SIZE: usize = 0x4000;
/// Of the list of goroutines.
const LIST: usize = 0x600;
const STACK: usize = 0x800;
/// Runnable, running, in a system call, waiting, preempted.
const STATES: [u32; 5] = [1, 2, 3, 4, 9];

fuzz_target!(|bytes: &[u8]| {
    let [choice, state, innermost, damages, fields, rest @ ..] = bytes else {
        return;
    };
    let damages = usize::from(*damages % 16) * 4;
    let Some((patches, words)) = rest.split_at_checked(damages) else {
        return;
    };
    let Some(binary) = damaged_program(patches) else {
        return;
    };
    let release = release(*choice);
    let layout = &release.goroutine;
    let mut memory = memory(words, SIZE);
    for (n, choice) in words
        .iter()
        .enumerate()
        .filter(|(_, choice)| **choice < 0x80)
    {
        if STACK + 8 * n + 8 <= SIZE {
            put(&mut memory, STACK + 8 * n, &pc(*choice).to_le_bytes());
        }
    }
    let sp = BASE + STACK as u64;
    let list = BASE + LIST as u64;
    for (n, word) in [list + 24, 1, 1, BASE].into_iter().enumerate() {
        put(&mut memory, LIST + 8 * n, &word.to_le_bytes());
    }
    let mut field = |offset: u32, word: u64| put(&mut memory, offset as usize, &word.to_le_bytes());
    for offset in [layout.sched_sp, layout.syscall_sp] {
        field(offset, sp);
    }
    for offset in [layout.sched_pc, layout.syscall_pc] {
        field(offset, pc(*innermost));
    }
    field(layout.stack_lo, BASE);
    field(layout.stack_hi, BASE + SIZE as u64);
    field(layout.m, 0);
    // Anything in some of these fields, and nothing in the others.
    for (bit, offset) in [layout.panic, layout.defer, layout.sched_ctxt]
        .into_iter()
        .enumerate()
    {
        if fields >> bit & 1 == 0 {
            field(offset, 0);
        }
    }
    let state = STATES[usize::from(*state) % STATES.len()];
    put(
        &mut memory,
        layout.atomicstatus as usize,
        &state.to_le_bytes(),
    );

    let all = AllGoroutines::at(RuntimeAddress(list));
    let mut waits = Waits::new(&memory, release.waits, &reasons(), None).expect("no table");
    let roster = Roster::take(&memory, layout, all, Some(&mut waits)).expect("a list of one");
    let moved = roster.moved(&memory, layout, all).expect("a list of one");
    assert!(moved.ended.is_empty() && moved.created.is_empty());
    let members: Vec<&Member> = roster.goroutines.iter().collect();
    assert_eq!(
        moved.ran.len(),
        members.iter().filter(|member| !member.rests).count()
    );
    let _ = data_ranges(&binary, &memory, LoadBias(0), &release.layouts);

    let mut frames = Frames::new(Arc::new(binary), LoadBias(0), &release.layouts);
    let mut scan = || {
        let mut told = HashSet::new();
        let mut results = frames.scan(&memory, &members, &mut |place, word| {
            assert_eq!(place, 0);
            told.insert((word.value, word.slot));
        });
        (told, results.pop())
    };
    let (told, precision) = scan();
    if let Some(Ok(Precision::Conservative(_))) = precision {
        let (words, _) = memory.bytes[STACK..].as_chunks::<8>();
        for (slot, word) in (sp..).step_by(8).zip(words) {
            let value = u64::from_le_bytes(*word);
            let is_inside = (BASE..BASE + SIZE as u64).contains(&value);
            assert!(value == 0 || is_inside || told.contains(&(value, RuntimeAddress(slot))));
        }
    }
    // What has been learnt of the functions changes nothing.
    assert_eq!(scan().0, told);
});
