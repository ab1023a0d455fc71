//! Passes over a heap of a few bytes, with goroutines that are lists of words.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::{
    binary::{Architecture, RuntimeAddress},
    memory::BytesMemory,
    runtime::{
        heap::{Heap, HeapLayout, PointerMaps, Spans, WeakPointer},
        layout::Layouts,
    },
};

/// Where the heap begins.
const HEAP: u64 = 0xc0_0000_0000;
const PAGE: u64 = 8192;
/// Bytes of an object of the first span.
const SIZE: u64 = 64;
/// The span without pointers, and one that is not there at first.
const NO_SCAN: u64 = HEAP + PAGE;
const LATER: u64 = HEAP + 2 * PAGE;

/// All goroutines have the same `g`, in which there is nothing.
const G: u64 = HEAP + PAGE - SIZE;

/// The address of object `n`.
fn object(n: u64) -> u64 {
    HEAP + n * SIZE
}

/// Where all words may be pointers, what it says does not matter.
fn heap() -> Heap {
    let architecture = Architecture::X86_64;
    let layouts = Layouts::for_binary(&[], 27, architecture).expect("in the table");
    let layout = HeapLayout::new(&layouts, 27).expect("known");
    Heap::at(RuntimeAddress(0), layout, architecture)
}

/// A program at rest, unless told otherwise.
struct World {
    memory: BytesMemory,
    globals: Vec<u64>,
    doing: Vec<Doing>,
    /// Words of each goroutine's stack.
    stacks: Vec<Vec<u64>>,
    leaves: Vec<u64>,
    weak: Vec<WeakPointer>,
    free: Vec<u64>,
    /// What has come of it by the end of the pass.
    moved: Moved,
    /// Words told then.
    told_in_the_end: Vec<u64>,
    /// Free objects by then, and whether there is another span.
    free_later: Vec<u64>,
    has_later: bool,
    with_paths: bool,
}

impl World {
    fn new() -> Self {
        Self {
            memory: BytesMemory {
                base: HEAP,
                bytes: vec![0; 3 * 8192],
            },
            globals: Vec::new(),
            doing: Vec::new(),
            stacks: Vec::new(),
            leaves: Vec::new(),
            weak: Vec::new(),
            free: Vec::new(),
            moved: Moved::default(),
            told_in_the_end: Vec::new(),
            free_later: Vec::new(),
            has_later: false,
            with_paths: false,
        }
    }

    /// A goroutine that does `doing` and has `words` on its stack.
    fn goroutine(&mut self, doing: Doing, words: &[u64]) -> u32 {
        self.doing.push(doing);
        self.stacks.push(words.to_vec());
        u32::try_from(self.doing.len() - 1).expect("few")
    }

    /// One that waits on `things`, which are on its stack too.
    fn waits(&mut self, things: &[u64], words: &[u64]) -> u32 {
        let all: Vec<u64> = things.iter().chain(words).copied().collect();
        self.goroutine(Doing::On(things.into()), &all)
    }

    /// Writes `word` into the object at `address`, as its word `place`.
    fn write(&mut self, address: u64, place: u64, word: u64) {
        let at = usize::try_from(address + place * 8 - HEAP).expect("small");
        self.memory.bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    fn spans(free: &[u64], has_later: bool) -> Spans {
        let mut spans = vec![(HEAP, 1, SIZE, false), (NO_SCAN, 1, SIZE, true)];
        if has_later {
            spans.push((LATER, 1, 128, false));
        }
        Spans::of(&spans, free)
    }

    /// Who is left after a pass.
    fn left(&mut self) -> Vec<u32> {
        let spans = Self::spans(&self.free, false);
        let pass = self.pass(&spans).expect("a pass");
        let mut left: Vec<u32> = pass.candidates.left().collect();
        left.sort_unstable();
        left
    }

    fn pass<'s>(&mut self, spans: &'s Spans) -> Result<Pass<'s>, ProofError> {
        let memory = self.memory.clone();
        let paths = self
            .with_paths
            .then(|| Paths::new(spans.bit_words() * 64))
            .flatten();
        let (free, has_later) = (self.free_later.clone(), self.has_later);
        let mut maps = PointerMaps::conservative();
        pass(
            &mut Objects::new(&heap(), &memory, &mut maps),
            self,
            Marks::new(spans, paths),
            move || Ok(Self::spans(&free, has_later)),
            &mut Unwatched,
        )
    }
}

impl Roots for World {
    fn globals(&mut self, tell: &mut TellWord<'_>) -> Result<(), ProofError> {
        for (at, word) in (0..).zip(&self.globals) {
            tell(Root::Global(at), *word);
        }
        Ok(())
    }

    fn specials(
        &mut self,
        _: &Spans,
        _: &mut TellWord<'_>,
    ) -> Result<Vec<WeakPointer>, ProofError> {
        Ok(self.weak.clone())
    }

    fn doing(&self) -> &[Doing] {
        &self.doing
    }

    fn leaves(&self) -> Vec<u64> {
        self.leaves.clone()
    }

    fn g(&self, _: u32) -> u64 {
        G
    }

    fn goroutines(&mut self, members: &[u32], tell: &mut TellWord<'_>) -> Result<(), ProofError> {
        for member in members {
            let goroutine = *member;
            for (slot, word) in (0..).zip(&self.stacks[*member as usize]) {
                let root = Root::Stack {
                    goroutine,
                    slot,
                    pc: 0,
                };
                tell(root, *word);
            }
        }
        Ok(())
    }

    fn settle(&mut self, tell: &mut TellWord<'_>) -> Result<Moved, ProofError> {
        for word in &self.told_in_the_end {
            tell(Root::New(0), *word);
        }
        Ok(self.moved.clone())
    }
}

#[test]
fn one_that_only_its_own_stack_leads_to_is_lost() {
    let mut world = World::new();
    let lost = world.waits(&[object(1)], &[]);
    assert_eq!(world.left(), [lost]);
}

#[test]
fn what_a_global_leads_to_can_wake() {
    let mut world = World::new();
    world.waits(&[object(1)], &[]);
    world.globals.push(object(7) + 8);
    // Through an interior pointer, and a word of an object.
    world.write(object(7), 3, object(1) + 16);
    assert_eq!(world.left(), [0; 0]);
}

#[test]
fn objects_without_pointers_lead_nowhere() {
    let mut world = World::new();
    let lost = world.waits(&[object(1)], &[]);
    world.globals.push(NO_SCAN);
    world.write(NO_SCAN, 0, object(1));
    assert_eq!(world.left(), [lost]);
}

#[test]
fn whoever_is_woken_wakes_others() {
    let mut world = World::new();
    for n in 0..50 {
        // Each holds what the next waits on, the last one first.
        world.waits(&[object(50 - n)], &[object(51 - n)]);
    }
    world.goroutine(Doing::Lives, &[object(1)]);
    let lost = world.waits(&[object(100)], &[]);
    assert_eq!(world.left(), [lost]);
}

#[test]
fn those_that_hold_each_other_are_lost_together() {
    let mut world = World::new();
    let a = world.waits(&[object(1)], &[object(2)]);
    let b = world.waits(&[object(2)], &[object(1)]);
    assert_eq!(world.left(), [a, b]);
}

#[test]
fn one_of_several_things_is_enough() {
    let mut world = World::new();
    world.waits(&[object(1), object(2)], &[]);
    let lost = world.waits(&[object(3), object(4)], &[]);
    world.globals.push(object(2));
    assert_eq!(world.left(), [lost]);
}

#[test]
fn what_is_no_object_of_the_heap_may_be_touched_by_anybody() {
    let mut world = World::new();
    let holder = world.waits(&[0x50_0000], &[object(3)]);
    world.waits(&[object(3)], &[]);
    let spans = World::spans(&[], false);
    let pass = world.pass(&spans).expect("a pass");
    assert_eq!(pass.candidates.left().count(), 0);
    assert!(
        pass.candidates
            .alive()
            .contains(&(holder, Sign::Outside(0x50_0000)))
    );
}

#[test]
fn the_stuck_are_lost_and_what_they_hold_with_them() {
    let mut world = World::new();
    let stuck = world.goroutine(Doing::Stuck, &[object(1)]);
    let lost = world.waits(&[object(1)], &[]);
    assert_eq!(world.left(), [stuck, lost]);
}

#[test]
fn leaves_are_not_followed() {
    let mut world = World::new();
    let lost = world.waits(&[object(1)], &[]);
    world.globals.push(object(9));
    world.write(object(9), 0, object(1));
    world.leaves.push(object(9));
    assert_eq!(world.left(), [lost]);
    // But if whoever it belonged to has moved, it may be anything.
    world.moved.leaves.push(object(9));
    assert_eq!(world.left(), [0; 0]);
}

#[test]
fn who_has_a_weak_pointer_may_make_a_strong_one() {
    let mut world = World::new();
    let lost = world.waits(&[object(1)], &[]);
    let handle = NO_SCAN + SIZE;
    let start = object(30);
    world.weak.push(WeakPointer { handle, start });
    world.write(object(30), 0, object(1));
    assert_eq!(world.left(), [lost]);
    world.globals.push(handle);
    assert_eq!(world.left(), [0; 0]);
}

#[test]
fn who_has_moved_is_alive_and_all_words_of_its_stack_count() {
    let mut world = World::new();
    let moved = world.waits(&[object(1)], &[]);
    let held = world.waits(&[object(2)], &[]);
    assert_eq!(world.left(), [moved, held]);
    world.moved.members.push(moved);
    assert_eq!(world.left(), [held]);
    world.told_in_the_end.push(object(2));
    assert_eq!(world.left(), [0; 0]);
}

#[test]
fn an_object_that_was_free_counts_once_it_is_used() {
    let mut world = World::new();
    let lost = world.waits(&[object(1)], &[]);
    world.globals.push(object(5));
    world.write(object(5), 0, object(1));
    world.free.push(object(5));
    world.free_later.push(object(5));
    assert_eq!(world.left(), [lost], "what is free may hold anything");
    world.free_later.clear();
    assert_eq!(world.left(), [0; 0]);
}

#[test]
fn a_span_that_came_meanwhile_is_read_if_something_leads_there() {
    let mut world = World::new();
    let lost = world.waits(&[object(1)], &[]);
    world.has_later = true;
    world.write(LATER, 3, object(1));
    assert_eq!(world.left(), [lost]);
    world.globals.push(LATER + 8);
    assert_eq!(world.left(), [0; 0]);
}

#[test]
fn what_cannot_be_read_ends_the_pass() {
    let mut world = World::new();
    world.waits(&[object(1)], &[]);
    world.globals.push(object(5));
    world.memory.bytes.truncate(100);
    let spans = World::spans(&[], false);
    assert!(matches!(world.pass(&spans), Err(ProofError::Memory(_))));
}

#[test]
fn the_way_to_what_is_alive_is_known() {
    let mut world = World::new();
    world.with_paths = true;
    world.waits(&[object(1)], &[]);
    world.globals.extend([0, object(8)]);
    world.write(object(8), 1, object(9));
    world.write(object(9), 2, object(1));
    let spans = World::spans(&[], false);
    let pass = world.pass(&spans).expect("a pass");
    let number = |address| pass.marks.object(address).expect("an object");
    let paths = pass.marks.paths().expect("wanted");
    let way = [object(1), object(9), object(8)].map(number).to_vec();
    assert_eq!(paths.of(number(object(1))), Some((way, Root::Global(1))));
}

#[test]
fn what_is_retained_is_counted_once() {
    let mut world = World::new();
    world.globals.push(object(20));
    // 1 → 2 → 3 and 10 → 3 → 4; 2 → 20, which lives; 10 has bytes without pointers.
    for (from, to) in [(1, 2), (2, 3), (10, 3), (3, 4)] {
        world.write(object(from), 0, object(to));
    }
    world.write(object(2), 1, object(20));
    world.write(object(10), 1, NO_SCAN + SIZE);
    let spans = World::spans(&[], false);
    let pass = world.pass(&spans).expect("a pass");
    let mut retention = Retention::new(&pass.marks);
    for words in [[object(1), object(1)], [object(10), object(20)]] {
        let (heap, mut maps) = (heap(), PointerMaps::conservative());
        let mut objects = Objects::new(&heap, &world.memory, &mut maps);
        retention
            .add(&mut objects, &words, &mut Unwatched)
            .expect("readable");
    }
    let held = |objects| Held {
        objects,
        bytes: objects * SIZE,
    };
    let retained = Retained {
        alone: vec![held(2), held(2)],
        together: vec![held(2), held(2)],
        shared: held(2),
    };
    assert_eq!(retention.finish(), retained);
}

#[test]
fn a_watch_stops_a_pass() {
    struct Stop;
    impl Watch for Stop {
        fn went_on(&mut self, _: u64) -> Result<(), ProofError> {
            Err(ProofError::Stopped)
        }
    }
    let mut world = World::new();
    world.globals.push(object(1));
    let spans = World::spans(&[], false);
    let memory = world.memory.clone();
    let marks = Marks::new(&spans, None);
    let books = || Ok(World::spans(&[], false));
    let (heap, mut maps) = (heap(), PointerMaps::conservative());
    let mut objects = Objects::new(&heap, &memory, &mut maps);
    let stopped = pass(&mut objects, &mut world, marks, books, &mut Stop);
    assert!(matches!(stopped, Err(ProofError::Stopped)));
}

/// Who is lost, by the book: sets of addresses, again and again until nothing changes.
fn lost_by_the_book(world: &World, edges: &[(u64, u64)]) -> Vec<u32> {
    let mut next: HashMap<u64, Vec<u64>> = HashMap::new();
    for (from, to) in edges {
        next.entry(*from).or_default().push(*to);
    }
    let mut alive: HashSet<u64> = HashSet::new();
    let mut awake: HashSet<usize> = HashSet::new();
    loop {
        let before = (alive.len(), awake.len());
        let mut todo: Vec<u64> = world.globals.clone();
        for (place, doing) in world.doing.iter().enumerate() {
            let wakes = match doing {
                Doing::Lives => true,
                Doing::Stuck => false,
                Doing::On(things) => things.iter().any(|thing| alive.contains(thing)),
            };
            if wakes || awake.contains(&place) {
                awake.insert(place);
                todo.extend(&world.stacks[place]);
            }
        }
        while let Some(at) = todo.pop() {
            if alive.insert(at) {
                todo.extend(next.get(&at).into_iter().flatten());
            }
        }
        if before == (alive.len(), awake.len()) {
            break;
        }
    }
    (0..world.doing.len())
        .filter(|place| !awake.contains(place))
        .map(|place| u32::try_from(place).expect("few"))
        .collect()
}

proptest! {
    #[test]
    fn marking_agrees_with_the_book(
        edges in prop::collection::hash_set((0_u64..100, 0_u64..8, 0_u64..100), 0..120),
        globals in prop::collection::vec(0_u64..100, 0..3),
        goroutines in prop::collection::vec(
            (0_u8..8, 0_u64..100, prop::collection::vec(0_u64..100, 0..4)), 0..40),
    ) {
        let mut world = World::new();
        let mut written = HashMap::new();
        for (from, place, to) in edges {
            world.write(object(from), place, object(to));
            written.insert((from, place), to);
        }
        let edges: Vec<_> = written
            .into_iter()
            .map(|((from, _), to)| (object(from), object(to)))
            .collect();
        world.globals = globals.into_iter().map(object).collect();
        for (kind, thing, words) in goroutines {
            let words: Vec<u64> = words.into_iter().map(object).collect();
            match kind {
                0 => { world.goroutine(Doing::Lives, &words); }
                1 => { world.goroutine(Doing::Stuck, &words); }
                _ => { world.waits(&[object(thing)], &words); }
            }
        }
        let expected = lost_by_the_book(&world, &edges);
        prop_assert_eq!(world.left(), expected);
    }
}
