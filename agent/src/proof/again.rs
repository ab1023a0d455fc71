//! Reads once more, at the end of a pass, what moves.
//!
//! A pointer that is carried from an object that has not been read yet to one that has been is missed. Who
//! carries it runs, and has a way to both objects. So from the stacks of all that have run, and then from
//! the global variables, objects are read once more, nearest first, as far as a bound of bytes goes: all of
//! a small heap, and of a large one what the program has at hand.

use super::{
    ProofError, Watch,
    bits::Bits,
    marks::Marks,
    objects::{Objects, of_span},
};
use crate::memory::MemoryReader;

/// Bytes of spans that are read once more, at most: from stacks, and from global variables.
const BOUND: u64 = 8 << 20;

/// What is to be read once more, next.
#[derive(Debug)]
pub(super) struct Again {
    /// Objects that were, or will be.
    known: Bits,
    /// Spans and the places of objects in them.
    next: Vec<(u32, u32)>,
}

impl Again {
    /// Nothing yet, of what `marks` are about.
    pub(super) fn new(marks: &Marks<'_>) -> Self {
        Self {
            known: Bits::zeroes(marks.spans().bit_words()),
            next: Vec::new(),
        }
    }

    /// The object that `word` points into, if it does.
    #[inline]
    pub(super) fn add(&mut self, marks: &Marks<'_>, word: u64) {
        let Some((number, index)) = marks.spans().find(word) else {
            return;
        };
        let span = &marks.spans().all()[number as usize];
        let object = span.number_of(index);
        // What has not been read will be, and what is not to be read is not.
        if !span.no_scan && marks.was_read(object) && self.known.set(object) {
            self.next.push((number, index));
        }
    }

    /// Reads them, and what they lead to. Nothing is left then, and what was read stays known.
    ///
    /// # Errors
    /// As those of a pass.
    pub(super) fn read<M: MemoryReader>(
        &mut self,
        objects: &mut Objects<'_, M>,
        marks: &mut Marks<'_>,
        watch: &mut dyn Watch,
    ) -> Result<(), ProofError> {
        let mut left = BOUND;
        while !self.next.is_empty() {
            let mut generation = std::mem::take(&mut self.next);
            generation.sort_unstable();
            let mut spans: Vec<u32> = generation.iter().map(|(span, _)| *span).collect();
            spans.dedup();
            let bytes = |span: &u32| marks.spans().all()[*span as usize].bytes;
            let wanted: u64 = spans.iter().map(bytes).sum();
            let Some(rest) = left.checked_sub(wanted) else {
                break;
            };
            left = rest;
            objects.read_each(marks.spans(), &spans, &mut |read| {
                read.pointers(of_span(&generation, read.number), &mut |index, word| {
                    marks.reach_from(word, read.span.number_of(index));
                    self.add(marks, word);
                });
                watch.went_on(read.length())
            })?;
        }
        Ok(())
    }
}
