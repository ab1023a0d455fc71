//! What became of a copy of the heap's spans.

use super::{ARENA_SHIFT, Heap, HeapError, PAGE, PAGES_OF_ARENA, Spans};
use crate::{
    binary::{RuntimeAddress, bytes::u64_at},
    memory::{Extent, MemoryError, MemoryReader},
};

impl Heap {
    /// Whether the heap has got arenas since, farther away than [`Spans::is_arena`] reaches: words that
    /// lead there were not recognised.
    ///
    /// # Errors
    /// Not readable.
    pub fn has_grown(&self, memory: &impl MemoryReader, spans: &Spans) -> Result<bool, HeapError> {
        let now = self.arena_starts(memory)?;
        Ok(now.into_iter().any(|start| !spans.is_near(start)))
    }

    /// Addresses of the records of the spans that have the pages of these addresses; `None` where there
    /// is none.
    pub(super) fn owners(
        &self,
        memory: &impl MemoryReader,
        addresses: &[u64],
    ) -> Result<Vec<Option<u64>>, MemoryError> {
        let table = memory.read_u64(self.mheap.plus(self.layout.arenas.into())?)?;
        let number = |address: &u64| address >> ARENA_SHIFT;
        let mut arenas: Vec<u64> = addresses.iter().map(number).collect();
        arenas.sort_unstable();
        arenas.dedup();
        let entries: Vec<Option<RuntimeAddress>> = arenas
            .iter()
            .map(|number| self.arena_entry(table, number << ARENA_SHIFT))
            .collect();
        let records = words_at(memory, &entries)?;
        let places: Vec<Option<RuntimeAddress>> = addresses
            .iter()
            .map(|address| {
                let arena = arenas.binary_search(&number(address)).ok()?;
                let record = records[arena].filter(|record| *record != 0)?;
                let page = (address / PAGE) % PAGES_OF_ARENA;
                let offset = u64::from(self.layout.arena.spans) + page * 8;
                RuntimeAddress(record).checked_add(offset)
            })
            .collect();
        let owners = words_at(memory, &places)?;
        let owners = owners.into_iter();
        Ok(owners
            .map(|owner| owner.filter(|owner| *owner != 0))
            .collect())
    }
}

/// The words at these places; `None` where there is no place.
fn words_at(
    memory: &impl MemoryReader,
    places: &[Option<RuntimeAddress>],
) -> Result<Vec<Option<u64>>, MemoryError> {
    let real: Vec<usize> = (0..places.len())
        .filter(|at| places[*at].is_some())
        .collect();
    let extents = Extent::each(places.iter().flatten().copied(), 8);
    let mut read = vec![None; places.len()];
    let mut failed = None;
    memory.read_extents(&extents, &mut |place, bytes| match bytes {
        Ok(bytes) => read[real[place]] = u64_at(bytes, 0),
        Err(error) => failed = Some(error),
    });
    failed.map_or(Ok(read), Err)
}

impl Heap {
    /// Puts the type of each of these spans (start and record) in the place of the record: 0 where it
    /// is not there yet (`mspan.largeType`, from Go 1.22 on). Asked anew each time: it is written after
    /// the span is made, but before the object's address goes anywhere.
    pub(super) fn large_types(
        &self,
        memory: &impl MemoryReader,
        spans: &mut [(u64, u64)],
    ) -> Result<(), MemoryError> {
        let offset = self.layout.span.large_type;
        let places: Vec<Option<RuntimeAddress>> = spans
            .iter()
            .map(|(_, record)| RuntimeAddress(*record).checked_add(offset?.into()))
            .collect();
        for ((_, record), read) in spans.iter_mut().zip(words_at(memory, &places)?) {
            *record = read.unwrap_or(0);
        }
        Ok(())
    }

    /// Whether spans of small objects have their mark bits at their end (`GOEXPERIMENT=greenteagc`, the
    /// default from Go 1.26 on). A program of which that is true has such spans from its first
    /// goroutine on: the records of goroutines are in them.
    pub(super) fn has_inline_marks(&self, memory: &impl MemoryReader) -> Result<bool, HeapError> {
        let Some(offset) = self.layout.arena.inline_marks else {
            return Ok(false);
        };
        for start in self.arena_starts(memory)? {
            let Some(arena) = self.arena(memory, start)? else {
                continue;
            };
            let mut bits = [0; (PAGES_OF_ARENA / 8) as usize];
            memory.read(arena.plus(offset.into())?, &mut bits)?;
            if bits.iter().any(|byte| *byte != 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
