//! Spans, free objects, finalizers and pointers of a heap whose books hold anything.
#![no_main]

use gostray::{
    binary::{Architecture, RuntimeAddress},
    memory::MemoryReader,
    runtime::heap::{Heap, HeapLayout, Piece, PointerMaps},
};
use gostray_fuzz::{BASE, layouts_of, memory, put};
use libfuzzer_sys::fuzz_target;

/// The heap's own record, behind which the rest is.
const MHEAP: usize = 0x8000;
/// An arena's record, of which only the last releases' fits.
const ARENA: usize = 0x2_8000;
/// Room for both. The pages of the heap are in this memory, too.
const SIZE: usize = 0x8_0000;
/// Spans that are in the list.
const SPANS: usize = 8;
const LIMIT: u64 = 1 << 22;

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else {
        return;
    };
    let minor = 18 + u32::from(*choice) % 10;
    let layouts = layouts_of(minor);
    let mut memory = memory(bytes, SIZE);
    let layout = HeapLayout::new(layouts, minor).expect("a complete layout");
    let architecture = match choice & 0x80 {
        0 => Architecture::X86_64,
        _ => Architecture::Aarch64,
    };
    let heap = Heap::at(RuntimeAddress(BASE + MHEAP as u64), layout, architecture);
    let at = |name, field| layouts.offset(name, field).expect("a field") as usize;
    let mut word = |place: usize, word: u64| put(&mut memory, place, &word.to_le_bytes());
    // Lists that lead somewhere, and records that may be spans.
    let mheap = |field| MHEAP + at("runtime.mheap", field);
    for (n, value) in (0..).zip([BASE, SPANS as u64, SPANS as u64]) {
        word(mheap("allspans") + 8 * n, value);
    }
    let arenas = if minor < 25 {
        "allArenas"
    } else {
        "heapArenas"
    };
    let bias = if choice & 0x80 == 0 { 1 << 47 } else { 0 };
    let number = (BASE + bias) >> 26;
    word(0x80, number);
    for (n, value) in (0..).zip([BASE + 0x80, 1, 1]) {
        word(mheap(arenas) + 8 * n, value);
    }
    word(0x88, BASE + ARENA as u64);
    word(mheap("arenas"), (BASE + 0x88).wrapping_sub(number * 8));
    word(mheap("pagesInUse"), 1);
    for n in 0..SPANS {
        let record = 0x1000 + n * 0x100;
        word(n * 8, BASE + record as u64);
        let mspan = |field| record + at("runtime.mspan", field);
        let start = 0x4_0000 + n * 0x4000;
        word(mspan("startAddr"), BASE + start as u64);
        let shape = bytes.get(n).copied().unwrap_or(0);
        word(mspan("npages"), u64::from(shape % 4));
        let class = u64::from(shape >> 2);
        word(
            mspan("elemsize"),
            [8, 48, 64, 512, 1024, 8192, 2048, 24][(class % 8) as usize],
        );
    }
    for n in 0..SPANS {
        let record = 0x1000 + n * 0x100;
        let state = record + at("runtime.mspan", "state");
        put(&mut memory, state, &[1]);
        let count = u16::from(bytes.get(SPANS + n).copied().unwrap_or(1)) + 1;
        let elements = record + at("runtime.mspan", "nelems");
        put(&mut memory, elements, &count.to_le_bytes());
        // Its page in the arena's table.
        let page = (BASE as usize + 0x4_0000 + n * 0x4000) / 8192;
        let table = ARENA + at("runtime.heapArena", "spans") + page * 8;
        if table + 8 <= SIZE {
            put(&mut memory, table, &(BASE + record as u64).to_le_bytes());
        }
    }
    let Ok(spans) = heap.spans(&memory, LIMIT) else {
        return;
    };
    assert!(spans.bytes() <= LIMIT);
    assert_eq!(spans.free_objects().len(), spans.bit_words());
    for (n, span) in (0..).zip(spans.all()) {
        let last = span.count - 1;
        assert_eq!(spans.find(span.object(last)), Some((n, last)));
        assert_eq!(spans.find(span.start), Some((n, 0)));
        assert!(span.first_word as usize + span.words() as usize <= spans.bit_words());
        assert!(!spans.is_free(span, span.count));
    }
    let _ = heap.has_grown(&memory, &spans);
    if let Ok(found) = heap.specials(&memory, &spans) {
        assert!(found.contents.iter().all(|object| object.bytes <= LIMIT));
    }
    let types = BASE..BASE + SIZE as u64;
    let Ok(mut maps) = PointerMaps::with_types(&heap, &memory, layouts, types, 0..1) else {
        return;
    };
    for (n, span) in (0..).zip(spans.all()) {
        let mut bytes = vec![0; span.bytes as usize];
        if memory.read(RuntimeAddress(span.start), &mut bytes).is_err() {
            continue;
        }
        let (offset, bytes) = match span.count {
            1 => (span.bytes / 2, &bytes[bytes.len() / 2..]),
            _ => (0, &bytes[..]),
        };
        let pieces = [Piece {
            span: n,
            offset,
            bytes,
        }];
        maps.prepare(&heap, &memory, &spans, &pieces)
            .expect("nothing is missed");
        for index in 0..span.count {
            let object = span.object(index)..span.object(index) + span.element;
            maps.scan(span, index, offset, bytes, &mut |at, word| {
                assert!(object.contains(&at) && word != 0);
            });
        }
    }
});
