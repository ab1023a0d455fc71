//! Follows what was reached through the heap, until nothing is left.
//!
//! Spans wait until many of their objects have been reached, and are then read in the order of their
//! addresses, so that each is read a few times only, however many of its objects are reached.

use super::{
    ProofError, Watch,
    marks::Marks,
    objects::{Objects, Read},
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
    while !marks.is_drained() {
        let generation = marks.take_waiting();
        let mut large = Vec::new();
        objects.read(marks.spans(), &generation, &mut |read| {
            span(marks, &read, &mut large);
            watch.went_on(read.length())
        })?;
    }
    Ok(())
}

/// The objects of a span that were reached, and those of the same span that they reach. Those of a span
/// that comes in pieces stay in `large` from its first piece on.
fn span(marks: &mut Marks<'_>, read: &Read<'_>, large: &mut Vec<u32>) {
    let first = read.span.first_word as usize * 64;
    if read.is_whole() {
        while let Some(indices) = marks.take_reached(read.number) {
            read.pointers(indices, &mut |index, word| {
                marks.reach_from(word, first + index as usize);
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
        marks.reach_from(word, first + index as usize);
    });
}
