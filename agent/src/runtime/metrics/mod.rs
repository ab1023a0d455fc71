//! What the Go runtime counts of itself, read from outside: the figures that the package `runtime/metrics`
//! gives a program of itself, for programs that do not ask for them.
//!
//! They are computed as `src/runtime/metrics.go` does it in each release (1.18 to 1.27), from the same
//! variables. How exact that is:
//!
//! - What was allocated lacks what processors have taken from the spans that they hold just now, at
//!   most one span of each size class and processor, as it does in `runtime/metrics`: those objects are
//!   counted when the span is given back (`mcache.refill`, `mcache.releaseAll` in `src/runtime/mcache.go`).
//!   Go 1.18 counts all of a span when it is taken, and takes back what is left when it is given back, so
//!   there the count may fall a little.
//! - The world runs on. Figures that the runtime keeps together are copied in one piece, and again
//!   where they do not fit each other; different figures are of moments some microseconds apart.
//! - A histogram's buckets are copied once, while durations are added to them; each is right for a moment
//!   in that copy, as in `runtime/metrics`, which takes no lock for it either.
//!
//! A reading takes three system calls, whatever the program's size.

mod collector;
mod goroutines;
mod heap_statistics;
mod histogram;
mod missing;
mod reading;
mod size_classes;
#[cfg(test)]
mod tests;

pub use histogram::DurationCount;
pub use missing::{Absent, Missing};

use super::{AllGoroutines, HeapSize, Scheduler, layout::Layouts};
use crate::{
    binary::{GoBinary, LoadBias, RuntimeAddress},
    memory::MemoryReader,
};
use collector::Books;
use goroutines::Counters;
use heap_statistics::HeapStatistics;
use histogram::Histogram;

/// Variables of the runtime that others have found already.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// `runtime.allgs`.
    pub all: AllGoroutines,
    /// `runtime.sched` and `runtime.allp`; `None` where they were not found.
    pub scheduler: Option<Scheduler>,
    /// `runtime.gcController`; `None` where it was not found.
    pub heap: Option<HeapSize>,
}

/// Where one program's figures are.
#[derive(Clone, Debug)]
pub struct RuntimeReader {
    memory: Result<HeapStatistics, Absent>,
    collector: Result<Books, Absent>,
    scheduler: Result<Scheduling, Absent>,
    latencies: Result<(RuntimeAddress, Histogram), Absent>,
}

/// Where the scheduler's figures are.
#[derive(Clone, Debug)]
struct Scheduling {
    sched: RuntimeAddress,
    /// `runtime.allp`, a slice of the processors there are.
    processors: RuntimeAddress,
    /// `runtime.allgs`, a slice of all goroutines.
    all: RuntimeAddress,
    counters: Counters,
}

/// What was read. Each part fails on its own.
#[derive(Debug)]
pub struct Readings {
    /// What the program has from the system, and has allocated.
    pub memory: Result<MemoryUse, Missing>,
    /// What the collector does.
    pub collector: Result<Collector, Missing>,
    /// `GOMAXPROCS`: how many threads may run Go code at once (`/sched/gomaxprocs:threads`).
    pub processors: Result<u64, Missing>,
    /// Goroutines that live, as the program's own release counts them (`/sched/goroutines:goroutines`):
    /// before Go 1.26 without the runtime's own, from then on with them.
    pub goroutines: Result<u64, Missing>,
    /// How long goroutines waited, ready to run, until they ran, in rising order; buckets in which nothing
    /// was counted are left out. One in eight goroutines is timed, from Go 1.18 on
    /// (`gTrackingPeriod` in `src/runtime/proc.go`).
    pub latencies: Result<Vec<DurationCount>, Missing>,
}

/// A program's memory, as its runtime counts it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// Of goroutines' stacks (`/memory/classes/heap/stacks:bytes`).
    pub stack_bytes: u64,
    /// All else that the runtime has from the system and has not given back: `/memory/classes/total:bytes`
    /// less `/memory/classes/heap/released:bytes` less the stacks.
    pub other_bytes: u64,
    /// Allocated on the heap since the program began (`/gc/heap/allocs:bytes`).
    pub allocated_bytes: u64,
    /// How many objects that were (`/gc/heap/allocs:objects`); small ones that share one count once.
    pub allocated_objects: u64,
}

/// What the collector is set to, and what it aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collector {
    /// `GOGC` (`/gc/gogc:percent`); `None` where the collector is off.
    pub percent: Option<u64>,
    /// `GOMEMLIMIT` in bytes (`/gc/gomemlimit:bytes`); `None` where there is none, as in all programs
    /// before Go 1.19.
    pub memory_limit_bytes: Option<u64>,
    /// Size of the heap in bytes at which the collector means to be done (`/gc/heap/goal:bytes`); `None` where
    /// the collector is off and there is no limit, so that there is no goal.
    pub goal_bytes: Option<u64>,
}

impl RuntimeReader {
    /// Finds what `known` does not have in a program that runs `binary`, loaded with `bias`. What is not
    /// there is told by [`Self::read`].
    pub fn find(
        binary: &GoBinary,
        bias: LoadBias,
        layouts: &Layouts,
        memory: &impl MemoryReader,
        known: Known,
    ) -> Self {
        let minor = binary.build_info().go_version.minor;
        Self {
            memory: HeapStatistics::find(binary, memory, bias, layouts),
            ..Self::with(layouts, minor, known)
        }
    }

    /// `runtime.memstats` at this address, in a program of Go 1.`minor`.
    #[must_use]
    pub fn at(memstats: RuntimeAddress, layouts: &Layouts, minor: u16, known: Known) -> Self {
        Self {
            memory: HeapStatistics::at(memstats, layouts),
            ..Self::with(layouts, minor, known)
        }
    }

    /// For a program of which nothing can be read, for this reason.
    #[must_use]
    pub fn nothing(reason: &Absent) -> Self {
        Self {
            memory: Err(reason.clone()),
            collector: Err(reason.clone()),
            scheduler: Err(reason.clone()),
            latencies: Err(reason.clone()),
        }
    }

    /// All but the statistics of the heap.
    fn with(layouts: &Layouts, minor: u16, known: Known) -> Self {
        let controller = known.heap.as_ref().map(HeapSize::place);
        let controller = controller.ok_or(Absent::NotFound("runtime.gcController"));
        let places = known.scheduler.as_ref().map(Scheduler::places);
        let places = places.ok_or(Absent::NotFound("runtime.sched"));
        let scheduler = places.clone().and_then(|[sched, processors]| {
            Ok(Scheduling {
                sched,
                processors,
                all: known.all.place(),
                counters: Counters::new(layouts, minor)?,
            })
        });
        let latencies = places.and_then(|[sched, _]| {
            let offset = layouts.offset("runtime.schedt", "timeToRun")?;
            let address = sched.checked_add(offset.into());
            let address = address.ok_or(Absent::NotFound("runtime.sched"))?;
            Ok((address, Histogram::new(layouts)?))
        });
        Self {
            memory: Err(Absent::NotFound("runtime.memstats")),
            collector: controller.and_then(|at| Ok(Books::at(at, layouts, minor)?)),
            scheduler,
            latencies,
        }
    }
}
