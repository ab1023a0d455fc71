//! Follows what was reached through the heap, a batch of spans at a time.
//!
//! Nothing is copied and nothing is kept but marks. Spans wait until many of their objects have been
//! reached, and are then read whole: a linear copy of 8 KiB costs about as much as a look at two
//! objects.

use super::{ProofError, Watch, marks::Marks};
use crate::{
    binary::RuntimeAddress,
    memory::{Extent, MemoryReader},
    proof::stub::PointerMaps, runtime::heap::Span,
};

/// Bytes of spans that are read together.
const BATCH: u64 = 1 << 20;
/// Larger objects are read in pieces of this size.
const PIECE: u64 = 1 << 20;

/// Reads all that was reached, and what that reaches, until nothing is left.
///
/// # Errors
/// A span in use cannot be read: then not everything that is alive is known. Or the watch says stop.
pub(super) fn follow(
    memory: &impl MemoryReader,
    maps: &mut PointerMaps,
    marks: &mut Marks<'_>,
    watch: &mut dyn Watch,
) -> Result<(), ProofError> {
    while !marks.is_drained() {
        let generation = marks.take_waiting();
        let spans = marks.spans().all();
        let mut rest = &generation[..];
        while let Some(first) = rest.first() {
            let first = &spans[*first as usize];
            if first.bytes > PIECE {
                in_pieces(memory, maps, marks, rest[0], watch)?;
                rest = &rest[1..];
                continue;
            }
            let mut bytes = 0;
            let fits = |number: &&u32| {
                bytes += spans[**number as usize].bytes;
                bytes <= BATCH
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (batch, later) = rest.split_at(count);
            together(memory, maps, marks, batch)?;
            watch.went_on(batch.iter().map(|n| spans[*n as usize].bytes).sum())?;
            rest = later;
        }
    }
    Ok(())
}

/// Reads some spans at once.
fn together(
    memory: &impl MemoryReader,
    maps: &mut PointerMaps,
    marks: &mut Marks<'_>,
    batch: &[u32],
) -> Result<(), ProofError> {
    let spans = marks.spans();
    maps.prepare(memory, spans, batch)?;
    let extents: Vec<Extent> = batch
        .iter()
        .map(|number| whole(&spans.all()[*number as usize]))
        .collect();
    let mut failed = None;
    memory.read_extents(&extents, &mut |index, bytes| match bytes {
        Ok(bytes) => objects(maps, marks, batch[index], bytes),
        Err(error) => failed = Some(error),
    });
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// The objects of a span that were reached, and those in the same span that they reach.
fn objects(maps: &PointerMaps, marks: &mut Marks<'_>, number: u32, bytes: &[u8]) {
    let span = &marks.spans().all()[number as usize];
    while let Some(indices) = marks.take_reached(number) {
        for index in indices {
            let object = span.first_word as usize * 64 + index as usize;
            maps.scan(span, index, 0, bytes, &mut |_, word| {
                marks.reach_from(word, object);
            });
        }
    }
}

/// Reads a span of one large object.
fn in_pieces(
    memory: &impl MemoryReader,
    maps: &mut PointerMaps,
    marks: &mut Marks<'_>,
    number: u32,
    watch: &mut dyn Watch,
) -> Result<(), ProofError> {
    let spans = marks.spans();
    let span = &spans.all()[number as usize];
    maps.prepare(memory, spans, &[number])?;
    // Only as much as was reached: a span of several objects of this size does not exist in Go, but
    // would be read as often as it has objects.
    while let Some(indices) = marks.take_reached(number) {
        for index in indices {
            let object = span.first_word as usize * 64 + index as usize;
            let mut offset = u64::from(index) * span.element;
            let end = (offset + span.element).min(span.bytes);
            while offset < end {
                let length = PIECE.min(end - offset);
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
                memory.read(RuntimeAddress(span.start).plus(offset)?, &mut bytes)?;
                maps.scan(span, index, offset, &bytes, &mut |_, word| {
                    marks.reach_from(word, object);
                });
                watch.went_on(length)?;
                offset += length;
            }
        }
    }
    Ok(())
}

fn whole(span: &Span) -> Extent {
    Extent {
        address: RuntimeAddress(span.start),
        length: usize::try_from(span.bytes).unwrap_or(usize::MAX),
    }
}
