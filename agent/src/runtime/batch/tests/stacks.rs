//! Stacks: by frame pointers, by the table of frames, and none.

use super::*;

#[test]
fn a_stack_without_frame_pointers_is_unwound_by_the_sizes_of_frames() {
    // Stopped in a function without a frame, its frame pointer the caller's: work, main, goexit.
    let (work, main, exit) = (pc("main.work"), pc("main.main"), pc("runtime.goexit"));
    for status in [RUNNABLE, PREEMPTED] {
        let runtime = Runtime::new(25);
        let g = runtime.goroutine(status);
        // Frames of 0, 0x28 and 0x10 bytes, and a return address on top of each.
        runtime.stack(g, &[work, 1, 2, 3, 4, 5, main, 6, 7, exit, 8]);
        runtime.set(g, runtime.g.sched_pc, pc("main.leaf"));
        let expected = [pc("main.leaf"), work, main, exit];
        assert_eq!(stack_of(&runtime, g), expected, "{status}");
    }
    // In a system call of a release that keeps no frame pointer of it.
    let runtime = Runtime::new(22);
    let g = runtime.goroutine(SYSCALL);
    let sp = runtime.stack(g, &[1, 2, exit]);
    runtime.set(g, runtime.g.syscall_pc, main);
    runtime.set(g, runtime.g.syscall_sp, sp);
    runtime.set(g, runtime.g.m, 0x5000);
    assert_eq!(stack_of(&runtime, g), [main, exit]);
}

#[test]
fn frame_pointers_through_a_preemption_are_not_believed() {
    // gopark has 0x20 bytes, asyncPreempt 0x18; work was stopped before it had a frame of its own.
    let (preempted, leaf, exit) = (
        pc("runtime.asyncPreempt"),
        pc("main.leaf"),
        pc("runtime.goexit"),
    );
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(WAITING);
    let sp = runtime.stack(
        g,
        &[0, preempted, 0, 0, preempted, 0, 0, 0, leaf, exit, 0, exit],
    );
    // By frame pointers it would end behind the first.
    assert_eq!(
        stack_of(&runtime, g),
        [pc("runtime.gopark"), preempted, leaf, exit]
    );
    // Behind one that moves the stack pointer nothing is known, unless it is the innermost.
    let mcall = pc("runtime.mcall");
    runtime.set(sp, 64, mcall);
    assert_eq!(
        stack_of(&runtime, g),
        [pc("runtime.gopark"), preempted, mcall]
    );
    // Where the innermost function is not known, the frame pointers are all there is.
    runtime.set(g, runtime.g.sched_pc, 0x77);
    assert_eq!(stack_of(&runtime, g), [0x77, preempted]);
}

#[test]
fn one_with_a_thread_has_no_stack_yet() {
    let runtime = Runtime::new(25);
    for status in [WAITING, RUNNABLE, PREEMPTED] {
        let g = runtime.goroutine(status);
        runtime.set(g, runtime.g.m, 0x5000);
        assert!(stack_of(&runtime, g).is_empty(), "{status}");
    }
}

#[test]
fn a_stack_that_cannot_be_read_leaves_the_goroutine() {
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(WAITING);
    let sp = runtime.stack(g, &[0; 4]);
    runtime.unmap(sp);
    match read_one(&runtime, g) {
        Outcome::WithoutStack(goroutine, MemoryError::Unmapped { address, .. }) => {
            assert_eq!((goroutine.goid, address.0), (1, sp));
        }
        other => panic!("{other:?}"),
    }
    // It may have ended and given it back.
    let moved = read_one(
        &runtime.torn(g, Runtime::new(25).g.atomicstatus, DEAD.into(), 4),
        g,
    );
    assert!(matches!(moved, Outcome::Free), "{moved:?}");
}

#[test]
fn sizes_no_stack_has() {
    for (low, high, is_possible) in [
        (0x2000, 0x1000, false),
        (0, u64::MAX, false),
        (0, (4 << 30) + 1, false),
        // The stack pointer is beyond its end: it has no frames.
        (0x1000, 0x2000, true),
    ] {
        let runtime = Runtime::new(25);
        let g = runtime.goroutine(WAITING);
        runtime.set(g, runtime.g.stack_lo, low);
        runtime.set(g, runtime.g.stack_hi, high);
        match read_one(&runtime, g) {
            Outcome::Read(goroutine) => {
                assert!(is_possible && goroutine.stack.is_empty());
                assert_eq!(goroutine.stack_bytes, high - low);
            }
            Outcome::Failed(MemoryError::Implausible { address, .. }) => {
                assert!(!is_possible);
                assert_eq!(address.0, g);
            }
            other => panic!("{other:?}"),
        }
    }
}
