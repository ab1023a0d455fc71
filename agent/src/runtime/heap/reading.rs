//! Reading the spans, and which of their objects are free.
//!
//! An object is free where its number is not below `freeindex` and it has no bit in `allocBits`
//! (`isFree`, `runtime/mbitmap.go`). A sweep changes both, one after the other, and hands the bits'
//! memory on some time later. So what is read counts only if the span was not being swept, and its
//! record is the same before and after the bits were read. Otherwise all objects are taken to be in
//! use, which only loses proofs.

use super::{
    ARENA, Heap, HeapError, MAX_ADDRESS, MAX_SPANS, PAGE,
    layout::RawSpan,
    page_table::arenas_of,
    spans::{Span, Spans},
};
use crate::{
    binary::RuntimeAddress,
    memory::{Extent, MemoryError, MemoryReader, bounded},
};

/// Records that are read and looked at before the next: their copies take some megabytes.
const BATCH: usize = 1 << 14;
/// Arenas with spans that a table of pages is made for, whatever the limit: it takes 32 MiB.
const FEW_ARENAS: u64 = 1024;

impl Heap {
    /// All spans in use, and which of their objects are free.
    ///
    /// A span that cannot be, or changes hands while this reads, is left out: words that lead there
    /// are [`Spans::is_arena`], and have to be looked up.
    ///
    /// # Errors
    /// Not readable; or more than `max_bytes` of spans in use, or those so scattered that their table
    /// would be larger than fits such a heap.
    pub fn spans(&self, memory: &impl MemoryReader, max_bytes: u64) -> Result<Spans, HeapError> {
        let pages = memory.read_u64(self.mheap.plus(self.layout.pages_in_use.into())?)?;
        let bytes = bounded("the heap's size", self.mheap, pages, MAX_ADDRESS / PAGE)? * PAGE;
        let limit = max_bytes;
        if bytes > limit {
            return Err(HeapError::TooLarge { bytes, limit });
        }
        // Records of spans that are free now are in it too.
        let all = self.list(
            memory,
            "the list of spans",
            self.layout.all_spans,
            MAX_SPANS,
        )?;
        let mut read = Read::default();
        for records in all.chunks(BATCH) {
            self.read_batch(memory, records, &mut read)?;
            // What the spans claim together, not what the heap's books say, is what we hold.
            let bytes = read.bytes;
            if bytes > limit {
                return Err(HeapError::TooLarge { bytes, limit });
            }
        }
        let max_arenas = FEW_ARENAS.max(limit / ARENA * 16);
        let mut scattered: Vec<u64> = read
            .spans
            .iter()
            .flat_map(|(span, _)| arenas_of(span))
            .collect();
        scattered.sort_unstable();
        scattered.dedup();
        if scattered.len() as u64 > max_arenas {
            return Err(HeapError::TooLarge {
                bytes: scattered.len() as u64 * ARENA,
                limit: max_arenas * ARENA,
            });
        }
        let arenas = self.arena_starts(memory)?;
        Ok(Spans::new(read.spans, &read.free, &arenas))
    }

    /// Starts of all arenas, sorted.
    pub(super) fn arena_starts(&self, memory: &impl MemoryReader) -> Result<Vec<u64>, HeapError> {
        let header = self.mheap.plus(self.layout.all_arenas.into())?;
        let what = "the list of arenas";
        let max = MAX_ADDRESS / ARENA;
        let numbers = self.list(memory, what, self.layout.all_arenas, max)?;
        let starts = numbers.into_iter().map(|number| {
            let start = number.wrapping_mul(ARENA).wrapping_sub(self.arena_bias);
            bounded("the number of an arena", header, start, MAX_ADDRESS)
        });
        let mut starts = starts.collect::<Result<Vec<u64>, _>>()?;
        starts.sort_unstable();
        starts.dedup();
        Ok(starts)
    }

    fn read_batch(
        &self,
        memory: &impl MemoryReader,
        records: &[u64],
        into: &mut Read,
    ) -> Result<(), HeapError> {
        let generation = self.sweep_generation(memory)?;
        let mut spans = Vec::new();
        for (raw, mspan) in self.raw_spans(memory, records)?.into_iter().zip(records) {
            if let Some(span) = Span::new(&raw, *mspan) {
                into.bytes = into.bytes.saturating_add(span.bytes);
                spans.push((span, raw));
            }
        }
        let free = self.free_of(memory, &spans, generation)?;
        for ((span, _), free) in spans.iter().zip(free) {
            // The heap's limit keeps these numbers small.
            let at = u32::try_from(into.free.len()).unwrap_or(u32::MAX);
            into.free.extend_from_slice(&free);
            into.spans.push((*span, at));
        }
        Ok(())
    }

    /// The records at these addresses.
    pub(super) fn raw_spans(
        &self,
        memory: &impl MemoryReader,
        records: &[u64],
    ) -> Result<Vec<RawSpan>, MemoryError> {
        let addresses = records.iter().copied().map(RuntimeAddress);
        let extents = Extent::each(addresses, self.layout.span.size as usize);
        let mut read: Vec<Option<RawSpan>> = vec![None; records.len()];
        let mut failed = None;
        memory.read_extents(&extents, &mut |place, bytes| match bytes {
            Ok(bytes) => read[place] = self.layout.span.parse(bytes),
            Err(error) => failed = Some(error),
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let read: Option<Vec<RawSpan>> = read.into_iter().collect();
        read.ok_or(MemoryError::Unmapped {
            address: RuntimeAddress(records.first().copied().unwrap_or_default()),
            length: self.layout.span.size as usize,
        })
    }

    /// A bit for each object of these spans, 1 where it is free for sure. `generation` is that of the
    /// heap before the records were read.
    pub(super) fn free_of(
        &self,
        memory: &impl MemoryReader,
        spans: &[(Span, RawSpan)],
        generation: u32,
    ) -> Result<Vec<Vec<u64>>, HeapError> {
        let extents: Vec<Extent> = spans
            .iter()
            .map(|(span, raw)| Extent {
                address: RuntimeAddress(raw.alloc_bits),
                length: span.words() as usize * 8,
            })
            .collect();
        // Whole words are read: the bits' memory is handed out in eights of bytes (`newMarkBits`).
        let mut bits: Vec<Option<Vec<u64>>> = vec![None; spans.len()];
        memory.read_extents(&extents, &mut |place, bytes| {
            if let Ok(bytes) = bytes {
                bits[place] = Some(crate::binary::bytes::words(bytes).collect());
            }
        });
        let records: Vec<u64> = spans.iter().map(|(span, _)| span.mspan).collect();
        let again = self.raw_spans(memory, &records)?;
        let steady = self.sweep_generation(memory)? == generation;
        let free = spans.iter().zip(again).zip(bits);
        Ok(free
            .map(|(((span, raw), again), bits)| {
                let mut free = bits.unwrap_or_default();
                free.resize(span.words() as usize, u64::MAX);
                let trusted = steady
                    && !is_being_swept(raw.sweep_generation, generation)
                    && is_same_cycle(raw, &again);
                for (word, bits) in (0_u64..).zip(&mut free) {
                    let first = word * 64;
                    // `freeindex` only rises between two sweeps, so the later one says more.
                    let used = again.free_from.saturating_sub(first);
                    let behind = u64::from(span.count) - first;
                    *bits = match trusted {
                        true => !*bits & !low(used) & low(behind),
                        false => 0,
                    };
                }
                free
            })
            .collect())
    }
}

/// What has been read so far. The second of a span is where its free bits are in `free`.
#[derive(Default)]
struct Read {
    spans: Vec<(Span, u32)>,
    free: Vec<u64>,
    bytes: u64,
}

/// The lowest `count` bits.
fn low(count: u64) -> u64 {
    u32::try_from(count)
        .ok()
        .and_then(|count| 1_u64.checked_shl(count))
        .map_or(u64::MAX, |bit| bit - 1)
}

/// `mspan.sweepgen` (`runtime/mheap.go`): one less than the heap's while the span is being swept.
fn is_being_swept(span: u32, heap: u32) -> bool {
    span == heap.wrapping_sub(1)
}

/// Whether no sweep lies between the two reads, and the span is the same.
pub(super) fn is_same_cycle(before: &RawSpan, after: &RawSpan) -> bool {
    let of = |raw: &RawSpan| RawSpan {
        free_from: 0,
        ..*raw
    };
    of(before) == of(after) && after.free_from >= before.free_from
}
