//! Where one program's runtime keeps its goroutines and what they wait on, found and checked.

use thiserror::Error;

use super::Program;
use crate::{
    memory::{MemoryError, MemoryReader},
    runtime::{
        AllGoroutines, HeapSize, LabelsLayout, NotFound, Scheduler, SelfCheckError, SemaphoreTable,
        WaitLayout, Waits,
        layout::{LayoutError, Source},
        metrics::{Absent, Known, RuntimeReader},
        self_check,
    },
};

/// Why a program's goroutines cannot be found.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LandmarksError {
    /// The list of goroutines was not found.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The process cannot be read.
    #[error("its memory cannot be read: {0}")]
    Memory(#[source] MemoryError),
    /// The layouts do not fit the process.
    #[error(transparent)]
    SelfCheck(#[from] SelfCheckError),
    /// A struct is not known.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// What a census needs to know of a program.
#[derive(Clone, Copy, Debug)]
pub struct Landmarks {
    /// The list of all goroutines.
    pub all: AllGoroutines,
    /// The scheduler's counters; `None` where they were not found.
    pub scheduler: Option<Scheduler>,
    /// The table of semaphores; `None` where it was not found, or is not needed because goroutines
    /// lead to their semaphores themselves (from Go 1.26 on).
    pub semaphores: Option<SemaphoreTable>,
    /// The size of the Go heap; `None` where it was not found.
    pub heap: Option<HeapSize>,
    /// How labels are kept; `None` where the program has no maps, and so no labels.
    pub labels: Option<LabelsLayout>,
    /// Offset of `m.procid`, a thread's id.
    pub procid: u32,
    /// `None` where the structs may be laid out in another way than is known.
    waits: Option<WaitLayout>,
}

impl Landmarks {
    /// Finds everything in `memory`, and checks that it is what it should be.
    ///
    /// # Errors
    /// The list of goroutines is not found, or does not look like one of this release.
    pub fn find(program: &Program, memory: &impl MemoryReader) -> Result<Self, LandmarksError> {
        let Program {
            binary,
            bias,
            layouts,
            layout,
            ..
        } = program;
        let minor = binary.build_info().go_version.minor;
        let all = AllGoroutines::find(binary, memory, *bias, layout).or_else(|not_found| {
            // What cannot be read at all, because the process has ended say, has nothing to find.
            let code = bias.to_runtime(binary.module_data().text);
            memory.read_u64(code).map_err(LandmarksError::Memory)?;
            Err(LandmarksError::NotFound(not_found))
        })?;
        self_check(memory, layouts, layout, all)?;
        // Experiments leave `g` and what the self-check has seen as they are, and move fields of
        // most others; only the binary's own DWARF knows where to.
        let is_known =
            layouts.source() == Source::Dwarf || !binary.build_info().go_version.has_experiments();
        let waits = is_known.then(|| WaitLayout::new(layouts)).transpose()?;
        let semaphores = waits
            .filter(|_| minor < 26)
            .and_then(|waits| SemaphoreTable::find(binary, memory, *bias, &waits));
        let scheduler = match is_known {
            true => Scheduler::find(binary, memory, *bias, layouts)?,
            false => None,
        };
        // Nothing else depends on it.
        let heap = is_known
            .then(|| HeapSize::find(binary, memory, *bias, layouts).ok())
            .flatten()
            .flatten();
        let found = Self {
            all,
            scheduler,
            heap,
            semaphores,
            labels: LabelsLayout::new(layouts, minor).ok(),
            procid: layouts.offset_of_size("runtime.m", "procid", 8)?,
            waits,
        };
        // The functions that were looked through are not needed again.
        binary.file().release_pages();
        Ok(found)
    }

    /// What reads the figures that the runtime counts of itself. Those that are not found are told when they
    /// are read.
    #[must_use]
    pub fn runtime_metrics(&self, program: &Program, memory: &impl MemoryReader) -> RuntimeReader {
        // As in [`Self::find`]: it is not known where the fields are.
        if self.waits.is_none() {
            return RuntimeReader::nothing(&Absent::Experiments);
        }
        let known = Known {
            all: self.all,
            scheduler: self.scheduler,
            heap: self.heap,
        };
        let Program {
            binary,
            bias,
            layouts,
            ..
        } = program;
        let found = RuntimeReader::find(binary, *bias, layouts, memory, known);
        binary.file().release_pages();
        found
    }

    /// What finds out what goroutines wait on, for one pass; `None` where the program's wait
    /// reasons, or the layout of what they wait on, are not known.
    ///
    /// # Errors
    /// The table of semaphores is not readable.
    pub fn waits(
        &self,
        program: &Program,
        memory: &impl MemoryReader,
    ) -> Result<Option<Waits>, MemoryError> {
        let (Ok(reasons), Some(layout)) = (&program.wait_reasons, self.waits) else {
            return Ok(None);
        };
        Waits::new(memory, layout, reasons, self.semaphores.as_ref()).map(Some)
    }
}
