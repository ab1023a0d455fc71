//! Bits for all words of an arena, in its record: Go 1.18 to 1.21 (`runtime/mbitmap.go`).

use std::ops::Range;

use super::{Piece, Window, types::Failure};
use crate::{
    binary::RuntimeAddress,
    memory::{Extent, MemoryReader},
    runtime::heap::{ARENA, Heap, HeapError, Span},
};

/// Bytes of bits that are held for one span: enough for an object of 256 MiB.
const MAX_BITS: u64 = 8 << 20;

/// How the bits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Density {
    /// Go 1.18 and 1.19: a byte for four words. The lower half says which are pointers, the upper half
    /// whether pointers follow in the object.
    Two,
    /// Go 1.20 and 1.21: a byte for eight words. `noMorePtrs` is not looked at: it only spares the
    /// collector bits that are zero.
    One,
}

impl Density {
    /// Bytes of the heap that a byte of bits is about.
    fn bytes(self) -> u64 {
        match self {
            Self::Two => 32,
            Self::One => 64,
        }
    }

    /// Visits the pointers of an object; `bits` are those of its span from the beginning on.
    pub(super) fn scan(
        self,
        bits: &[u8],
        object: Range<u64>,
        window: Window<'_>,
        visit: &mut impl FnMut(u64, u64),
    ) {
        let range = window.clip(object);
        let mut at = range.start;
        while at < range.end {
            let word = at / 8;
            // Behind the bits that were fetched any word may be a pointer.
            let byte = |place: u64| {
                let place = usize::try_from(place).ok()?;
                Some(bits.get(place).copied().unwrap_or(u8::MAX))
            };
            let is_pointer = match self {
                Self::Two => {
                    let bits = byte(word / 4).unwrap_or(u8::MAX) >> (word % 4);
                    // As `scanobject` does. In a piece of a large object the bits before were looked at
                    // with the piece before.
                    if bits & 0x10 == 0 {
                        return;
                    }
                    bits & 1 == 1
                }
                Self::One => byte(word / 8).unwrap_or(u8::MAX) >> (word % 8) & 1 == 1,
            };
            if is_pointer {
                window.visit(at, visit);
            }
            at += 8;
        }
    }
}

/// The bits of some spans.
#[derive(Debug)]
pub(super) struct ArenaBits {
    /// Where they are in the record of an arena.
    bitmap: u32,
    density: Density,
    /// Start of a span and where its bits are in `bits`; sorted.
    spans: Vec<(u64, Range<usize>)>,
    bits: Vec<u8>,
}

impl ArenaBits {
    /// `None` where it is not known where the bits are.
    pub(super) fn new(bitmap: Option<u32>, density: Density) -> Option<Self> {
        Some(Self {
            bitmap: bitmap?,
            density,
            spans: Vec::new(),
            bits: Vec::new(),
        })
    }

    pub(super) fn density(&self) -> Density {
        self.density
    }

    /// The bits of a span; `None` where they were not fetched.
    pub(super) fn of(&self, span: &Span) -> Option<&[u8]> {
        let place = self
            .spans
            .binary_search_by_key(&span.start, |(start, _)| *start);
        self.bits.get(self.spans[place.ok()?].1.clone())
    }

    /// Fetches the bits of these spans, and forgets all others.
    pub(super) fn fetch<'spans>(
        &mut self,
        heap: &Heap,
        memory: &impl MemoryReader,
        spans: impl Iterator<Item = (&'spans Span, &'spans Piece<'spans>)>,
    ) -> Result<(), HeapError> {
        self.spans.clear();
        self.bits.clear();
        let mut wanted: Vec<&Span> = spans.map(|(span, _)| span).collect();
        wanted.sort_unstable_by_key(|span| span.start);
        wanted.dedup_by_key(|span| span.start);
        // A span may reach over the end of an arena; each part has an extent of its own.
        let mut extents = Vec::new();
        let mut places = Vec::new();
        let mut arena: Option<(u64, Option<RuntimeAddress>)> = None;
        for span in wanted {
            let begin = self.bits.len();
            let limit = span.start + span.bytes.min(MAX_BITS * self.density.bytes());
            let mut at = span.start;
            while at < limit {
                let end = limit.min(at / ARENA * ARENA + ARENA);
                let record = match arena {
                    Some((number, record)) if number == at / ARENA => record,
                    _ => heap.arena(memory, at)?,
                };
                arena = Some((at / ARENA, record));
                let offset = u64::from(self.bitmap) + at % ARENA / self.density.bytes();
                let length = usize::try_from((end - at) / self.density.bytes()).unwrap_or(0);
                let place = self.bits.len();
                // Until they are read, and if they cannot be, all words may be pointers.
                self.bits.resize(place + length, u8::MAX);
                if let Some(address) = record.and_then(|record| record.checked_add(offset)) {
                    extents.push(Extent { address, length });
                    places.push(place);
                }
                at = end;
            }
            self.spans.push((span.start, begin..self.bits.len()));
        }
        let mut failed = Failure::default();
        memory.read_extents(&extents, &mut |number, bytes| {
            if let Some(bytes) = failed.note(bytes) {
                self.bits[places[number]..][..bytes.len()].copy_from_slice(bytes);
            }
        });
        failed.result()
    }
}
