//! A heap made of bytes: one arena, spans in it, and the runtime's books about them.

use crate::{
    binary::{Architecture, RuntimeAddress},
    runtime::{
        fake::Runtime,
        heap::{ARENA, Heap, HeapLayout, PAGE, layout::IN_USE},
    },
};

/// Where the arena is.
pub(super) const BASE: u64 = 0xc4_0000_0000;
pub(super) const LIMIT: u64 = 1 << 30;
/// The heap's sweep generation.
pub(super) const GENERATION: u64 = 8;
const MSPAN: &str = "runtime.mspan";

pub(super) struct FakeHeap {
    pub(super) runtime: Runtime,
    pub(super) heap: Heap,
    pub(super) mheap: u64,
    pub(super) arena: u64,
    list: u64,
    count: u64,
    next: u64,
}

/// What a span is made of.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) pages: u64,
    pub(super) element: u64,
    pub(super) count: u64,
    pub(super) class: u8,
}

/// 128 objects of 64 bytes, with pointers.
pub(super) const SMALL: Shape = Shape {
    pages: 1,
    element: 64,
    count: 126,
    class: 10,
};

impl FakeHeap {
    pub(super) fn new(minor: u32) -> Self {
        let runtime = Runtime::new(minor);
        let mheap = runtime.object("runtime.mheap");
        let arena = runtime.object("runtime.heapArena");
        let layout = HeapLayout::new(&runtime.layouts, minor).expect("a layout");
        let heap = Heap::at(RuntimeAddress(mheap), layout.clone(), Architecture::X86_64);
        let number = (BASE + (1 << 47)) / ARENA;
        let entry = runtime.words(&[arena, 0, 0]);
        runtime.set(mheap, layout.arenas, entry.wrapping_sub(number * 8));
        let list = runtime.allocate(1 << 12);
        let generation = GENERATION.to_le_bytes();
        let place = mheap + u64::from(layout.sweep_generation);
        runtime.put(place, &generation[..4]);
        let all_arenas = runtime.words(&[number]);
        for (word, value) in (0..).zip([all_arenas, 1, 1]) {
            runtime.set(mheap, layout.all_arenas + 8 * word, value);
        }
        Self {
            runtime,
            heap,
            mheap,
            arena,
            list,
            count: 0,
            next: BASE,
        }
    }

    /// A span with all objects in use; its record.
    pub(super) fn span(&mut self, shape: Shape) -> u64 {
        let start = self.next;
        self.next += shape.pages * PAGE;
        let bytes = usize::try_from(shape.pages * PAGE).expect("small");
        self.runtime.map(start, bytes);
        let mspan = self.runtime.object(MSPAN);
        for (field, value) in [
            ("startAddr", start),
            ("npages", shape.pages),
            ("elemsize", shape.element),
            ("nelems", shape.count),
            ("freeindex", shape.count),
            ("freeIndexForScan", shape.count),
            ("sweepgen", GENERATION),
            ("spanclass", shape.class.into()),
            ("state", IN_USE.into()),
        ] {
            self.set(mspan, field, value);
        }
        let words = shape.count.div_ceil(64);
        let bits = vec![u64::MAX; usize::try_from(words).expect("small")];
        self.set(mspan, "allocBits", self.runtime.words(&bits));
        self.own(start, shape.pages, mspan);
        self.list(mspan);
        mspan
    }

    /// Says in the arena's table whose the pages are.
    pub(super) fn own(&self, start: u64, pages: u64, mspan: u64) {
        let first = (start - BASE) / PAGE;
        let table = self.arena + u64::from(self.heap.layout.arena.spans);
        for page in first..first + pages {
            let place = table + page * 8;
            self.runtime.put(place, &mspan.to_le_bytes());
        }
    }

    /// Puts a record into the list of all.
    pub(super) fn list(&mut self, mspan: u64) {
        let place = self.list + self.count * 8;
        self.runtime.put(place, &mspan.to_le_bytes());
        self.count += 1;
        let header = self.heap.layout.all_spans;
        for (word, value) in (0..).zip([self.list, self.count, 512]) {
            self.runtime.set(self.mheap, header + 8 * word, value);
        }
    }

    /// Sets a field of a span's record, which has as many bytes as it has.
    pub(super) fn set(&self, mspan: u64, field: &str, value: u64) {
        let place = self.runtime.layouts.field(MSPAN, field).expect("a field");
        let bytes = &value.to_le_bytes()[..place.size as usize];
        self.runtime.put(mspan + u64::from(place.offset), bytes);
    }
}
