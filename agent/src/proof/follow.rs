//! Follows what was reached through the heap, until nothing is left.
//!
//! Spans wait until many of their objects have been reached, and are then read on the way up through the
//! heap or down again (`sweep.rs`), so that each is read a few times only, however many of its objects are
//! reached.

use super::{
    ProofError, Watch,
    marks::Marks,
    objects::{BATCH, Objects, Read},
    sweep::Sweep,
};
use crate::memory::MemoryReader;

/// Reads all that was reached, and what that reaches.
///
/// # Errors
/// A span in use cannot be read: then not everything that is alive is known. Or the watch says stop.
pub(super) fn follow<M: MemoryReader>(
    objects: &mut Objects<'_, M>,
    marks: &mut Marks<'_>,
    watch: &mut dyn Watch,
) -> Result<(), ProofError> {
    let mut sweep = Sweep::default();
    while !marks.is_drained() {
        let mut next = marks.take_waiting(&mut sweep, BATCH);
        // Neighbours are read at once.
        next.sort_unstable();
        let mut large = Vec::new();
        objects.read(marks.spans(), &next, &mut |batch| {
            for read in batch {
                span(marks, read, &mut large);
                watch.went_on(read.length())?;
            }
            within(marks, batch);
            Ok(())
        })?;
    }
    Ok(())
}

/// What spans that are at hand reach in each other, which needs no reading. It was all read at the same
/// time, so it makes no difference whether an object is reached from its own span or from another one.
fn within(marks: &mut Marks<'_>, batch: &[Read<'_>]) {
    let mut has_changed = true;
    while has_changed {
        has_changed = false;
        for read in batch.iter().rev().filter(|read| read.is_whole()) {
            if marks.stop_waiting(read.number) {
                span(marks, read, &mut Vec::new());
                has_changed = true;
            }
        }
    }
}

/// The objects of a span that were reached, and those of the same span that they reach. Those of a span
/// that comes in pieces stay in `large` from its first piece on.
fn span(marks: &mut Marks<'_>, read: &Read<'_>, large: &mut Vec<u32>) {
    if read.is_whole() {
        while let Some(indices) = marks.take_reached(read.number) {
            read.pointers(indices, &mut |index, word| {
                marks.reach_from(word, read.span.number_of(index));
            });
        }
        return;
    }
    if read.is_first() {
        large.clear();
        while let Some(indices) = marks.take_reached(read.number) {
            large.extend(indices);
        }
    }
    read.pointers(large.iter().copied(), &mut |index, word| {
        marks.reach_from(word, read.span.number_of(index));
    });
}
