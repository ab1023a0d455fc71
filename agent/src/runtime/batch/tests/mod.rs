//! Single goroutines that change between the two reads.

mod stacks;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    memory::BytesMemory,
    runtime::{
        GoroutineState,
        fake::{
            DEAD, PREEMPTED, RUNNABLE, RUNNING, Runtime, SYSCALL, WAITING, program::pc, unwinder,
        },
    },
};

/// Reads them all with their stacks, each of which is told once.
fn read_all(runtime: &Runtime, gs: &[u64]) -> BTreeMap<usize, Outcome> {
    let mut unwinder = unwinder();
    let mut scope = Scope {
        stacks: Some(&mut unwinder),
        waits: None,
    };
    let addresses: Vec<_> = gs.iter().map(|g| RuntimeAddress(*g)).collect();
    let mut told = BTreeMap::new();
    read(
        runtime,
        &runtime.g,
        &mut scope,
        &addresses,
        &mut |index, outcome| {
            assert!(told.insert(index, outcome).is_none(), "{index} twice");
        },
    )
    .expect("a layout");
    assert_eq!(told.len(), gs.len());
    told
}

fn read_one(runtime: &Runtime, g: u64) -> Outcome {
    let told = read_all(runtime, &[g]).remove(&0);
    told.expect("one outcome")
}

fn stack_of(runtime: &Runtime, g: u64) -> Vec<u64> {
    match read_one(runtime, g) {
        Outcome::Read(goroutine) | Outcome::Astray(goroutine) => {
            goroutine.stack.iter().map(|pc| pc.0).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_that_is_parked_is_read_with_its_stack() {
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(WAITING);
    runtime.frames(g, &[pc("main.work"), pc("runtime.goexit")]);
    runtime.set(g, runtime.g.waitsince, 77);
    runtime.set(g, runtime.g.parent_goid.expect("since 1.21"), 4711);
    let Outcome::Read(goroutine) = read_one(&runtime, g) else {
        panic!("not read");
    };
    let stack = ["runtime.gopark", "main.work", "runtime.goexit"];
    let expected = Goroutine {
        goid: 1,
        address: RuntimeAddress(g),
        state: GoroutineState::Waiting,
        wait_reason: 0,
        runs: 0,
        created_at: RuntimeAddress(pc("main.main")),
        start: RuntimeAddress(pc("main.work")),
        parent: Some(4711),
        waiting_since_ns: Some(77),
        stack_bytes: 64 + 32,
        stack: stack.map(|name| RuntimeAddress(pc(name))).to_vec(),
        stack_is_cut: false,
        labels: None,
        locked_to: None,
        waits: Vec::new(),
    };
    assert_eq!(goroutine, expected);
}

#[test]
fn what_changes_between_the_two_reads_moved_or_is_another() {
    let layout = Runtime::new(25).g;
    let moves = [
        ("sp", layout.sched_sp, 0, 8),
        ("pc", layout.sched_pc, 1, 8),
        ("bp", layout.sched_bp, 1, 8),
        ("syscall sp", layout.syscall_sp, 1, 8),
        ("syscall pc", layout.syscall_pc, 1, 8),
        ("stack", layout.stack_hi, 1, 8),
        ("waiting", layout.waiting, 1, 8),
        ("m", layout.m, 1, 8),
        ("tracking", layout.tracking_seq, 1, 1),
        ("reason", layout.waitreason, 1, 1),
        ("state", layout.atomicstatus, RUNNABLE.into(), 4),
        ("scan bit", layout.atomicstatus, 0x1000 | 4, 4),
    ];
    let others = [
        ("goid", layout.goid, 99, 8),
        ("gopc", layout.gopc, 99, 8),
        ("startpc", layout.startpc, 99, 8),
    ];
    let same = [
        ("labels", layout.labels, 1, 8),
        ("since", layout.waitsince, 1, 8),
    ];
    let outcome = |offset, to, size| {
        let runtime = Runtime::new(25);
        let g = runtime.goroutine(WAITING);
        runtime.frames(g, &[pc("runtime.goexit")]);
        read_one(&runtime.torn(g, offset, to, size), g)
    };
    for (what, offset, to, size) in moves {
        match outcome(offset, to, size) {
            // What it was doing is not told.
            Outcome::Moved(goroutine) => assert!(goroutine.stack.is_empty(), "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    for (what, offset, to, size) in others {
        let outcome = outcome(offset, to, size);
        assert!(matches!(outcome, Outcome::Replaced), "{what}: {outcome:?}");
    }
    for (what, offset, to, size) in same {
        match outcome(offset, to, size) {
            Outcome::Read(goroutine) => assert_eq!(goroutine.stack.len(), 2, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    let ended = outcome(layout.atomicstatus, DEAD.into(), 4);
    assert!(matches!(ended, Outcome::Free), "{ended:?}");
}

#[test]
fn one_that_runs_may_change_anything_but_who_it_is() {
    for (offset, expected) in [
        (Runtime::new(25).g.sched_sp, true),
        (Runtime::new(25).g.m, true),
        (Runtime::new(25).g.goid, false),
    ] {
        let runtime = Runtime::new(25);
        let g = runtime.goroutine(RUNNING);
        let outcome = read_one(&runtime.torn(g, offset, 8, 8), g);
        let is_read = matches!(&outcome, Outcome::Read(goroutine) if goroutine.stack.is_empty());
        assert_eq!(is_read, expected, "{outcome:?}");
    }
}

#[test]
fn each_fails_alone_and_is_told_once() {
    let runtime = Runtime::new(25);
    let (parked, dead, gone) = (
        runtime.goroutine(WAITING),
        runtime.goroutine(DEAD),
        runtime.goroutine(WAITING),
    );
    runtime.frames(parked, &[pc("runtime.goexit")]);
    runtime.unmap(gone);
    let vanishing = runtime.goroutine(WAITING);
    let runtime = runtime.on_read(move |runtime, address, times| {
        if (address, times) == (vanishing, 1) {
            runtime.unmap(vanishing);
        }
    });
    let told = read_all(&runtime, &[gone, parked, vanishing, dead, parked]);
    assert!(matches!(told[&0], Outcome::Failed(_)));
    assert!(matches!(told[&1], Outcome::Read(_)));
    assert!(matches!(told[&2], Outcome::Failed(_)));
    assert!(matches!(told[&3], Outcome::Free));
    assert!(matches!(told[&4], Outcome::Read(_)));
}

#[test]
fn one_without_a_number_is_not_yet_one() {
    for status in [RUNNABLE, WAITING] {
        let runtime = Runtime::new(25);
        let g = runtime.goroutine(status);
        runtime.frames(g, &[pc("runtime.goexit")]);
        runtime.set(g, runtime.g.goid, 0);
        let outcome = read_one(&runtime, g);
        assert!(matches!(outcome, Outcome::Unborn), "{outcome:?}");
    }
    let runtime = Runtime::new(25);
    let free = runtime.goroutine(DEAD);
    runtime.set(free, runtime.g.goid, 0);
    let outcome = read_one(&runtime, free);
    assert!(matches!(outcome, Outcome::Free), "{outcome:?}");
}

#[test]
fn a_stack_that_leads_nowhere_is_told_from_one_that_leads_to_the_beginning() {
    let (main, exit) = (pc("main.main"), pc("runtime.goexit"));
    let is_astray = |runtime: &Runtime, g| match read_one(runtime, g) {
        Outcome::Read(_) => false,
        Outcome::Astray(goroutine) => {
            assert!(!goroutine.stack.is_empty());
            true
        }
        other => panic!("{other:?}"),
    };
    for status in [WAITING, RUNNABLE, PREEMPTED] {
        let runtime = Runtime::new(25);
        let g = runtime.goroutine(status);
        // gopark has 0x20 bytes, main 0x10: right both ways.
        let sp = runtime.stack(g, &[0, 0, 0, 0, main, 0, 0, exit, 0]);
        runtime.set(g, runtime.g.sched_bp, sp + 24);
        runtime.set(sp, 24, sp + 48);
        assert!(!is_astray(&runtime, g), "{status}");
        runtime.set(sp, 32, 0);
        assert!(is_astray(&runtime, g), "{status}");
    }
    // Of one that is larger than what is read of it, nobody knows where it leads.
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(WAITING);
    let sp = runtime.stack(g, &vec![0; 2 << 17]);
    runtime.set(g, runtime.g.stack_lo, sp);
    assert!(!is_astray(&runtime, g));
}

#[test]
fn alone_it_is_read_or_has_moved() {
    let mut unwinder = unwinder();
    let mut outcome = |runtime: &Runtime, g| {
        let address = RuntimeAddress(g);
        read_goroutine(runtime, &runtime.g, &mut unwinder, address)
    };
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(WAITING);
    let read = outcome(&runtime, g).expect("readable");
    assert_eq!(read.expect("at rest").goid, 1);
    let stack = runtime.stack(g, &[0; 2]);
    runtime.unmap(stack);
    assert!(outcome(&runtime, g).is_err());
    let (offset, g) = (runtime.g.goid, runtime.goroutine(WAITING));
    let runtime = runtime.torn(g, offset, 99, 8);
    assert_eq!(outcome(&runtime, g).expect("readable"), None);
    let absurd = GoroutineLayout {
        size: 1 << 20,
        ..runtime.g
    };
    let read = read_goroutine(
        &runtime,
        &absurd,
        &mut super::super::fake::unwinder(),
        RuntimeAddress(g),
    );
    assert!(matches!(read, Err(MemoryError::Implausible { .. })));
}

proptest! {
    #[test]
    fn whatever_is_there_each_is_told_once(
        mut bytes in prop::collection::vec(any::<u8>(), 2000..4000),
        statuses in prop::collection::vec(0_u32..12, 1..8),
        sp in prop_oneof![Just(0x1_0000_u64), 0x1_0000_u64..0x1_1000, any::<u64>()],
        pc in prop_oneof![Just(pc("main.leaf")), any::<u64>()],
    ) {
        const BASE: u64 = 0x1_0000;
        let layout = Runtime::new(25).g;
        let size = layout.size as usize;
        let mut addresses = vec![RuntimeAddress(u64::MAX - 7)];
        for (n, status) in statuses.iter().enumerate() {
            // They overlap, and the last may reach over the end.
            let g = n * (size / 2);
            addresses.push(RuntimeAddress(BASE + g as u64));
            let mut put = |offset: u32, to: &[u8]| {
                let at = g + offset as usize;
                if let Some(place) = bytes.get_mut(at..at + to.len()) {
                    place.copy_from_slice(to);
                }
            };
            put(layout.stack_lo, &BASE.to_le_bytes());
            put(layout.stack_hi, &(BASE + 2000).to_le_bytes());
            put(layout.sched_sp, &sp.to_le_bytes());
            put(layout.sched_pc, &pc.to_le_bytes());
            put(layout.m, &[0; 8]);
            put(layout.atomicstatus, &status.to_le_bytes());
        }
        let memory = BytesMemory { base: BASE, bytes };
        let mut unwinder = unwinder();
        let mut scope = Scope { stacks: Some(&mut unwinder), waits: None };
        let mut told = vec![0; addresses.len()];
        let done = read(&memory, &layout, &mut scope, &addresses, &mut |index, outcome| {
            told[index] += 1;
            if let Outcome::Read(goroutine) = outcome {
                assert!(goroutine.stack.len() <= stack::MAX_FRAMES);
            }
        });
        prop_assert!(done.is_ok());
        prop_assert!(told.iter().all(|times| *times == 1));
    }
}
