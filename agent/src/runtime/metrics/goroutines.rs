//! How many goroutines live, as the runtime counts them.

use super::Absent;
use crate::{
    binary::{
        RuntimeAddress,
        bytes::{i32_at, u32_at},
    },
    memory::{Extent, MemoryError},
    runtime::layout::{LayoutError, Layouts},
};

const SCHED: &str = "runtime.schedt";
const PROCESSOR: &str = "runtime.p";
const LIST: &str = "runtime.gList";

/// Where the scheduler counts goroutines that have ended, and its own.
///
/// `gcount` (`src/runtime/proc.go`): all that there are, less those that wait to be used again, of
/// the scheduler and of each processor, less the runtime's own. Those are counted from Go 1.26 on,
/// where `/sched/goroutines:goroutines` is `gcount(true)`.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    /// `sched.ngsys`; `None` where the runtime's own are counted. All have four bytes.
    system: Option<u32>,
    /// Of the scheduler: `gFree.n`, or from Go 1.25 on the sizes of its two lists.
    free: Vec<u32>,
    begin: u32,
    end: u32,
    /// `p.id`.
    processor: u32,
    /// `p.gFree.n`, or the size of that list.
    processors_free: u32,
}

impl Counters {
    pub(super) fn new(layouts: &Layouts, minor: u16) -> Result<Self, Absent> {
        let free = layouts.field(SCHED, "gFree")?;
        let processors = layouts.field(PROCESSOR, "gFree")?;
        let list = layouts.size(LIST)?;
        let lock = layouts.size("runtime.mutex")?;
        let lists_end = lock + 2 * list;
        let (of_scheduler, of_processor) = match layouts.offset_of_size(LIST, "size", 4) {
            Ok(size) if free.size == lists_end && processors.size == list => {
                (vec![lock + size, lock + list + size], size)
            }
            // The number stands behind the lists, padded to a word.
            Err(LayoutError::MissingField { .. })
                if free.size == lists_end + 8 && processors.size == list + 8 =>
            {
                (vec![lists_end], list)
            }
            _ => return Err(Absent::Shape(SCHED)),
        };
        let system = match minor < 26 {
            true => Some(layouts.offset_of_size(SCHED, "ngsys", 4)?),
            false => None,
        };
        let free: Vec<u32> = of_scheduler
            .into_iter()
            .map(|offset| free.offset + offset)
            .collect();
        let all = || free.iter().copied().chain(system);
        Ok(Self {
            begin: all().min().unwrap_or_default(),
            end: all().max().unwrap_or_default() + 4,
            system,
            free,
            processor: layouts.offset_of_size(PROCESSOR, "id", 4)?,
            processors_free: processors.offset + of_processor,
        })
    }

    /// What is read of the scheduler at this address.
    pub(super) fn of_scheduler(&self, sched: RuntimeAddress) -> Result<Extent, MemoryError> {
        Ok(Extent {
            address: sched.plus(self.begin.into())?,
            length: (self.end - self.begin) as usize,
        })
    }

    /// Those of the scheduler that are not to be counted.
    pub(super) fn subtracted(&self, bytes: &[u8]) -> i64 {
        let offsets = self.free.iter().copied().chain(self.system);
        let counts = offsets.filter_map(|offset| i32_at(bytes, u64::from(offset - self.begin)));
        counts.map(i64::from).sum()
    }

    /// What is read of the processor at this address: its number and its count.
    pub(super) fn of_processor(&self, p: RuntimeAddress) -> Result<[Extent; 2], MemoryError> {
        let at = |offset: u32| -> Result<Extent, MemoryError> {
            Ok(Extent {
                address: p.plus(offset.into())?,
                length: 4,
            })
        };
        Ok([at(self.processor)?, at(self.processors_free)?])
    }
}

/// Those that wait to be used again at processor `number`; what is there has to be that processor.
pub(super) fn free_of_processor(
    number: u32,
    at: RuntimeAddress,
    [id, free]: [&[u8]; 2],
) -> Result<i64, MemoryError> {
    let claimed = u32_at(id, 0).unwrap_or(u32::MAX);
    if claimed != number {
        return Err(MemoryError::Implausible {
            what: "the number of a processor",
            address: at,
            claimed: claimed.into(),
            bound: number.into(),
        });
    }
    Ok(i32_at(free, 0).map_or(0, i64::from))
}
