//! Slices and strings, as their headers in a program's memory tell.

use crate::{
    binary::{RuntimeAddress, bytes},
    memory::{MemoryError, MemoryReader, bounded},
};

/// A slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    /// The first element.
    pub(super) elements: RuntimeAddress,
    /// How many there are.
    pub(super) length: u64,
}

impl Slice {
    /// The slice whose header is at `header`, with room for `max` elements at most.
    pub(super) fn read(
        memory: &impl MemoryReader,
        what: &'static str,
        header: RuntimeAddress,
        max: u64,
    ) -> Result<Self, MemoryError> {
        Self::new(what, header, memory.read_words(header)?, max)
    }

    /// As [`Self::read`], where the header has been read.
    pub(super) fn new(
        what: &'static str,
        header: RuntimeAddress,
        [elements, length, capacity]: [u64; 3],
        max: u64,
    ) -> Result<Self, MemoryError> {
        bounded(what, header, capacity, max)?;
        bounded(what, header, length, capacity)?;
        Ok(Self {
            elements: RuntimeAddress(elements),
            length,
        })
    }

    /// Its elements, which are pointers.
    pub(super) fn pointers(
        self,
        memory: &impl MemoryReader,
    ) -> Result<Vec<RuntimeAddress>, MemoryError> {
        let Some(before_last) = self.length.checked_sub(1) else {
            return Ok(Vec::new());
        };
        // Before memory is reserved for so many, there should be so many.
        memory.read_u64(self.elements.plus(before_last * 8)?)?;
        let mut bytes = vec![0; usize::try_from(self.length).unwrap_or(0) * 8];
        memory.read(self.elements, &mut bytes)?;
        Ok(bytes::words(&bytes).map(RuntimeAddress).collect())
    }
}

/// The bytes of the string with this header, pointer and length; `max` at most.
pub(super) fn string(
    memory: &impl MemoryReader,
    what: &'static str,
    [pointer, length]: [u64; 2],
    max: u64,
) -> Result<Vec<u8>, MemoryError> {
    let pointer = RuntimeAddress(pointer);
    bounded(what, pointer, length, max)?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    // That of an empty one leads anywhere.
    if length > 0 {
        memory.read(pointer, &mut bytes)?;
    }
    Ok(bytes)
}
