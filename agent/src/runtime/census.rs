//! All goroutines of a process at once, while it runs.

use std::collections::BTreeMap;

use super::{
    AllGoroutines, Goroutine, GoroutineState, Scope,
    batch::{self, Outcome},
    layout::GoroutineLayout,
};
use crate::{
    binary::{RuntimeAddress, bytes::u32_at},
    memory::{Extent, MemoryError, MemoryReader},
};

/// What could not be read: reason to number of goroutines.
pub type Defects = BTreeMap<&'static str, u64>;

/// Goroutines read together. More would save nothing, and those that run would move more often
/// before they are looked at again.
const BATCH: usize = 1024;
/// How often goroutines that move while they are read are tried. Each time they are fewer, and so
/// looked at for a shorter time.
const ATTEMPTS: usize = 12;
/// How often those are tried whose stack leads nowhere though they seem to rest. Whether one has run
/// is told by a count modulo 256 (`g.trackingSeq`), so of those that run thousands of times between two
/// reads one in 256 seems to have rested; it does not so twice. But there may be stacks that
/// cannot be followed, and these should not cost much.
const ASTRAY: usize = 4;

/// What a pass over all goroutines found, besides the goroutines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Goroutines alive.
    pub alive: u64,
    /// `g`s that wait to be used again.
    pub free: u64,
    /// What could not be read, and why.
    pub defects: Defects,
    /// Goroutines that may be alive and were not passed on.
    unseen: u64,
}

impl Census {
    /// Reads all goroutines and passes the living ones to `visit`, in any order. Those that run have
    /// no stack; those whose stack cannot be read, or that moved each time they were read, have none
    /// either, and are counted as a defect.
    ///
    /// # Errors
    /// The list cannot be read. A single goroutine that cannot be read is a defect.
    pub fn take(
        memory: &impl MemoryReader,
        layout: &GoroutineLayout,
        all: AllGoroutines,
        mut scope: Scope<'_>,
        mut visit: impl FnMut(Goroutine),
    ) -> Result<Self, MemoryError> {
        let mut census = Self::default();
        for addresses in all.read(memory)?.chunks(BATCH) {
            census.batch(memory, layout, &mut scope, addresses, &mut visit)?;
        }
        Ok(census)
    }

    fn batch(
        &mut self,
        memory: &impl MemoryReader,
        layout: &GoroutineLayout,
        scope: &mut Scope<'_>,
        addresses: &[RuntimeAddress],
        visit: &mut impl FnMut(Goroutine),
    ) -> Result<(), MemoryError> {
        let mut left = addresses.to_vec();
        for attempt in 1..=ATTEMPTS {
            let mut moved = Vec::new();
            let is_last = attempt == ATTEMPTS;
            batch::read(
                memory,
                layout,
                scope,
                &left,
                &mut |index, outcome| match outcome {
                    Outcome::Free => self.free += 1,
                    Outcome::Read(goroutine) => {
                        self.alive += 1;
                        visit(goroutine);
                    }
                    // A stack that is being moved has its old end and its new beginning for a moment.
                    Outcome::Moved(_)
                    | Outcome::Replaced
                    | Outcome::Unborn
                    | Outcome::Failed(MemoryError::Implausible { .. })
                        if !is_last =>
                    {
                        moved.push(left[index]);
                    }
                    Outcome::Astray(_) if attempt < ASTRAY => moved.push(left[index]),
                    Outcome::Astray(goroutine) => {
                        self.alive += 1;
                        visit(goroutine);
                    }
                    Outcome::Moved(goroutine) => {
                        self.alive += 1;
                        self.defect("moved each time it was read");
                        visit(goroutine);
                    }
                    Outcome::WithoutStack(goroutine, error) => {
                        self.alive += 1;
                        self.failed(&error);
                        visit(goroutine);
                    }
                    Outcome::Replaced => {
                        self.alive += 1;
                        self.unseen += 1;
                        self.defect("was another one each time it was read");
                    }
                    // Its creator has lost its processor, and nothing is known but that it is there.
                    Outcome::Unborn => {
                        self.alive += 1;
                        self.unseen += 1;
                        self.defect("had no number yet each time it was read");
                    }
                    Outcome::Failed(error) => {
                        self.unseen += 1;
                        self.failed(&error);
                    }
                },
            )?;
            if moved.is_empty() {
                break;
            }
            left = moved;
        }
        Ok(())
    }

    /// Counts the living without looking further: about 0.1 µs a goroutine. Those that cannot be
    /// read are not among them.
    ///
    /// # Errors
    /// The list cannot be read.
    pub fn count(
        memory: &impl MemoryReader,
        layout: &GoroutineLayout,
        all: AllGoroutines,
    ) -> Result<u64, MemoryError> {
        let all = all.read(memory)?.into_iter();
        let statuses = all.filter_map(|g| g.checked_add(layout.atomicstatus.into()));
        let statuses = Extent::each(statuses, size_of::<u32>());
        let mut alive = 0;
        memory.read_extents(&statuses, &mut |_, status| {
            let status = status.ok().and_then(|bytes| u32_at(bytes, 0));
            let state = status.map(GoroutineState::from);
            alive += u64::from(state.is_some_and(|state| !state.is_free()));
        });
        Ok(alive)
    }

    /// Goroutines that may be alive and were not passed on: a defect each.
    #[must_use]
    pub fn unseen(&self) -> u64 {
        self.unseen
    }

    fn failed(&mut self, error: &MemoryError) {
        self.defect(match error {
            MemoryError::Unmapped { .. } => "its memory is not mapped",
            MemoryError::NotInCore { .. } => "its memory was not written to the core file",
            MemoryError::CutShort { .. } => "the core file is cut short",
            MemoryError::FileChanged(_) => "the core file or the executable changed meanwhile",
            MemoryError::Implausible { .. } => "it claims sizes no goroutine has",
            MemoryError::ProcessGone { .. } => "the process ended",
            MemoryError::Denied => "reading was denied",
            MemoryError::Io { .. } => "the kernel refused the read",
        });
    }

    fn defect(&mut self, reason: &'static str) {
        *self.defects.entry(reason).or_default() += 1;
    }
}

#[cfg(test)]
mod tests;
