//! How many goroutines a program has created, known without any probe: the scheduler's counter of
//! goroutine numbers, less those that the processors have taken and not yet given out.

use super::{
    globals::Global,
    layout::{LayoutError, Layouts},
    slices::Slice,
};
use crate::{
    binary::{GoBinary, LoadBias, RuntimeAddress},
    memory::{MemoryError, MemoryReader, bounded},
};

/// `runtime.sched` has no other function in common that refers to its start in all releases: both
/// take goroutine numbers.
const SCHED: [&str; 2] = ["runtime.newproc1", "runtime.oneNewExtraM"];
const ALLP: [&str; 4] = [
    "runtime.procresize",
    "runtime.schedtrace",
    "runtime.retake",
    "runtime.preemptall",
];
/// `GOMAXPROCS` has been limited to 1024, and is not any more.
pub(super) const MAX_PROCESSORS: u64 = 1 << 16;
/// Threads that a program has ever made.
const MAX_THREADS: u64 = 1 << 32;
/// Goroutine numbers: a thousand million a second would need a year for more.
const MAX_GOID: u64 = 1 << 56;

/// Where the scheduler keeps what is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheduler {
    sched: RuntimeAddress,
    processors: RuntimeAddress,
    offsets: Offsets,
}

/// Byte offsets; all fields have eight bytes but `id` and `schedtick`, which have four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offsets {
    goidgen: u32,
    mnext: u32,
    id: u32,
    goidcache: u32,
    goidcacheend: u32,
    schedtick: u32,
}

impl Offsets {
    fn new(layouts: &Layouts) -> Result<Self, LayoutError> {
        let word = |name, field| layouts.offset_of_size(name, field, 8);
        Ok(Self {
            goidgen: word("runtime.schedt", "goidgen")?,
            mnext: word("runtime.schedt", "mnext")?,
            id: layouts.offset_of_size("runtime.p", "id", 4)?,
            goidcache: word("runtime.p", "goidcache")?,
            goidcacheend: word("runtime.p", "goidcacheend")?,
            schedtick: layouts.offset_of_size("runtime.p", "schedtick", 4)?,
        })
    }
}

impl Scheduler {
    /// `runtime.sched` and the slice `runtime.allp` at these addresses.
    ///
    /// # Errors
    /// The layout lacks a field.
    pub fn at(
        sched: RuntimeAddress,
        processors: RuntimeAddress,
        layouts: &Layouts,
    ) -> Result<Self, LayoutError> {
        Ok(Self {
            sched,
            processors,
            offsets: Offsets::new(layouts)?,
        })
    }

    /// Finds `runtime.sched` and `runtime.allp` in a program that runs `binary`. `None` where
    /// nothing that its functions refer to looks like them.
    ///
    /// # Errors
    /// The layout lacks a field.
    pub fn find(
        binary: &GoBinary,
        memory: &impl MemoryReader,
        bias: LoadBias,
        layouts: &Layouts,
    ) -> Result<Option<Self>, LayoutError> {
        let nowhere = RuntimeAddress(0);
        let empty = Self::at(nowhere, nowhere, layouts)?;
        let offsets = empty.offsets;
        let at = |sched, processors| Self {
            sched,
            processors,
            ..empty
        };
        let sched = Global {
            symbol: "runtime.sched",
            users: SCHED,
            inside: offsets.goidgen.into(),
        };
        let allp = Global {
            symbol: "runtime.allp",
            users: ALLP,
            inside: 0,
        };
        let sched = sched.find(binary, |address| {
            let candidate = at(bias.to_runtime(address), nowhere);
            candidate.is_plausible(memory).unwrap_or(false)
        });
        let allp = allp.find(binary, |address| {
            let candidate = at(nowhere, bias.to_runtime(address));
            candidate
                .processors(memory)
                .is_ok_and(|all| !all.is_empty())
        });
        Ok(sched
            .zip(allp)
            .map(|(sched, allp)| at(bias.to_runtime(sched), bias.to_runtime(allp))))
    }

    /// Where `runtime.sched` and the slice `runtime.allp` are.
    pub(super) fn places(&self) -> [RuntimeAddress; 2] {
        [self.sched, self.processors]
    }

    /// Goroutines created since the program began, the runtime's own included; the next one gets a
    /// number near this. Right at rest; while goroutines are being created it is out by those few.
    ///
    /// # Errors
    /// Not readable, or not what a scheduler holds.
    pub fn created(&self, memory: &impl MemoryReader) -> Result<u64, MemoryError> {
        Ok(self.activity(memory)?.created)
    }

    /// What the program has done since it began.
    ///
    /// # Errors
    /// Not readable, or not what a scheduler holds.
    pub fn activity(&self, memory: &impl MemoryReader) -> Result<Activity, MemoryError> {
        let processors = self.processors(memory)?;
        let reserved = processors.iter().map(|p| p.reserved);
        let reserved = reserved.fold(0, u64::saturating_add);
        Ok(Activity {
            created: self.goidgen(memory)?.saturating_sub(reserved),
            schedules: processors.iter().map(|p| p.schedules).collect(),
        })
    }

    fn goidgen(&self, memory: &impl MemoryReader) -> Result<u64, MemoryError> {
        let goid = self.word(memory, self.offsets.goidgen)?;
        bounded("the last goroutine number", self.sched, goid, MAX_GOID)
    }

    fn word(&self, memory: &impl MemoryReader, offset: u32) -> Result<u64, MemoryError> {
        memory.read_u64(self.sched.plus(offset.into())?)
    }

    /// Every program has had goroutines and threads.
    fn is_plausible(&self, memory: &impl MemoryReader) -> Result<bool, MemoryError> {
        let goid = self.word(memory, self.offsets.goidgen)?;
        let threads = self.word(memory, self.offsets.mnext)?;
        Ok((1..MAX_GOID).contains(&goid) && (1..MAX_THREADS).contains(&threads))
    }

    fn processors(&self, memory: &impl MemoryReader) -> Result<Vec<Processor>, MemoryError> {
        let what = "the list of processors";
        let list = Slice::read(memory, what, self.processors, MAX_PROCESSORS)?;
        (0_u32..)
            .zip(list.pointers(memory)?)
            .map(|(id, address)| self.processor(memory, id, address))
            .collect()
    }

    fn processor(
        &self,
        memory: &impl MemoryReader,
        id: u32,
        address: RuntimeAddress,
    ) -> Result<Processor, MemoryError> {
        let Offsets {
            goidcache,
            goidcacheend,
            schedtick,
            ..
        } = self.offsets;
        let number: [u8; 4] = memory.read_array(address.plus(self.offsets.id.into())?)?;
        let number = u32::from_le_bytes(number);
        // The list is ordered by it: anything else is another list.
        if number != id {
            return Err(MemoryError::Implausible {
                what: "the number of a processor",
                address,
                claimed: number.into(),
                bound: id.into(),
            });
        }
        let begin = memory.read_u64(address.plus(goidcache.into())?)?;
        let end = memory.read_u64(address.plus(goidcacheend.into())?)?;
        Ok(Processor {
            reserved: end.saturating_sub(begin),
            schedules: u32::from_le_bytes(memory.read_array(address.plus(schedtick.into())?)?),
        })
    }
}

/// Counts of a program's scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Goroutines created since the program began.
    pub created: u64,
    /// For each processor, how often it took up a goroutine; it wraps.
    schedules: Vec<u32>,
}

impl Activity {
    /// How often goroutines were taken up since `earlier`. Processors that have come since, or went,
    /// do not count.
    #[must_use]
    pub fn schedules_since(&self, earlier: &Self) -> u64 {
        let both = self.schedules.iter().zip(&earlier.schedules);
        both.map(|(now, before)| u64::from(now.wrapping_sub(*before)))
            .sum()
    }
}

/// A `runtime.p`.
struct Processor {
    /// Goroutine numbers it has taken and not given out.
    reserved: u64,
    schedules: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake::Runtime;

    /// The counter, and what each processor has taken: from, to.
    fn scheduler(runtime: &Runtime, goidgen: u64, caches: &[(u64, u64)]) -> Scheduler {
        let sched = runtime.object("runtime.schedt");
        runtime.field(sched, "runtime.schedt", "goidgen", goidgen);
        let processors = (0..).zip(caches).map(|(id, (from, to))| {
            let p = runtime.object("runtime.p");
            runtime.field(p, "runtime.p", "id", id);
            runtime.field(p, "runtime.p", "goidcache", *from);
            runtime.field(p, "runtime.p", "goidcacheend", *to);
            runtime.field(p, "runtime.p", "schedtick", 10 * id);
            p
        });
        let processors: Vec<u64> = processors.collect();
        let length = processors.len() as u64;
        let all = runtime.words(&[runtime.words(&processors), length, length]);
        let [sched, all] = [sched, all].map(RuntimeAddress);
        Scheduler::at(sched, all, &runtime.layouts).expect("a layout")
    }

    #[test]
    fn what_processors_have_not_given_out_is_not_created() {
        for minor in 18..=27 {
            let runtime = Runtime::new(minor);
            let sched = scheduler(&runtime, 1000, &[(900, 907), (0, 0), (990, 1001)]);
            let activity = sched.activity(&runtime).expect("readable");
            assert_eq!(activity.created, 1000 - 7 - 11, "1.{minor}");
            assert_eq!(activity.schedules, [0, 10, 20], "1.{minor}");
        }
    }

    #[test]
    fn counts_of_processors_wrap() {
        let activity = |schedules: &[u32]| Activity {
            created: 0,
            schedules: schedules.to_vec(),
        };
        let earlier = activity(&[5, u32::MAX - 1]);
        assert_eq!(activity(&[8, 2, 100]).schedules_since(&earlier), 3 + 4);
        assert_eq!(activity(&[8]).schedules_since(&earlier), 3);
    }

    #[test]
    fn numbers_that_cannot_be() {
        let runtime = Runtime::new(25);
        // Caches are read while they change, or hold anything.
        let absurd = scheduler(&runtime, 50, &[(0, 1 << 63), (0, 1 << 63), (9, 8)]);
        assert_eq!(absurd.created(&runtime).expect("readable"), 0);
        let beyond = scheduler(&runtime, u64::MAX, &[(0, 0)]);
        assert!(matches!(
            beyond.created(&runtime),
            Err(MemoryError::Implausible { .. })
        ));
        // A list whose processors are not numbered in order is another list.
        let p = runtime.object("runtime.p");
        runtime.field(p, "runtime.p", "id", 5);
        let list = runtime.words(&[runtime.words(&[p]), 1, 1]);
        let other = Scheduler {
            processors: RuntimeAddress(list),
            ..beyond
        };
        assert!(matches!(
            other.created(&runtime),
            Err(MemoryError::Implausible { claimed: 5, .. })
        ));
        runtime.set(list, 8, u64::MAX);
        assert!(matches!(
            other.created(&runtime),
            Err(MemoryError::Implausible { .. })
        ));
    }
}
