//! One reading: as few system calls as what depends on what allows.

use super::{
    Absent, Collector, DurationCount, MemoryUse, Missing, Readings, RuntimeReader, Scheduling,
    goroutines::free_of_processor,
};
use crate::{
    binary::{RuntimeAddress, bytes::words},
    memory::{Extent, MemoryError, MemoryReader},
    runtime::{all_goroutines::MAX_GOROUTINES, scheduler::MAX_PROCESSORS, slices::Slice},
};

/// How often what does not fit each other is read again. The program changes it for less than a
/// microsecond, and seldom.
const ATTEMPTS: usize = 4;
/// Bytes of a slice's header.
const HEADER: usize = 24;

/// What is read together.
#[derive(Default)]
struct Batch {
    extents: Vec<Extent>,
}

/// One extent's place in a batch.
#[derive(Clone, Copy)]
struct Place(usize);

/// What was there.
struct Copies(Vec<Option<Result<Vec<u8>, MemoryError>>>);

impl Batch {
    fn add(&mut self, extent: Extent) -> Place {
        self.extents.push(extent);
        Place(self.extents.len() - 1)
    }

    fn read(&self, memory: &impl MemoryReader) -> Copies {
        let mut copies: Vec<_> = self.extents.iter().map(|_| None).collect();
        memory.read_extents(&self.extents, &mut |index, bytes| {
            copies[index] = Some(bytes.map(<[u8]>::to_vec));
        });
        Copies(copies)
    }
}

impl Copies {
    /// Takes what was at a place; each is taken once.
    fn take(&mut self, Place(index): Place) -> Result<Vec<u8>, MemoryError> {
        let copy = self.0.get_mut(index).and_then(Option::take);
        copy.unwrap_or(Err(MemoryError::Unmapped {
            address: RuntimeAddress(0),
            length: 0,
        }))
    }
}

type Planned<T> = Result<T, Missing>;

impl RuntimeReader {
    /// The figures now.
    #[must_use]
    pub fn read(&self, memory: &impl MemoryReader) -> Readings {
        let mut batch = Batch::default();
        let statistics = self.memory.as_ref().map_err(absent);
        let statistics = statistics.and_then(|statistics| {
            let ring = batch.add(statistics.ring()?);
            Ok((statistics, ring, batch.add(statistics.system()?)))
        });
        let books = self.collector.as_ref().map_err(absent);
        let books = books.and_then(|books| Ok((books, batch.add(books.extent()?))));
        let scheduler = self.scheduler.as_ref().map_err(absent);
        let scheduler = scheduler.and_then(|scheduler| {
            let counters = batch.add(scheduler.counters.of_scheduler(scheduler.sched)?);
            let header = |address| Extent {
                address,
                length: HEADER,
            };
            let all = batch.add(header(scheduler.all));
            let processors = batch.add(header(scheduler.processors));
            Ok((scheduler, counters, all, processors))
        });
        let latencies = self.latencies.as_ref().map_err(absent);
        let latencies = latencies.map(|(address, histogram)| {
            let extent = histogram.extent(*address);
            (histogram, extent, batch.add(extent))
        });
        let mut first = batch.read(memory);

        let mut batch = Batch::default();
        let again = match &statistics {
            Ok((statistics, ..)) => statistics.ring().ok().map(|ring| batch.add(ring)),
            Err(_) => None,
        };
        let scheduler = scheduler.and_then(|(scheduler, counters, all, processors)| {
            let processors = slice(scheduler.processors, &first.take(processors)?, PROCESSORS)?;
            let all = slice(scheduler.all, &first.take(all)?, GOROUTINES)?;
            let pointers = batch.add(Extent {
                address: processors.elements,
                length: usize::try_from(processors.length).unwrap_or(0) * 8,
            });
            let subtracted = scheduler.counters.subtracted(&first.take(counters)?);
            Ok((
                scheduler,
                processors.length,
                pointers,
                all.length,
                subtracted,
            ))
        });
        let mut second = batch.read(memory);

        let (processors, goroutines) = match scheduler {
            Ok((scheduler, processors, pointers, all, subtracted)) => {
                let goroutines = second.take(pointers).and_then(|pointers| {
                    let free = scheduler.free_of_processors(memory, &pointers)?;
                    let all = i64::try_from(all).unwrap_or(i64::MAX);
                    // As the runtime has it: whoever asks is one.
                    Ok(all.saturating_sub(subtracted).saturating_sub(free).max(1))
                });
                let goroutines = goroutines.map(i64::cast_unsigned);
                (Ok(processors), goroutines.map_err(Missing::from))
            }
            Err(error) => (Err(error.clone()), Err(error)),
        };
        Readings {
            memory: statistics.and_then(|(_, ring, system)| {
                let again = again.map(|again| second.take(again));
                let [ring, system] = [ring, system].map(|place| first.take(place));
                let again = again.transpose()?.unwrap_or_default();
                self.memory_use(memory, [ring?, again], &system?)
            }),
            collector: books.and_then(|(_, copy)| self.books(memory, first.take(copy)?)),
            processors,
            goroutines,
            latencies: latencies.and_then(|(histogram, extent, copy)| {
                let counts: Vec<DurationCount> =
                    histogram.understand(extent, &first.take(copy)?)?;
                Ok(counts)
            }),
        }
    }

    fn memory_use(
        &self,
        memory: &impl MemoryReader,
        [mut before, mut ring]: [Vec<u8>; 2],
        system: &[u8],
    ) -> Planned<MemoryUse> {
        let statistics = self.memory.as_ref().map_err(absent)?;
        let extent = statistics.ring()?;
        for _ in 0..ATTEMPTS {
            if let Some(read) = statistics.understand(&before, &ring, system)? {
                return Ok(read);
            }
            before = std::mem::replace(&mut ring, vec![0; extent.length]);
            memory.read(extent.address, &mut ring)?;
        }
        Err(Missing::Changing("the heap's statistics"))
    }

    fn books(&self, memory: &impl MemoryReader, mut bytes: Vec<u8>) -> Planned<Collector> {
        let books = self.collector.as_ref().map_err(absent)?;
        let extent = books.extent()?;
        for _ in 0..ATTEMPTS {
            if let Some(read) = books.understand(&bytes) {
                return Ok(read);
            }
            memory.read(extent.address, &mut bytes)?;
        }
        Err(Missing::Changing("the collector's books"))
    }
}

impl Scheduling {
    /// Goroutines that wait at the processors to be used again.
    fn free_of_processors(
        &self,
        memory: &impl MemoryReader,
        pointers: &[u8],
    ) -> Result<i64, MemoryError> {
        let mut batch = Batch::default();
        let mut places = Vec::new();
        for address in words(pointers).map(RuntimeAddress) {
            let [id, free] = self.counters.of_processor(address)?;
            places.push((address, [batch.add(id), batch.add(free)]));
        }
        let mut copies = batch.read(memory);
        let mut all = 0_i64;
        for (number, (address, [id, free])) in (0..).zip(places) {
            let [id, free] = [copies.take(id)?, copies.take(free)?];
            all = all.saturating_add(free_of_processor(number, address, [&id, &free])?);
        }
        Ok(all)
    }
}

const PROCESSORS: (&str, u64) = ("the list of processors", MAX_PROCESSORS);
const GOROUTINES: (&str, u64) = ("the list of goroutines", MAX_GOROUTINES);

fn slice(
    header: RuntimeAddress,
    bytes: &[u8],
    (what, max): (&'static str, u64),
) -> Result<Slice, MemoryError> {
    let mut words = words(bytes);
    let words = [(); 3].map(|()| words.next().unwrap_or(u64::MAX));
    Slice::new(what, header, words, max)
}

fn absent(reason: &Absent) -> Missing {
    reason.clone().into()
}
