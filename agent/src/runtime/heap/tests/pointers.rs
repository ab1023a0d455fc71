use std::{collections::BTreeMap, ops::Range};

use super::fake::{BASE, FakeHeap, LIMIT, SMALL, Shape};
use crate::{
    binary::RuntimeAddress,
    memory::MemoryReader,
    runtime::heap::{Fallback, PAGE, Piece, PointerMaps},
};

/// Where the types are.
const TYPES: Range<u64> = 0x50_0000..0x60_0000;
const MODULE: Range<u64> = 0x40_0000..0x70_0000;
const TYPE: &str = "internal/abi.Type";

/// Eight objects of 1 KiB.
const WITH_HEADERS: Shape = Shape {
    pages: 1,
    element: 1024,
    count: 8,
    class: 40,
};
const LARGE: Shape = Shape {
    pages: 5,
    element: 5 * PAGE,
    count: 1,
    class: 0,
};

/// A type of `size` bytes with these words of it pointers.
struct Type {
    at: u64,
    size: u64,
    pointers: u64,
    kind: u8,
    flags: u8,
    mask: u64,
}

impl FakeHeap {
    fn put_type(&self, of: &Type) {
        let runtime = &self.runtime;
        runtime.map(of.at, 48);
        runtime.field(of.at, TYPE, "Size_", of.size);
        runtime.field(of.at, TYPE, "PtrBytes", of.pointers);
        runtime.field(of.at, TYPE, "GCData", of.mask);
        for (field, value) in [("Kind_", of.kind), ("TFlag", of.flags)] {
            let offset = runtime.layouts.offset(TYPE, field).expect("a field");
            runtime.put(of.at + u64::from(offset), &[value]);
        }
    }

    fn maps(&self) -> PointerMaps {
        let layouts = &self.runtime.layouts;
        PointerMaps::with_types(&self.heap, &self.runtime, layouts, TYPES, MODULE).expect("maps")
    }

    /// Words of the objects of the first span that may be pointers, as words from its beginning; those
    /// of `taken` objects. All words of the span that are zero hold a number.
    fn scan(&self, taken: Range<u32>) -> (Vec<u64>, BTreeMap<Fallback, u64>) {
        let spans = self.heap.spans(&self.runtime, LIMIT).expect("spans");
        let span = spans.all()[0];
        let mut bytes = vec![0; usize::try_from(span.bytes).expect("small")];
        let begin = RuntimeAddress(span.start);
        self.runtime.read(begin, &mut bytes).expect("mapped");
        let mut maps = self.maps();
        let mut found = Vec::new();
        // In two pieces where there is one object.
        let size = if span.count == 1 {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        for (piece, place) in bytes.chunks(size).zip((0..).step_by(size)) {
            let offset = place as u64;
            let pieces = [Piece {
                span: 0,
                offset,
                bytes: piece,
            }];
            maps.prepare(&self.heap, &self.runtime, &spans, &pieces)
                .expect("readable");
            for index in taken.clone() {
                maps.scan(&span, index, offset, piece, &mut |address, word| {
                    assert_ne!(word, 0);
                    found.push((address - span.start) / 8);
                });
            }
        }
        (found, maps.fallbacks().into_iter().collect())
    }

    /// Numbers in all words of the first span.
    fn fill(&self, pages: u64) {
        for word in 0..pages * PAGE / 8 {
            self.runtime.put(BASE + word * 8, &[1]);
        }
    }
}

fn one(reason: Fallback) -> BTreeMap<Fallback, u64> {
    BTreeMap::from([(reason, 1)])
}

#[test]
fn bits_of_an_arena() {
    for (minor, bits, expected) in [
        // Words 1 and 3 of the first object, and then no more.
        (18, &[0xfa, 0x77][..], &[1, 3, 4, 5, 6][..]),
        (19, &[0x7a, 0xff], &[1]),
        (20, &[0x0a], &[1, 3]),
        (21, &[0x8a], &[1, 3, 7]),
    ] {
        let mut fake = FakeHeap::new(minor);
        fake.span(SMALL);
        fake.fill(1);
        let bitmap = fake.heap.layout.arena.bitmap.expect("it has one");
        fake.runtime.put(fake.arena + u64::from(bitmap), bits);
        let (found, fallbacks) = fake.scan(0..1);
        assert_eq!(found, expected, "1.{minor}");
        assert_eq!(fallbacks, BTreeMap::new());
        let (found, _) = fake.scan(2..126);
        assert_eq!(found, [0; 0]);
    }
}

#[test]
fn without_its_bits_all_words_of_an_object_count() {
    for minor in [19, 21] {
        let mut fake = FakeHeap::new(minor);
        fake.span(SMALL);
        fake.fill(1);
        let arenas = fake.heap.layout.arenas;
        let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
        let bytes = vec![1; 8192];
        let mut maps = fake.maps();
        let count = |maps: &PointerMaps| {
            let mut count = 0;
            maps.scan(&spans.all()[0], 0, 0, &bytes, &mut |_, _| count += 1);
            count
        };
        assert_eq!(count(&maps), 8);
        assert_eq!(maps.fallbacks(), [(Fallback::NotFetched, 1)]);
        let pieces = [Piece {
            span: 0,
            offset: 0,
            bytes: &bytes,
        }];
        maps.prepare(&fake.heap, &fake.runtime, &spans, &pieces)
            .expect("readable");
        assert_eq!(count(&maps), 0);
        // Its record is not mapped.
        fake.runtime.unmap(fake.arena);
        maps.prepare(&fake.heap, &fake.runtime, &spans, &pieces)
            .expect("nothing is missed");
        assert_eq!(count(&maps), 8);
        fake.runtime.set(fake.mheap, arenas, 8);
        assert!(
            maps.prepare(&fake.heap, &fake.runtime, &spans, &pieces)
                .is_err()
        );
    }
}

#[test]
fn bits_at_the_end_of_a_span() {
    for (minor, inline) in [(22, false), (25, false), (25, true), (27, true)] {
        let mut fake = FakeHeap::new(minor);
        let behind = if inline { 128 } else { 0 };
        fake.span(Shape {
            // Its bits lie in two words.
            element: 48,
            count: (8192 - 128 - behind) / 48,
            ..SMALL
        });
        fake.fill(1);
        let bits = BASE + PAGE - 128 - behind;
        fake.runtime.put(bits, &[0; 128]);
        // Of object 10 words 0 and 5, the latter behind the first word of bits.
        fake.runtime.put(bits + 7, &[1 << 4]);
        fake.runtime.put(bits + 8, &[1 << 1]);
        fake.runtime.put(BASE + PAGE - 1, &[SMALL.class]);
        if let Some(offset) = fake.heap.layout.arena.inline_marks {
            let place = fake.arena + u64::from(offset);
            fake.runtime.put(place, &[u8::from(inline)]);
        }
        let (found, fallbacks) = fake.scan(10..11);
        assert_eq!(found, [60, 65], "1.{minor}");
        assert_eq!(fallbacks, BTreeMap::new());
        let (found, _) = fake.scan(11..100);
        assert_eq!(found, [0; 0]);
        if inline {
            fake.runtime.put(BASE + PAGE - 1, &[77]);
            let (found, fallbacks) = fake.scan(10..11);
            assert_eq!(found, [60, 61, 62, 63, 64, 65]);
            assert_eq!(fallbacks, one(Fallback::SpanShape));
        }
    }
    // With so many objects there is no room for the bits.
    let mut fake = FakeHeap::new(26);
    fake.span(Shape {
        count: 128,
        ..SMALL
    });
    fake.fill(1);
    let (found, fallbacks) = fake.scan(0..1);
    assert_eq!(found.len(), 8);
    assert_eq!(fallbacks, one(Fallback::SpanShape));
}

#[test]
fn a_header_leads_to_the_mask_of_the_type() {
    for minor in 22..=27 {
        let mut fake = FakeHeap::new(minor);
        fake.span(WITH_HEADERS);
        fake.fill(1);
        // Words 1 and 2 of four are pointers.
        let mut of = Type {
            at: TYPES.start,
            size: 32,
            pointers: 24,
            kind: 25,
            flags: 0,
            mask: fake.runtime.words(&[0b110]),
        };
        fake.put_type(&of);
        fake.runtime.put(BASE, &of.at.to_le_bytes());
        let (found, fallbacks) = fake.scan(0..1);
        // The header is a word, and then come 31 values and a rest of three words.
        let expected: Vec<u64> = (0..32)
            .flat_map(|n| [2 + n * 4, 3 + n * 4])
            .filter(|at| *at < 128)
            .collect();
        assert_eq!(found, expected, "1.{minor}");
        assert_eq!(fallbacks, BTreeMap::new());

        let all = |fake: &FakeHeap, reason| {
            let (found, fallbacks) = fake.scan(0..1);
            assert_eq!(found.len(), 128);
            assert_eq!(fallbacks, one(reason), "1.{minor}");
        };
        // Too large for the object; more pointers than words; no kind; a mask that is nowhere.
        for (size, pointers, kind, mask, reason) in [
            (2048, 24, 25, of.mask, Fallback::UnknownType),
            (16, 24, 25, of.mask, Fallback::UnknownType),
            (32, 0, 25, of.mask, Fallback::UnknownType),
            (32, 20, 25, of.mask, Fallback::UnknownType),
            (32, 24, 31, of.mask, Fallback::UnknownType),
            (32, 24, 25, 0, Fallback::UnknownType),
            (32, 24, 25, 8, Fallback::NoMask),
        ] {
            fake.put_type(&Type {
                size,
                pointers,
                kind,
                mask,
                ..of
            });
            all(&fake, reason);
        }
        // A program, or a mask that is made later.
        of.flags = 1 << 4;
        let slot = fake.runtime.words(&[0]);
        if minor >= 24 {
            fake.put_type(&Type { mask: slot, ..of });
            all(&fake, Fallback::NoMask);
            fake.runtime.set(slot, 0, MODULE.start + 8);
            all(&fake, Fallback::NoMask);
            fake.runtime.set(slot, 0, of.mask);
            assert_eq!(fake.scan(0..1).0, expected);
        } else {
            fake.put_type(&of);
            all(&fake, Fallback::NoMask);
            fake.put_type(&Type {
                flags: 0,
                kind: 25 | 1 << 6,
                ..of
            });
            all(&fake, Fallback::NoMask);
        }
        // Not among the program's types, though it looks like one.
        of.flags = 0;
        of.at = fake.runtime.allocate(48);
        fake.put_type(&of);
        fake.runtime.put(BASE, &of.at.to_le_bytes());
        all(&fake, Fallback::UnknownType);
    }
}

#[test]
fn the_type_of_a_large_object_is_in_the_spans_record() {
    for minor in 22..=27 {
        let mut fake = FakeHeap::new(minor);
        let mspan = fake.span(LARGE);
        fake.fill(5);
        let pieces = BTreeMap::from([(Fallback::UnknownType, 2)]);
        let (found, fallbacks) = fake.scan(0..1);
        assert_eq!((found.len(), fallbacks), (5120, pieces), "1.{minor}");
        // Of 25 words, so that the middle of the span lies within a value.
        let mask = fake.runtime.words(&[1 << 24 | 1]);
        fake.put_type(&Type {
            at: TYPES.start,
            size: 200,
            pointers: 200,
            kind: 17,
            flags: 0,
            mask,
        });
        fake.set(mspan, "largeType", TYPES.start);
        let (found, fallbacks) = fake.scan(0..1);
        let expected: Vec<u64> = (0..5120)
            .filter(|at| [0, 24].contains(&(at % 25)))
            .collect();
        assert_eq!(found, expected, "1.{minor}");
        assert_eq!(fallbacks, BTreeMap::new());
    }
}

#[test]
fn what_has_no_pointers_and_what_nobody_knows() {
    let mut fake = FakeHeap::new(27);
    let mspan = fake.span(SMALL);
    fake.fill(1);
    fake.set(mspan, "isUserArenaChunk", 1);
    let (found, fallbacks) = fake.scan(3..4);
    assert_eq!(found, [24, 25, 26, 27, 28, 29, 30, 31]);
    assert_eq!(fallbacks, one(Fallback::UserArena));
    fake.set(mspan, "spanclass", 11);
    assert_eq!(fake.scan(0..126), (Vec::new(), BTreeMap::new()));

    let maps = PointerMaps::conservative();
    fake.set(mspan, "spanclass", 10);
    fake.set(mspan, "isUserArenaChunk", 0);
    let spans = fake.heap.spans(&fake.runtime, LIMIT).expect("spans");
    let mut found = Vec::new();
    // A piece that has the end of the one and the beginning of the other; an object that is not there.
    for index in [0, 1, 126, u32::MAX] {
        maps.scan(&spans.all()[0], index, 56, &[1; 24], &mut |at, _| {
            found.push(at - BASE)
        });
    }
    assert_eq!(found, [56, 64, 72]);
    assert_eq!(maps.fallbacks(), [(Fallback::Release, 2)]);
}
