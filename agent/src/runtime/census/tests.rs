use super::*;
use crate::runtime::fake::{DEAD, RUNNABLE, RUNNING, Runtime, WAITING, program::pc};

#[test]
fn the_living_are_told_and_the_free_are_counted() {
    let runtime = Runtime::new(25);
    // More than one batch.
    for n in 0..2500 {
        let g = runtime.goroutine(if n % 5 == 0 { DEAD } else { WAITING });
        runtime.frames(g, &[pc("runtime.goexit")]);
    }
    let (census, found) = runtime.census(None);
    let expected = Census {
        alive: 2000,
        free: 500,
        ..Census::default()
    };
    assert_eq!(census, expected);
    assert_eq!(found.len(), 2000);
    assert!(found.values().all(|goroutine| goroutine.stack.len() == 2));
    let count = Census::count(&runtime, &runtime.g, runtime.list());
    assert_eq!(count.expect("a list"), 2000);
}

#[test]
fn one_that_moves_is_tried_again_until_it_rests() {
    // Reads one and two differ, three and four do not.
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(WAITING);
    runtime.frames(g, &[pc("runtime.goexit")]);
    let offset = runtime.g.tracking_seq;
    let (census, found) = runtime.torn(g, offset, 1, 1).census(None);
    assert!(census.defects.is_empty(), "{census:?}");
    assert_eq!(found[&1].stack.len(), 2);
}

/// It is counted modulo 256 how often a goroutine has run: this one ran so often between two reads of
/// its `g`, and its stack was read meanwhile.
#[test]
fn one_that_seems_to_have_rested_is_tried_again() {
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(WAITING);
    let frames = [0, 0, pc("main.work"), 0, 0, pc("runtime.goexit")];
    let sp = runtime.stack(g, &frames.map(|_| 0));
    let runtime = runtime.on_read(move |runtime, address, times| {
        if (address, times) == (sp, 1) {
            for (n, word) in (0..).zip(frames) {
                runtime.set(sp, 8 * n, word);
            }
            runtime.set(g, runtime.g.sched_bp, sp + 8);
            runtime.set(sp, 8, sp + 32);
        }
    });
    let (census, found) = runtime.census(None);
    assert!(census.defects.is_empty(), "{census:?}");
    let stack = ["runtime.gopark", "main.work", "runtime.goexit"];
    let stack = stack.map(|name| RuntimeAddress(pc(name)));
    assert_eq!(found[&1].stack, stack);
}

#[test]
fn a_stack_that_cannot_be_followed_is_told_as_it_is() {
    let runtime = Runtime::new(25);
    runtime.goroutine(WAITING);
    let (census, found) = runtime.census(None);
    assert_eq!((census.alive, census.unseen()), (1, 0));
    assert!(census.defects.is_empty(), "{census:?}");
    assert_eq!(found[&1].stack, [RuntimeAddress(pc("runtime.gopark"))]);
}

#[test]
fn one_that_is_just_being_created_is_tried_again_until_it_has_a_number() {
    let runtime = Runtime::new(25);
    let g = runtime.goroutine(RUNNABLE);
    runtime.frames(g, &[pc("runtime.goexit")]);
    runtime.set(g, runtime.g.goid, 0);
    let (census, found) = runtime.census(None);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!((census.alive, census.unseen()), (1, 1));
    let defect = "had no number yet each time it was read";
    assert_eq!(census.defects, Defects::from([(defect, 1)]));
    let offset = runtime.g.goid;
    let (census, found) = runtime.torn(g, offset, 7, 8).census(None);
    assert!(census.defects.is_empty(), "{census:?}");
    assert_eq!((census.alive, census.unseen()), (1, 0));
    assert_eq!(found[&7].address.0, g);
}

#[test]
fn what_moves_always_is_a_defect_and_still_there() {
    for (moves, defect) in [
        (true, "moved each time it was read"),
        (false, "was another one each time it was read"),
    ] {
        let runtime = Runtime::new(25);
        let resting = runtime.goroutine(WAITING);
        let g = runtime.goroutine(WAITING);
        let changing = if moves {
            runtime.g.sched_pc
        } else {
            runtime.g.gopc
        };
        let runtime = runtime.on_read(move |runtime, address, times| {
            if address == g {
                runtime.set(g, changing, times as u64);
            }
        });
        let (census, found) = runtime.census(None);
        assert_eq!(census.alive, 2);
        assert_eq!(census.defects, Defects::from([(defect, 1)]));
        assert_eq!(found[&1].address.0, resting);
        // One that was never the same has nothing that could be told of it.
        assert_eq!(
            found.get(&2).map(|moved| moved.stack.len()),
            moves.then_some(0)
        );
    }
}

#[test]
fn defects_are_counted_by_kind() {
    let runtime = Runtime::new(25);
    let [stackless, gone, absurd] = [0; 3].map(|_| runtime.goroutine(WAITING));
    let stack = runtime.stack(stackless, &[0; 8]);
    runtime.unmap(stack);
    runtime.unmap(gone);
    runtime.set(absurd, runtime.g.stack_hi, u64::MAX);
    let (census, found) = runtime.census(None);
    let expected = Defects::from([
        ("its memory is not mapped", 2),
        ("it claims sizes no goroutine has", 1),
    ]);
    assert_eq!((census.alive, &census.defects), (1, &expected));
    assert_eq!(found.keys().copied().collect::<Vec<_>>(), [1]);
    // It can be counted all the same, as far as it is there.
    let count = Census::count(&runtime, &runtime.g, runtime.list());
    assert_eq!(count.expect("a list"), 2);
}

#[test]
fn a_list_that_grows_meanwhile_is_as_long_as_it_was() {
    let runtime = Runtime::new(25);
    let gs = [0; 4].map(|_| runtime.goroutine(RUNNING));
    let old = runtime.words(&gs[..2]);
    let slice = runtime.words(&[old, 2, 2]);
    let grown = runtime.words(&gs);
    let runtime = runtime.on_read(move |runtime, address, times| {
        if (address, times) == (slice, 1) {
            for (n, word) in (0..).zip([grown, 4, 4]) {
                runtime.set(slice, 8 * n, word);
            }
        }
    });
    let all = AllGoroutines::at(RuntimeAddress(slice));
    let alive = || Census::count(&runtime, &runtime.g, all).expect("a list");
    assert_eq!(alive(), 2);
    assert_eq!(alive(), 4);
    // Where the old list has been given back, there is nothing to tell: an error, not a part.
    runtime.unmap(grown);
    let census = Census::take(&runtime, &runtime.g, all, Scope::default(), |_| {});
    assert!(matches!(census, Err(MemoryError::Unmapped { .. })));
}
