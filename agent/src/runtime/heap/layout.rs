//! The offsets in the heap's records, checked once.

use crate::binary::bytes::{u8_at, u16_at, u32_at, u64_at};
use crate::runtime::layout::{LayoutError, Layouts};

const MHEAP: &str = "runtime.mheap";
const SPAN: &str = "runtime.mspan";
const ARENA: &str = "runtime.heapArena";
const SPECIAL: &str = "runtime.special";

/// What the heap's records of one release look like. Offsets and sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapLayout {
    /// The `27` of Go 1.27.
    pub(super) minor: u32,
    /// `mheap.allspans`, a slice.
    pub(super) all_spans: u32,
    /// `mheap.arenas`: the address of a table of addresses.
    pub(super) arenas: u32,
    /// `mheap.sweepgen`, four bytes.
    pub(super) sweep_generation: u32,
    /// `mheap.pagesInUse`: pages of all spans in use.
    pub(super) pages_in_use: u32,
    /// `mheap.heapArenas`, `allArenas` before Go 1.25: a slice of the numbers of all arenas.
    pub(super) all_arenas: u32,
    pub(super) span: SpanLayout,
    pub(super) arena: ArenaLayout,
    pub(super) special: SpecialLayout,
    /// `cleanupQueue.all`; from Go 1.25.
    pub(super) all_cleanups: Option<u32>,
}

/// `runtime.special`, the head of each record about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpecialLayout {
    pub(super) size: u32,
    pub(super) next: u32,
    pub(super) offset: u32,
    /// Bytes of the offset: 2 or 8.
    pub(super) offset_size: u32,
    /// One byte.
    pub(super) kind: u32,
}

/// `runtime.mspan`. Those without a note have eight bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpanLayout {
    pub(super) size: u32,
    pub(super) start: u32,
    pub(super) pages: u32,
    free_index: Number,
    free_index_for_scan: Number,
    elements: Number,
    pub(super) alloc_bits: u32,
    /// Four bytes.
    pub(super) sweep_generation: u32,
    /// One byte: `mSpanState`.
    pub(super) state: u32,
    /// One byte: size class, and in the lowest bit "no pointers".
    pub(super) class: u32,
    pub(super) element: u32,
    pub(super) specials: u32,
    /// One byte; from Go 1.20.
    pub(super) is_user_arena: Option<u32>,
    /// From Go 1.22.
    pub(super) large_type: Option<u32>,
}

/// `runtime.heapArena`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ArenaLayout {
    /// A table of the addresses of the spans that its pages belong to.
    pub(super) spans: u32,
    /// A bit for each page: the first of a span with specials.
    pub(super) page_specials: u32,
    /// A bit for each page: the span has its mark bits at its end; from Go 1.25.
    pub(super) inline_marks: Option<u32>,
    /// Which words are pointers; before Go 1.22.
    pub(super) bitmap: Option<u32>,
}

/// A number whose width depends on the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    offset: u32,
    size: u32,
}

impl Number {
    fn new(layouts: &Layouts, field: &str) -> Result<Self, LayoutError> {
        let place = layouts.field(SPAN, field)?;
        if !matches!(place.size, 2 | 8) {
            // It says which field, and how wide it is.
            layouts.offset_of_size(SPAN, field, 8)?;
        }
        Ok(Self {
            offset: place.offset,
            size: place.size,
        })
    }

    fn read(self, bytes: &[u8]) -> Option<u64> {
        match self.size {
            2 => u16_at(bytes, self.offset.into()).map(u64::from),
            _ => u64_at(bytes, self.offset.into()),
        }
    }
}

impl HeapLayout {
    /// Looks all of them up, for Go 1.`go_minor`.
    ///
    /// # Errors
    /// The first field that should be there and is not, or has another width.
    pub fn new(layouts: &Layouts, go_minor: u32) -> Result<Self, LayoutError> {
        let heap = |field, size| layouts.offset_of_size(MHEAP, field, size);
        let span = |field, size| layouts.offset_of_size(SPAN, field, size);
        let bits = |field| layouts.offset_of_size(ARENA, field, 8192 / 8);
        Ok(Self {
            minor: go_minor,
            all_spans: heap("allspans", 24)?,
            arenas: heap("arenas", 8)?,
            sweep_generation: heap("sweepgen", 4)?,
            pages_in_use: heap("pagesInUse", 8)?,
            all_arenas: match optional(heap("heapArenas", 24))? {
                Some(offset) => offset,
                None => heap("allArenas", 24)?,
            },
            span: SpanLayout {
                size: layouts.size(SPAN)?,
                start: span("startAddr", 8)?,
                pages: span("npages", 8)?,
                free_index: Number::new(layouts, "freeindex")?,
                free_index_for_scan: Number::new(layouts, "freeIndexForScan")?,
                elements: Number::new(layouts, "nelems")?,
                alloc_bits: span("allocBits", 8)?,
                sweep_generation: span("sweepgen", 4)?,
                state: span("state", 1)?,
                class: span("spanclass", 1)?,
                element: span("elemsize", 8)?,
                specials: span("specials", 8)?,
                is_user_arena: optional(span("isUserArenaChunk", 1))?,
                large_type: optional(span("largeType", 8))?,
            },
            special: SpecialLayout {
                size: layouts.size(SPECIAL)?,
                next: layouts.offset_of_size(SPECIAL, "next", 8)?,
                offset: layouts.offset(SPECIAL, "offset")?,
                offset_size: layouts.field(SPECIAL, "offset")?.size,
                kind: layouts.offset_of_size(SPECIAL, "kind", 1)?,
            },
            all_cleanups: match layouts.offset_of_size("runtime.cleanupQueue", "all", 8) {
                Ok(offset) => Some(offset),
                // Before that, cleanups are queued with the finalizers.
                Err(LayoutError::MissingStruct { .. }) if go_minor < 25 => None,
                Err(error) => return Err(error),
            },
            arena: ArenaLayout {
                spans: layouts.offset_of_size(ARENA, "spans", 8192 * 8)?,
                page_specials: bits("pageSpecials")?,
                inline_marks: optional(bits("pageUseSpanInlineMarkBits"))?,
                bitmap: optional(layouts.offset(ARENA, "bitmap"))?,
            },
        })
    }
}

/// `None` where the release lacks the field.
fn optional(offset: Result<u32, LayoutError>) -> Result<Option<u32>, LayoutError> {
    match offset {
        Ok(offset) => Ok(Some(offset)),
        Err(LayoutError::MissingField { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A span's record, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawSpan {
    pub(super) start: u64,
    pub(super) pages: u64,
    pub(super) element: u64,
    pub(super) elements: u64,
    /// No object from here on has been handed out since the last sweep, but for those with a bit.
    pub(super) free_from: u64,
    pub(super) alloc_bits: u64,
    pub(super) sweep_generation: u32,
    pub(super) state: u8,
    pub(super) class: u8,
    pub(super) is_user_arena: bool,
}

/// `mSpanInUse` of all releases (`runtime/mheap.go`): a span of the collected heap.
pub(super) const IN_USE: u8 = 1;

impl SpanLayout {
    /// `None` where `bytes` are too few.
    pub(super) fn parse(&self, bytes: &[u8]) -> Option<RawSpan> {
        let word = |offset: u32| u64_at(bytes, offset.into());
        let byte = |offset: u32| u8_at(bytes, offset.into());
        Some(RawSpan {
            start: word(self.start)?,
            pages: word(self.pages)?,
            element: word(self.element)?,
            elements: self.elements.read(bytes)?,
            // The one runs ahead of the other while an object is made. Both are set to zero by a
            // sweep. Of the objects in between it is not known whether they are in use, and so they
            // are taken to be.
            free_from: (self.free_index.read(bytes)?).max(self.free_index_for_scan.read(bytes)?),
            alloc_bits: word(self.alloc_bits)?,
            sweep_generation: u32_at(bytes, self.sweep_generation.into())?,
            state: byte(self.state)?,
            class: byte(self.class)?,
            is_user_arena: match self.is_user_arena {
                Some(offset) => byte(offset)? != 0,
                None => false,
            },
        })
    }
}
