use proptest::prelude::*;

use super::fake::{BASE, FakeHeap, GENERATION, LIMIT, SMALL, Shape};
use crate::runtime::heap::{
    ARENA, HeapError, PAGE, Span,
    layout::{IN_USE, RawSpan},
};

const LARGE: Shape = Shape {
    pages: 5,
    element: 5 * PAGE,
    count: 1,
    class: 0,
};

#[test]
fn words_lead_to_objects_in_every_release() {
    for minor in 18..=27 {
        let mut fake = FakeHeap::new(minor);
        let small = fake.span(SMALL);
        let large = fake.span(LARGE);
        let free = fake.span(SMALL);
        fake.set(free, "state", 0);
        let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
        assert_eq!(spans.all().len(), 2, "1.{minor}");
        assert_eq!(spans.all()[0].mspan, small);
        assert_eq!(spans.all()[1].mspan, large);
        assert_eq!(spans.bytes(), 6 * PAGE);
        assert_eq!(spans.object_count(), 127);
        assert_eq!(spans.find(BASE), Some((0, 0)));
        assert_eq!(spans.find(BASE + 64 * 125 + 63), Some((0, 125)));
        // Behind the last object.
        assert_eq!(spans.find(BASE + 64 * 126), None);
        assert!(!spans.is_arena(BASE + 64 * 126));
        assert_eq!(spans.find(BASE + 5 * PAGE), Some((1, 0)));
        assert_eq!(spans.find(BASE + 6 * PAGE), None);
        assert!(spans.is_arena(BASE + 6 * PAGE));
        assert!(spans.is_arena(BASE + ARENA), "the next may be the heap's");
        for word in [0, 1, BASE - 1000 * ARENA, BASE + 1000 * ARENA, u64::MAX] {
            assert_eq!(spans.find(word), None);
            assert!(!spans.is_arena(word), "{word:#x}");
        }
        assert_eq!(spans.free_objects(), [0, 0, 0]);
        assert_eq!(spans.bit_words(), 3);
    }
}

#[test]
fn a_free_object_is_behind_the_index_and_has_no_bit() {
    for minor in 18..=27 {
        let mut fake = FakeHeap::new(minor);
        let mspan = fake.span(SMALL);
        // 70 and 100 survived the last collection.
        let bits = fake.runtime.words(&[0, 1 << 6 | 1 << 36]);
        fake.set(mspan, "allocBits", bits);
        fake.set(mspan, "freeindex", 68);
        fake.set(mspan, "freeIndexForScan", 67);
        let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
        let free: Vec<u32> = (0..128)
            .filter(|index| spans.is_free(&spans.all()[0], *index))
            .collect();
        let expected: Vec<u32> = (68..126).filter(|it| ![70, 100].contains(it)).collect();
        assert_eq!(free, expected, "1.{minor}");
    }
}

#[test]
fn nothing_is_free_where_a_sweep_comes_between() {
    let free_with = |change: fn(&mut FakeHeap, u64)| {
        let mut fake = FakeHeap::new(25);
        let mspan = fake.span(SMALL);
        fake.set(mspan, "freeindex", 0);
        fake.set(mspan, "freeIndexForScan", 0);
        fake.set(mspan, "allocBits", fake.runtime.words(&[0, 0]));
        change(&mut fake, mspan);
        let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
        let free = spans.free_objects().iter();
        free.map(|word| word.count_ones()).sum::<u32>()
    };
    assert_eq!(free_with(|_, _| ()), 126);
    // In the cache of a processor.
    assert_eq!(
        free_with(|fake, mspan| fake.set(mspan, "sweepgen", GENERATION + 3)),
        126
    );
    assert_eq!(
        free_with(|fake, mspan| fake.set(mspan, "sweepgen", GENERATION - 1)),
        0
    );
    // The bits are nowhere.
    assert_eq!(free_with(|fake, mspan| fake.set(mspan, "allocBits", 8)), 0);
    // Changes behind the first read of the record.
    let changed = |field: &'static str, value: u64| {
        let mut fake = FakeHeap::new(25);
        let mspan = fake.span(SMALL);
        fake.set(mspan, "freeindex", 0);
        fake.set(mspan, "freeIndexForScan", 0);
        fake.set(mspan, "allocBits", fake.runtime.words(&[0, 0]));
        let place = fake.runtime.layouts.field("runtime.mspan", field);
        let place = place.expect("a field");
        fake.runtime = fake.runtime.on_read(move |runtime, address, times| {
            if (address, times) == (mspan, 1) {
                let bytes = &value.to_le_bytes()[..place.size as usize];
                runtime.put(mspan + u64::from(place.offset), bytes);
            }
        });
        let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
        let free = spans.free_objects().iter();
        free.map(|word| word.count_ones()).sum::<u32>()
    };
    assert_eq!(changed("freeindex", 100), 26);
    assert_eq!(changed("sweepgen", GENERATION + 2), 0);
    assert_eq!(changed("allocBits", 1 << 20), 0);
    assert_eq!(changed("elemsize", 128), 0);
}

#[test]
fn a_heap_beyond_the_limit_is_refused_with_both_figures() {
    let mut fake = FakeHeap::new(27);
    fake.span(LARGE);
    let limit = 4 * PAGE;
    for said in [0, 1 << 20] {
        let place = fake.heap.layout.pages_in_use;
        fake.runtime.set(fake.mheap, place, said);
        let bytes = if said == 0 { 5 * PAGE } else { said * PAGE };
        let error = fake
            .heap
            .spans(&fake.runtime, limit)
            .expect_err("too large");
        let expected = (bytes, limit);
        assert!(
            matches!(error, HeapError::TooLarge { bytes, limit } if (bytes, limit) == expected)
        );
    }
}

#[test]
fn spans_that_overlap_are_none() {
    let mut fake = FakeHeap::new(27);
    fake.span(SMALL);
    let large = fake.span(LARGE);
    fake.span(SMALL);
    // It begins in the first span's page now.
    fake.set(large, "startAddr", BASE);
    let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
    assert_eq!(spans.all().len(), 1);
    assert_eq!(spans.find(BASE), None);
    assert!(spans.is_arena(BASE));
    assert_eq!(spans.find(BASE + 6 * PAGE), Some((0, 0)));
}

#[test]
fn what_cannot_be_a_span_is_none() {
    for (field, value) in [
        ("startAddr", 0),
        ("startAddr", BASE + 8),
        ("startAddr", u64::MAX - PAGE + 1),
        ("npages", 0),
        ("npages", u64::MAX / 2),
        ("elemsize", 0),
        ("elemsize", 12),
        ("elemsize", u64::MAX - 7),
        ("nelems", 0),
        ("nelems", 129),
        ("state", 2),
    ] {
        let mut fake = FakeHeap::new(27);
        let mspan = fake.span(SMALL);
        fake.set(mspan, field, value);
        let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
        assert!(spans.all().is_empty(), "{field} {value:#x}");
    }
}

#[test]
fn an_arena_far_away_is_told() {
    let mut fake = FakeHeap::new(25);
    fake.span(SMALL);
    let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
    assert!(
        !fake
            .heap
            .has_grown(&fake.runtime, &spans)
            .expect("readable")
    );
    let number = |start: u64| (start + (1 << 47)) / ARENA;
    let slice = |numbers: &[u64]| {
        let count = numbers.len() as u64;
        let header = fake.heap.layout.all_arenas;
        for (word, value) in (0..).zip([fake.runtime.words(numbers), count, count]) {
            fake.runtime.set(fake.mheap, header + 8 * word, value);
        }
    };
    slice(&[number(BASE), number(BASE + 3 * ARENA)]);
    assert!(
        !fake
            .heap
            .has_grown(&fake.runtime, &spans)
            .expect("readable")
    );
    slice(&[number(BASE), number(BASE + 300 * ARENA)]);
    assert!(
        fake.heap
            .has_grown(&fake.runtime, &spans)
            .expect("readable")
    );
    slice(&[number(BASE), 7]);
    assert!(fake.heap.has_grown(&fake.runtime, &spans).is_err());
}

proptest! {
    #[test]
    fn the_object_is_that_of_a_division(element in 1_u64..4096, pages in 1_u64..16, at in any::<u64>()) {
        let element = element * 8;
        let bytes = pages * PAGE;
        let raw = RawSpan {
            start: BASE,
            pages,
            element,
            elements: bytes / element,
            free_from: 0,
            alloc_bits: 0,
            sweep_generation: 0,
            state: IN_USE,
            class: 2,
            is_user_arena: false,
        };
        if let Some(span) = Span::new(&raw, 0) {
            for offset in [at % bytes, at % bytes / element * element, bytes - 1] {
                let index = offset / element;
                let expected = (index < u64::from(span.count)).then_some(index);
                prop_assert_eq!(span.index(offset).map(u64::from), expected);
            }
        } else {
            prop_assert!(element > bytes || bytes * element >= 1 << 32);
        }
    }
}
