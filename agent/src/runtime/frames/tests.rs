use std::{collections::BTreeSet, sync::LazyLock};

use proptest::prelude::*;

use super::*;
use crate::{
    binary::GoBinary,
    runtime::{
        Roster,
        fake::{RUNNING, Runtime, program, program::pc},
    },
};

fn frames() -> Frames {
    static PROGRAM: LazyLock<Arc<GoBinary>> = LazyLock::new(|| {
        let program = GoBinary::from_bytes(&program::elf());
        Arc::new(program.expect("a program"))
    });
    let layouts = Runtime::new(25).layouts;
    Frames::new(Arc::clone(&PROGRAM), LoadBias(0), &layouts)
}

/// What is told of the only goroutine.
fn scanned(runtime: &Runtime) -> (BTreeSet<u64>, Result<Precision, MemoryError>) {
    let roster = Roster::take(runtime, &runtime.g, runtime.list(), None).expect("a list");
    let members: Vec<&Member> = roster.goroutines.iter().collect();
    let mut told = BTreeSet::new();
    let mut results = frames().scan(runtime, &members, &mut |place, word| {
        assert_eq!(place, 0);
        told.insert(word.value);
    });
    (told, results.remove(0))
}

/// A goroutine parked in `gopark`, called by `work`, called by `goexit`. `work` has six words below its
/// return address (the topmost is a frame pointer) and two arguments.
fn parked(work: [u64; 5], arguments: [u64; 2]) -> (Runtime, u64, u64) {
    let runtime = Runtime::new(25);
    let g = runtime.parked("chan receive");
    let park = [81, 82, 83, 84, pc("main.work")];
    let words = [&park[..], &work, &[pc("runtime.goexit")], &[7], &arguments];
    let sp = runtime.stack(g, &words.concat());
    (runtime, g, sp)
}

const SET: [u64; 5] = [91, 92, 93, 94, 95];

fn set(values: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
    values.into_iter().collect()
}

#[test]
fn live_locals_and_nothing_else() {
    // What goexit has above its return address is behind its end.
    let (runtime, ..) = parked(SET, [96, 97]);
    let (told, precision) = scanned(&runtime);
    assert_eq!(precision.expect("readable"), Precision::Precise);
    // The lowest local variable, and the first argument.
    assert_eq!(told, set([91, 7]));
}

#[test]
fn a_variable_is_live_when_something_leads_to_it() {
    let (runtime, g, sp) = parked(SET, [0, 0]);
    // gopark's frame has five words; the variable is in words 2 and 3 of the next.
    let variable = sp + 7 * 8;
    for inside in [0, 8, 15] {
        runtime.set(sp, 5 * 8, variable + inside);
        let (told, precision) = scanned(&runtime);
        assert_eq!(precision.expect("readable"), Precision::Precise);
        assert_eq!(told, set([94, 7]), "{inside}");
    }
    runtime.set(sp, 5 * 8, variable + 16);
    assert_eq!(scanned(&runtime).0, set([7]));
    runtime.set(sp, 5 * 8, 0);
    runtime.set(g, runtime.g.sched_ctxt, variable);
    assert_eq!(scanned(&runtime).0, set([94, 7]));
    runtime.set(g, runtime.g.sched_ctxt, 0x77);
    assert_eq!(scanned(&runtime).0, set([0x77, 7]));
}

#[test]
fn deferred_calls_in_the_heap_and_on_the_stack() {
    let (runtime, g, sp) = parked(SET, [0, 0]);
    let variable = sp + 7 * 8;
    // One in the heap, whose closure is the variable, then another one.
    let [first, second] = [(); 2].map(|()| runtime.object("runtime._defer"));
    runtime.field(first, "runtime._defer", "fn", variable);
    runtime.field(first, "runtime._defer", "link", second);
    runtime.field(second, "runtime._defer", "fn", 0x78);
    runtime.set(g, runtime.g.defer, first);
    let (told, precision) = scanned(&runtime);
    assert_eq!(precision.expect("readable"), Precision::Precise);
    assert_eq!(told, set([91, 94, 7, first, second, 0x78]));
    // A ring.
    runtime.field(second, "runtime._defer", "link", first);
    let (_, precision) = scanned(&runtime);
    let expected = Precision::Conservative(Reason::Defers);
    assert_eq!(precision.expect("readable"), expected);
    // One that cannot be read.
    runtime.unmap(second);
    assert!(scanned(&runtime).1.is_err());
    // On the stack, where `fn` is 24 bytes inside and `link` 32.
    let inside = runtime.words(&[0; 2]);
    runtime.set(g, runtime.g.defer, sp);
    runtime.set(sp, 24, inside);
    runtime.set(sp, 32, 0);
    // Its last word was the return address into `work`.
    let (told, _) = scanned(&runtime);
    assert!(told.contains(&inside));
}

#[test]
fn where_maps_do_not_hold_all_words_count() {
    type Change = fn(&Runtime, u64, u64);
    let cases: [(Change, Precision); 8] = [
        (
            |r, g, _| r.set(g, r.g.sched_pc, 0x77),
            Precision::Conservative(Reason::UnknownFunction),
        ),
        (
            |r, g, _| r.set(g, r.g.sched_pc, pc("main.main")),
            Precision::Partial(Reason::NoMaps),
        ),
        (
            |r, g, _| r.set(g, r.g.sched_pc, pc("runtime.asyncPreempt")),
            Precision::Partial(Reason::Interrupted),
        ),
        (
            |r, _, sp| r.set(sp, 4 * 8, 0x77),
            Precision::Partial(Reason::UnknownFunction),
        ),
        (
            |r, _, sp| r.set(sp, 4 * 8, 0),
            Precision::Partial(Reason::Broken),
        ),
        (
            |r, _, sp| r.set(sp, 4 * 8, pc("runtime.mcall")),
            Precision::Partial(Reason::NoMaps),
        ),
        (
            |r, g, _| r.set(g, r.g.panic, 0x79),
            Precision::Conservative(Reason::Panics),
        ),
        (
            |r, g, _| r.status(g, RUNNING),
            Precision::Conservative(Reason::Runs),
        ),
    ];
    for (number, (change, expected)) in cases.into_iter().enumerate() {
        let (runtime, g, sp) = parked(SET, [96, 97]);
        // One that runs has all of its stack read.
        runtime.set(g, runtime.g.stack_lo, sp);
        change(&runtime, g, sp);
        let (told, precision) = scanned(&runtime);
        assert_eq!(precision.expect("readable"), expected, "case {number}");
        assert!(told.is_superset(&set(SET)), "case {number}: {told:?}");
    }
}

#[test]
fn registers_that_are_not_on_the_stack_are_told() {
    let runtime = Runtime::new(27);
    let g = runtime.parked("chan receive");
    let at = runtime.g.extended_registers.expect("from 1.26 on");
    let registers = runtime.words(&[0x77; 264]);
    runtime.set(g, at, registers);
    assert!(scanned(&runtime).0.contains(&0x77));
    runtime.unmap(registers);
    assert!(scanned(&runtime).1.is_err());
}

#[test]
fn a_stack_that_is_too_large_is_told_whole() {
    let runtime = Runtime::new(25);
    let g = runtime.parked("chan receive");
    let words: Vec<u64> = (1..=(MAX_STACK / 8) + 1).collect();
    runtime.stack(g, &words);
    let (told, precision) = scanned(&runtime);
    let expected = Precision::Conservative(Reason::Deep);
    assert_eq!(precision.expect("readable"), expected);
    assert_eq!(told.len(), words.len());
}

proptest! {
    #[test]
    fn any_stack_ends(
        words in prop::collection::vec(prop_oneof![
            any::<u64>(),
            0_u64..100,
            (0_usize..program::FUNCTIONS.len()).prop_map(|n| pc(program::FUNCTIONS[n].0)),
            0xc0_0000_0000_u64..0xc0_0000_2000,
        ], 1..300),
        start in 0_usize..program::FUNCTIONS.len(),
        fields in prop::array::uniform2(prop_oneof![Just(0), 0xc0_0000_0000_u64..0xc0_0000_2000]),
    ) {
        let runtime = Runtime::new(25);
        let g = runtime.parked("chan receive");
        runtime.stack(g, &words);
        runtime.set(g, runtime.g.sched_pc, pc(program::FUNCTIONS[start].0));
        runtime.set(g, runtime.g.sched_ctxt, fields[0]);
        runtime.set(g, runtime.g.defer, fields[1]);
        let roster = Roster::take(&runtime, &runtime.g, runtime.list(), None).expect("a list");
        let (low, high) = (roster.goroutines[0].stack_low.0, roster.goroutines[0].stack_high.0);
        let (told, precision) = scanned(&runtime);
        if let Ok(Precision::Conservative(_)) = precision {
            // All that leads out of the stack.
            let out = |word: &u64| *word != 0 && !(low..high).contains(word);
            let all: BTreeSet<u64> = words.iter().copied().filter(out).collect();
            prop_assert!(told.is_superset(&all));
        }
    }
}
