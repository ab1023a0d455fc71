//! Reads objects of the heap, a batch of spans at a time, and tells which of their words may be pointers.
//!
//! Nothing is kept. Spans are read whole, because a linear copy of 8 KiB costs about as much as a look at
//! two objects; larger ones in pieces.

use super::ProofError;
use crate::{
    binary::RuntimeAddress,
    memory::{Extent, MemoryReader},
    runtime::heap::{Heap, Piece, PointerMaps, Span, Spans},
};

/// Bytes that are held at once.
pub(super) const BATCH: u64 = 1 << 20;

/// Some bytes of a span.
#[derive(Clone, Copy, Debug)]
struct Part {
    span: u32,
    offset: u64,
    /// Where they are in the buffer.
    at: usize,
    length: usize,
}

/// Reads objects.
#[derive(Debug)]
pub struct Objects<'h, M> {
    heap: &'h Heap,
    memory: &'h M,
    maps: &'h mut PointerMaps,
    buffer: Vec<u8>,
    parts: Vec<Part>,
}

/// What was read of a span, and how it is to be understood.
pub(super) struct Read<'o> {
    pub(super) number: u32,
    pub(super) span: &'o Span,
    offset: u64,
    bytes: &'o [u8],
    maps: &'o PointerMaps,
}

impl<'h, M: MemoryReader> Objects<'h, M> {
    /// Of `heap` in `memory`.
    pub fn new(heap: &'h Heap, memory: &'h M, maps: &'h mut PointerMaps) -> Self {
        Self {
            buffer: Vec::new(),
            parts: Vec::new(),
            heap,
            memory,
            maps,
        }
    }

    /// What it reads.
    #[must_use]
    pub fn memory(&self) -> &'h M {
        self.memory
    }

    /// How it is known which words are pointers.
    #[must_use]
    pub fn maps(&self) -> &PointerMaps {
        self.maps
    }

    /// Reads the spans `numbers` of `spans`, in their order, and hands some at a time, those that are large in
    /// pieces, to `visit`, with the bytes that were read.
    ///
    /// # Errors
    /// Not all can be read; or what `visit` says.
    pub(super) fn read(
        &mut self,
        spans: &Spans,
        numbers: &[u32],
        visit: &mut dyn FnMut(&[Read<'_>]) -> Result<(), ProofError>,
    ) -> Result<(), ProofError> {
        let mut held = 0;
        self.parts.clear();
        for number in numbers {
            let bytes = spans.all()[*number as usize].bytes;
            for piece in 0..bytes.div_ceil(BATCH) {
                let offset = piece * BATCH;
                let length = BATCH.min(bytes - offset);
                if held + length > BATCH {
                    self.batch(spans, visit)?;
                    held = 0;
                }
                self.parts.push(Part {
                    span: *number,
                    offset,
                    at: usize::try_from(held).unwrap_or(0),
                    length: usize::try_from(length).unwrap_or(0),
                });
                held += length;
            }
        }
        self.batch(spans, visit)
    }

    /// As [`Self::read`], one after the other.
    pub(super) fn read_each(
        &mut self,
        spans: &Spans,
        numbers: &[u32],
        visit: &mut dyn FnMut(&Read<'_>) -> Result<(), ProofError>,
    ) -> Result<(), ProofError> {
        self.read(spans, numbers, &mut |batch| {
            batch.iter().try_for_each(&mut *visit)
        })
    }

    fn batch(
        &mut self,
        spans: &Spans,
        visit: &mut dyn FnMut(&[Read<'_>]) -> Result<(), ProofError>,
    ) -> Result<(), ProofError> {
        let Some(last) = self.parts.last() else {
            return Ok(());
        };
        let length = last.at + last.length;
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        let Self {
            parts,
            buffer,
            maps,
            heap,
            memory,
        } = self;
        let extents: Vec<Extent> = parts
            .iter()
            .map(|part| Extent {
                address: RuntimeAddress(spans.all()[part.span as usize].start + part.offset),
                length: part.length,
            })
            .collect();
        let mut failed = None;
        memory.read_extents(&extents, &mut |index, bytes| match bytes {
            Ok(bytes) => {
                let part = &parts[index];
                buffer[part.at..part.at + part.length].copy_from_slice(bytes);
            }
            Err(error) => failed = Some(error),
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        let of = |part: &Part| &buffer[part.at..part.at + part.length];
        let pieces: Vec<Piece<'_>> = parts
            .iter()
            .map(|part| Piece {
                span: part.span,
                offset: part.offset,
                bytes: of(part),
            })
            .collect();
        // What says which words are pointers is right if it is read after the objects themselves.
        maps.prepare(heap, *memory, spans, &pieces)?;
        let read = |part: &Part| Read {
            number: part.span,
            span: &spans.all()[part.span as usize],
            offset: part.offset,
            bytes: of(part),
            maps,
        };
        visit(&parts.iter().map(read).collect::<Vec<_>>())?;
        parts.clear();
        Ok(())
    }
}

/// The indices of those of `sorted` (span and index) that are in one span.
pub(super) fn of_span(sorted: &[(u32, u32)], span: u32) -> impl Iterator<Item = u32> {
    let from = sorted.partition_point(|(other, _)| *other < span);
    let its = sorted[from..].iter();
    let its = its.take_while(move |(other, _)| *other == span);
    its.map(|(_, index)| *index)
}

impl Read<'_> {
    /// Whether the span is whole, and not one piece of several.
    pub(super) fn is_whole(&self) -> bool {
        self.bytes.len() as u64 == self.span.bytes
    }

    /// Whether this is the first piece of the span, or all of it.
    pub(super) fn is_first(&self) -> bool {
        self.offset == 0
    }

    /// How many bytes were read.
    pub(super) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Visits the words of some objects that may be pointers, each with the index of its object.
    pub(super) fn pointers(
        &self,
        objects: impl Iterator<Item = u32>,
        visit: &mut impl FnMut(u32, u64),
    ) {
        let map = self.maps.of(self.span);
        for index in objects {
            map.scan(index, self.offset, self.bytes, &mut |_, word| {
                visit(index, word);
            });
        }
    }
}
