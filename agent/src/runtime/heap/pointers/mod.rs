//! Which words of an object may be pointers.
//!
//! - Go 1.18 to 1.21: bits for all words of an arena, in its record.
//! - From Go 1.22 on: bits at the end of a span of objects of up to 512 bytes; the address of the type
//!   in the first word of larger ones, and in the span's record for those with a span of their own.
//!
//! What an object says of itself is written before its address goes anywhere (`mallocgc` ends with a
//! barrier), and stays until it is free. So it is right if it is read after the word that led to the
//! object: first a word, then the object's bytes, then what is kept elsewhere. An object that is freed
//! meanwhile was garbage, and what its bytes say then does not matter.
//!
//! Whatever is damaged, unknown or not readable: all words of the object may be pointers. That only
//! loses proofs. It is counted by reason.

mod arena_bits;
mod types;

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use self::{
    arena_bits::{ArenaBits, Density},
    types::{TypeMask, Types},
};
use super::{Heap, HeapError, PAGE, Span, Spans};
use crate::{
    binary::{GoBinary, LoadBias, bytes::u64_at},
    memory::MemoryReader,
    runtime::layout::{LayoutError, Layouts},
};

/// The largest objects with bits at the span's end (`MinSizeForMallocHeader`,
/// `internal/runtime/gc/malloc.go`; `minSizeForMallocHeader` before Go 1.25).
const MAX_WITHOUT_HEADER: u64 = 512;
/// `MallocHeaderSize`, ibidem: the address of the type before an object.
const HEADER: u64 = 8;
/// `spanInlineMarkBits` (`runtime/mgcmark_greenteagc.go`), behind the bits of its span.
const INLINE_MARKS: u64 = 128;
/// Objects from this size on have their span's marks inline where the Green Tea collector runs
/// (`gcUsesSpanInlineMarkBits`, ibidem).
const MIN_INLINE: u64 = 16;

/// Why all words of an object are taken for pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fallback {
    /// The format of this release is not known.
    Release,
    /// A chunk of a user arena.
    UserArena,
    /// The span does not look as one with bits at its end should.
    SpanShape,
    /// What says it was not fetched, could not be read, or is too large to be held.
    NotFetched,
    /// The word where the address of its type should be is none of a type that is known.
    UnknownType,
    /// The type is described by a program or a mask that is not there yet, or is too large.
    NoMask,
}

impl Fallback {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Release,
        Self::UserArena,
        Self::SpanShape,
        Self::NotFetched,
        Self::UnknownType,
        Self::NoMask,
    ];

    /// In words, as in "objects whose … ".
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Release => "heap format of this Go release is not known",
            Self::UserArena => "memory is a user arena",
            Self::SpanShape => "span has an unexpected shape",
            Self::NotFetched => "pointer bits could not be read",
            Self::UnknownType => "type was made at run time or is not known",
            Self::NoMask => "type has no pointer mask yet",
        }
    }
}

/// Some bytes of a span that are about to be scanned.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'bytes> {
    /// Its number.
    pub span: u32,
    /// Where the bytes begin in it.
    pub offset: u64,
    /// What was read there.
    pub bytes: &'bytes [u8],
}

#[derive(Debug)]
enum Format {
    Unknown,
    ArenaBits(ArenaBits),
    Headers {
        types: Types,
        /// Spans of small objects have mark bits behind the pointer bits.
        inline_marks: bool,
        /// Types of objects with a span of their own, by the start of the span, as of the last
        /// [`PointerMaps::prepare`].
        large: Vec<(u64, u64)>,
    },
}

/// Tells which words of objects may be pointers.
#[derive(Debug)]
pub struct PointerMaps {
    format: Format,
    fallbacks: [AtomicU64; Fallback::ALL.len()],
}

impl PointerMaps {
    /// For a process that runs `binary`, loaded with `bias`. Of types only those of the executable are
    /// believed.
    ///
    /// # Errors
    /// The structs are not known, or the heap's books are not readable.
    pub fn new(
        heap: &Heap,
        memory: &impl MemoryReader,
        binary: &GoBinary,
        bias: LoadBias,
        layouts: &Layouts,
    ) -> Result<Self, HeapError> {
        let module = binary.module_data();
        let range = |(start, end)| bias.to_runtime(start).0..bias.to_runtime(end).0;
        let types = range(module.types);
        Self::with_types(
            heap,
            memory,
            layouts,
            types,
            range((module.text, module.end)),
        )
    }

    /// For a process whose types are at the addresses `types`, and whose text and data are in `module`.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub fn with_types(
        heap: &Heap,
        memory: &impl MemoryReader,
        layouts: &Layouts,
        types: Range<u64>,
        module: Range<u64>,
    ) -> Result<Self, HeapError> {
        let types = || Types::new(layouts, heap.layout.minor, types, module);
        let bits = |density| ArenaBits::new(heap.layout.arena.bitmap, density);
        let format = match heap.layout.minor {
            18..=19 => bits(Density::Two).map(Format::ArenaBits),
            20..=21 => bits(Density::One).map(Format::ArenaBits),
            // `GOEXPERIMENT=noallocheaders` keeps the bits elsewhere.
            22..=27 if !has_arena_bits(layouts) => Some(Format::Headers {
                types: types()?,
                inline_marks: heap.has_inline_marks(memory)?,
                large: Vec::new(),
            }),
            _ => None,
        };
        Ok(Self::of_format(format.unwrap_or(Format::Unknown)))
    }

    /// Every word may be a pointer.
    #[must_use]
    pub fn conservative() -> Self {
        Self::of_format(Format::Unknown)
    }

    fn of_format(format: Format) -> Self {
        Self {
            format,
            fallbacks: Default::default(),
        }
    }

    /// How many objects (pieces of large ones) were scanned word by word, and why.
    #[must_use]
    pub fn fallbacks(&self) -> Vec<(Fallback, u64)> {
        let counts = self.fallbacks.iter().map(|it| it.load(Ordering::Relaxed));
        let all = Fallback::ALL.into_iter().zip(counts);
        all.filter(|(_, count)| *count > 0).collect()
    }

    /// Fetches what [`Self::scan`] needs besides these bytes, after they were read. What was fetched for
    /// others before is forgotten, but for types.
    ///
    /// # Errors
    /// The process is gone. What else cannot be read is not missed.
    pub fn prepare(
        &mut self,
        heap: &Heap,
        memory: &impl MemoryReader,
        spans: &Spans,
        pieces: &[Piece<'_>],
    ) -> Result<(), HeapError> {
        let known = pieces.iter().filter_map(|piece| {
            let span = spans.all().get(piece.span as usize)?;
            (!span.no_scan && !span.is_user_arena).then_some((span, piece))
        });
        match &mut self.format {
            Format::Unknown => Ok(()),
            Format::ArenaBits(bits) => bits.fetch(heap, memory, known),
            Format::Headers { types, large, .. } => {
                let mut wanted = Vec::new();
                large.clear();
                for (span, piece) in known {
                    if span.is_large() {
                        large.push((span.start, span.mspan));
                    } else if span.element > MAX_WITHOUT_HEADER {
                        wanted.extend(headers(span, piece));
                    }
                }
                large.sort_unstable();
                large.dedup();
                heap.large_types(memory, large)?;
                wanted.extend(large.iter().map(|(_, of)| *of));
                types.fetch(memory, wanted)
            }
        }
    }

    /// What is known of the objects of a span.
    #[must_use]
    pub fn of<'maps>(&'maps self, span: &'maps Span) -> SpanMap<'maps> {
        let form = match &self.format {
            _ if span.no_scan => Form::NoPointers,
            _ if span.is_user_arena => Form::All(Fallback::UserArena),
            Format::Unknown => Form::All(Fallback::Release),
            Format::ArenaBits(bits) => match bits.of(span) {
                Some(bytes) => Form::ArenaBits(bytes, bits.density()),
                None => Form::All(Fallback::NotFetched),
            },
            Format::Headers { large, types, .. } if span.is_large() => {
                let place = large.binary_search_by_key(&span.start, |(start, _)| *start);
                match place.map(|place| types.get(large[place].1)) {
                    Ok(Ok(mask)) => Form::Large(mask),
                    Ok(Err(reason)) => Form::All(reason),
                    Err(_) => Form::All(Fallback::NotFetched),
                }
            }
            Format::Headers { types, .. } if span.element > MAX_WITHOUT_HEADER => {
                Form::Headers(types)
            }
            Format::Headers { inline_marks, .. } => small_bits(span, *inline_marks),
        };
        SpanMap {
            maps: self,
            span,
            form,
        }
    }

    /// Visits the words of an object that are not zero and may be pointers, with their addresses.
    /// `bytes` are those of the span from `offset` on: the whole span, or for an object with a span of
    /// its own a piece of it; words outside of `bytes` are not visited.
    pub fn scan(
        &self,
        span: &Span,
        index: u32,
        offset: u64,
        bytes: &[u8],
        visit: &mut impl FnMut(u64, u64),
    ) {
        self.of(span).scan(index, offset, bytes, visit);
    }

    fn count(&self, reason: Fallback) {
        self.fallbacks[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a program of Go 1.22 was built with `GOEXPERIMENT=noallocheaders`; then debug information
/// says that the struct is not empty.
fn has_arena_bits(layouts: &Layouts) -> bool {
    match layouts.field("runtime.heapArena", "heapArenaPtrScalar") {
        Ok(place) => place.size > 0,
        Err(LayoutError::MissingField { .. }) => false,
        Err(_) => true,
    }
}

/// First words of the objects of a span.
fn headers<'bytes>(span: &Span, piece: &Piece<'bytes>) -> impl Iterator<Item = u64> + 'bytes {
    let (element, first, bytes) = (span.element, piece.offset, piece.bytes);
    let objects = (0..u64::from(span.count)).map(move |index| index * element);
    objects.filter_map(move |at| u64_at(bytes, at.checked_sub(first)?))
}

/// Where the bits of a span of small objects are (`spanHeapBitsRange`, `runtime/mbitmap.go`).
fn small_bits<'maps>(span: &Span, inline_marks: bool) -> Form<'maps> {
    let inline = inline_marks && span.element >= MIN_INLINE;
    let bits = span.bytes / 64;
    let behind = if inline { INLINE_MARKS } else { 0 };
    // The number of objects shows whether the end of the span is left free for just that (`initSpan`,
    // `runtime/mheap.go`).
    let objects = span.bytes.saturating_sub(bits + behind) / span.element;
    if span.bytes != PAGE || u64::from(span.count) != objects {
        return Form::All(Fallback::SpanShape);
    }
    Form::Small {
        bits: span.bytes - bits - behind,
        inline,
    }
}

/// What is known of the objects of one span: see [`PointerMaps::of`].
#[derive(Debug)]
pub struct SpanMap<'maps> {
    maps: &'maps PointerMaps,
    span: &'maps Span,
    form: Form<'maps>,
}

#[derive(Clone, Copy, Debug)]
enum Form<'maps> {
    NoPointers,
    All(Fallback),
    /// Bits for all words of the span from its beginning on.
    ArenaBits(&'maps [u8], Density),
    Small {
        bits: u64,
        inline: bool,
    },
    Headers(&'maps Types),
    Large(&'maps TypeMask),
}

impl SpanMap<'_> {
    /// As [`PointerMaps::scan`].
    #[inline]
    pub fn scan(&self, index: u32, offset: u64, bytes: &[u8], visit: &mut impl FnMut(u64, u64)) {
        let span = self.span;
        if index >= span.count {
            return;
        }
        let start = u64::from(index) * span.element;
        let end = start + span.element;
        let window = Window {
            address: span.start,
            offset,
            bytes,
        };
        let reason = match self.form {
            Form::NoPointers => return,
            Form::All(reason) => reason,
            Form::ArenaBits(bits, density) => {
                return density.scan(bits, start..end, window, visit);
            }
            Form::Small { bits, inline } => match small_mask(span, start, bits, inline, window) {
                Some(mask) => return window.masked(start, mask, visit),
                None => Fallback::SpanShape,
            },
            Form::Headers(types) => match window.word(start).map(|of| types.get(of)) {
                Some(Ok(mask)) if mask.fits(span.element - HEADER) => {
                    return mask.scan(start + HEADER..end, window, visit);
                }
                Some(Err(reason)) => reason,
                _ => Fallback::UnknownType,
            },
            Form::Large(mask) if mask.fits(span.element) => {
                return mask.scan(start..end, window, visit);
            }
            Form::Large(_) => Fallback::UnknownType,
        };
        self.maps.count(reason);
        window.all(start..end, visit);
    }
}

/// The pointer bits of an object of up to 512 bytes; `None` where they are not there.
#[inline]
fn small_mask(span: &Span, start: u64, bits: u64, inline: bool, window: Window<'_>) -> Option<u64> {
    // The last byte of the inline marks repeats the span's class.
    if inline && window.byte(span.bytes - 1)? != span.class {
        return None;
    }
    let first = start / 8;
    let shift = first % 64;
    let word = bits + first / 64 * 8;
    let words = span.element / 8;
    let low = window.word(word)? >> shift;
    let mask = if shift + words > 64 {
        low | window.word(word + 8)? << (64 - shift)
    } else {
        low
    };
    Some(if words < 64 {
        mask & ((1 << words) - 1)
    } else {
        mask
    })
}

/// The bytes of a span from `offset` on; `address` is that of the span. Places are counted from the
/// span's beginning.
#[derive(Clone, Copy)]
struct Window<'bytes> {
    address: u64,
    offset: u64,
    bytes: &'bytes [u8],
}

impl Window<'_> {
    #[inline]
    fn word(self, at: u64) -> Option<u64> {
        u64_at(self.bytes, at.checked_sub(self.offset)?)
    }

    fn byte(self, at: u64) -> Option<u8> {
        crate::binary::bytes::u8_at(self.bytes, at.checked_sub(self.offset)?)
    }

    /// Visits the word at this place unless it is zero.
    #[inline]
    fn visit(self, at: u64, visit: &mut impl FnMut(u64, u64)) {
        if let Some(word) = self.word(at).filter(|word| *word != 0) {
            visit(self.address + at, word);
        }
    }

    /// Visits the words from `start` on that have a bit.
    #[inline]
    fn masked(self, start: u64, mut mask: u64, visit: &mut impl FnMut(u64, u64)) {
        while mask != 0 {
            self.visit(start + u64::from(mask.trailing_zeros()) * 8, visit);
            mask &= mask - 1;
        }
    }

    /// The part of `range` that the bytes have, in whole words.
    fn clip(self, range: Range<u64>) -> Range<u64> {
        let start = range.start.max(self.offset.next_multiple_of(8));
        let end = self.offset.saturating_add(self.bytes.len() as u64);
        start..range.end.min(end)
    }

    /// Visits all words of `range`.
    fn all(self, range: Range<u64>, visit: &mut impl FnMut(u64, u64)) {
        let range = self.clip(range);
        let mut at = range.start;
        while at < range.end {
            self.visit(at, visit);
            at += 8;
        }
    }
}
