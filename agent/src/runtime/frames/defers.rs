//! The deferred calls of a goroutine: records on its stack, in its frames, or in the heap, linked in
//! any order.
//!
//! As `scanstack` does it: each record's function may be a closure on the stack, and the records in the
//! heap, which perhaps only one on the stack leads to, are live.

use std::collections::HashSet;

use super::{Reason, StackWord, walk::Stack, walk::Walk};
use crate::{
    binary::RuntimeAddress,
    memory::{MemoryError, MemoryReader},
    runtime::layout::{LayoutError, Layouts},
};

/// Deferred calls of one goroutine that are followed. A loop may defer any number; beyond this all
/// words of the stack count, and so every closure that a record could lead to.
const MAX_DEFERS: usize = 4096;

/// Byte offsets in `runtime._defer`.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeferLayout {
    function: u64,
    link: u64,
}

impl DeferLayout {
    pub(super) fn new(layouts: &Layouts) -> Result<Self, LayoutError> {
        let word = |field| layouts.offset_of_size("runtime._defer", field, 8);
        Ok(Self {
            function: word("fn")?.into(),
            link: word("link")?.into(),
        })
    }
}

/// Tells what the deferred calls from `first` on hold. `layout` is `None` where it is not known: then
/// all words of the stack count.
///
/// # Errors
/// A record in the heap cannot be read.
pub(super) fn tell<T: FnMut(StackWord)>(
    memory: &impl MemoryReader,
    layout: Option<DeferLayout>,
    first: u64,
    stack: Stack<'_>,
    walk: &mut Walk<'_, T>,
) -> Result<(), MemoryError> {
    let mut seen = HashSet::new();
    let mut record = first;
    while record != 0 {
        let is_inside = stack.holds(record);
        if !is_inside {
            walk.found(record, 0, RuntimeAddress(0));
        }
        let Some(layout) = layout.filter(|_| seen.len() < MAX_DEFERS && seen.insert(record)) else {
            walk.whole(Reason::Defers);
            return Ok(());
        };
        let word = |offset| -> Result<Option<(u64, u64)>, MemoryError> {
            let at = RuntimeAddress(record).plus(offset)?;
            let value = match is_inside {
                true => stack.word(at.0),
                false => Some(memory.read_u64(at)?),
            };
            Ok(value.map(|value| (at.0, value)))
        };
        let (Some((slot, function)), Some((_, link))) =
            (word(layout.function)?, word(layout.link)?)
        else {
            // On the part of the stack that is not used.
            walk.whole(Reason::Damaged);
            return Ok(());
        };
        walk.found(function, slot, RuntimeAddress(0));
        record = link;
    }
    Ok(())
}
