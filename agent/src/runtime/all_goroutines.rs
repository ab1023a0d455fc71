//! Where the runtime keeps all its goroutines: the slice `runtime.allgs`.
//!
//! A stripped binary has no names for data. But functions that go through all goroutines load the
//! slice, and what a place holds shows whether it is the slice.

use thiserror::Error;

use super::{
    globals::Global,
    goroutine::{RawG, size_of_g},
    layout::GoroutineLayout,
    slices::Slice,
    state::GoroutineState,
};
use crate::{
    binary::{GoBinary, LinkAddress, LoadBias, RuntimeAddress},
    memory::{MemoryError, MemoryReader},
};

/// Functions that load `allgs` in every release from 1.18 to 1.27.
const USERS: [&str; 3] = [
    "runtime.allgadd",
    "runtime.forEachG",
    "runtime.forEachGRace",
];

/// More goroutines than a program has: their stacks alone would take 32 GiB. The list of so many
/// takes 128 MiB.
pub(super) const MAX_GOROUTINES: u64 = 1 << 24;

/// `runtime.allgs` was not found.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the runtime's list of goroutines was not found in the process")]
pub struct NotFound;

/// The list of a process's goroutines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllGoroutines {
    slice: RuntimeAddress,
}

impl AllGoroutines {
    /// The list whose slice header is at `slice`.
    #[must_use]
    pub fn at(slice: RuntimeAddress) -> Self {
        Self { slice }
    }

    /// Finds the slice in a process that runs `binary`: by its symbol, else by what functions load;
    /// then two of them have to agree.
    ///
    /// # Errors
    /// No place that they load looks like the slice.
    pub fn find(
        binary: &GoBinary,
        memory: &impl MemoryReader,
        bias: LoadBias,
        layout: &GoroutineLayout,
    ) -> Result<Self, NotFound> {
        let at = |address: LinkAddress| Self::at(bias.to_runtime(address));
        let allgs = Global {
            symbol: "runtime.allgs",
            users: USERS,
            inside: 0,
        };
        let found = allgs.find(binary, |address| {
            at(address).is_plausible(memory, layout).unwrap_or(false)
        });
        found.map(at).ok_or(NotFound)
    }

    /// The addresses of all `g`s. They are never freed, and the slice only grows: a copy taken in
    /// one piece is complete for the moment of its length.
    ///
    /// # Errors
    /// Not readable, or of a length that cannot be.
    pub fn read(&self, memory: &impl MemoryReader) -> Result<Vec<RuntimeAddress>, MemoryError> {
        self.slice(memory)?.pointers(memory)
    }

    /// Where the slice's header is.
    pub(super) fn place(&self) -> RuntimeAddress {
        self.slice
    }

    fn slice(&self, memory: &impl MemoryReader) -> Result<Slice, MemoryError> {
        Slice::read(memory, "the list of goroutines", self.slice, MAX_GOROUTINES)
    }

    /// Whether this can be the slice: the first goroutine of a program has the number 1, and its
    /// state is one there is.
    fn is_plausible(
        &self,
        memory: &impl MemoryReader,
        layout: &GoroutineLayout,
    ) -> Result<bool, MemoryError> {
        let slice = self.slice(memory)?;
        if slice.length == 0 {
            return Ok(false);
        }
        let first = RuntimeAddress(memory.read_u64(slice.elements)?);
        let mut bytes = vec![0; size_of_g(layout, first)?];
        memory.read(first, &mut bytes)?;
        let g = RawG::new(&bytes);
        Ok(g.word(layout.goid) == 1 && !matches!(g.state(layout), GoroutineState::Unknown(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::BytesMemory;

    /// A slice header at 0 and what it points to behind it.
    fn memory(pointer: u64, length: u64, capacity: u64, list: &[u64]) -> BytesMemory {
        let words = [pointer, length, capacity];
        let bytes = words.iter().chain(list).flat_map(|word| word.to_le_bytes());
        BytesMemory {
            base: 0,
            bytes: bytes.collect(),
        }
    }

    #[test]
    fn the_list_is_read_whole() {
        let all = AllGoroutines::at(RuntimeAddress(0));
        let read = all.read(&memory(24, 2, 4, &[7, 8, 9])).expect("a list");
        assert_eq!(read, [RuntimeAddress(7), RuntimeAddress(8)]);
        assert_eq!(all.read(&memory(0, 0, 0, &[])).expect("a list"), []);
    }

    #[test]
    fn absurd_lengths_are_errors_before_memory_is_reserved() {
        let all = AllGoroutines::at(RuntimeAddress(0));
        for (length, capacity) in [(5, 4), (1, u64::MAX), (MAX_GOROUTINES + 1, u64::MAX)] {
            assert!(matches!(
                all.read(&memory(24, length, capacity, &[7])),
                Err(MemoryError::Implausible { .. })
            ));
        }
        for pointer in [24, u64::MAX - 8] {
            assert!(matches!(
                all.read(&memory(pointer, MAX_GOROUTINES, MAX_GOROUTINES, &[7])),
                Err(MemoryError::Unmapped { .. })
            ));
        }
    }
}
