//! `runtime.memstats`: what the runtime has from the system, for what, and how much was ever allocated.

use super::{Absent, MemoryUse, size_classes::SIZES};
use crate::{
    binary::{
        GoBinary, LoadBias, RuntimeAddress,
        bytes::{slice_at, u32_at, u64_at, words},
    },
    memory::{Extent, MemoryError, MemoryReader, bounded},
    runtime::{globals::Global, layout::Layouts},
};

const STATISTICS: &str = "runtime.mstats";
const RING: &str = "runtime.consistentHeapStats";
const DELTA: &str = "runtime.heapStatsDelta";
/// All that the runtime has from the system, but for the heap.
const SYSTEM: [&str; 6] = [
    "stacks_sys",
    "mspan_sys",
    "mcache_sys",
    "buckhash_sys",
    "gcMiscSys",
    "other_sys",
];
/// They hand on the address of `memstats.other_sys`, in all releases.
const USERS: [&str; 4] = [
    "runtime.persistentalloc1",
    "runtime.recordspan",
    "runtime.(*mheap).init",
    "runtime.(*pollCache).alloc",
];
/// Slots of the ring.
const SLOTS: u32 = 3;
/// Pages of the heap: everything in it is counted in whole ones.
const PAGE: u64 = 8192;
/// Addresses of user programs have 47 bits on amd64 and 48 on arm64.
const MAX_BYTES: u64 = 1 << 48;
/// Ever allocated: a hundred gigabytes a second would need a year for a fraction of it.
const MAX_ALLOCATED: u64 = 1 << 62;

/// Where the statistics are.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeapStatistics {
    address: RuntimeAddress,
    layout: Layout,
}

/// Byte offsets.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// `memstats.heapStats.stats`, three of `heapStatsDelta`.
    ring: u32,
    /// Bytes of one of them.
    delta: u32,
    /// `memstats.heapStats.gen`, four bytes.
    generation: u32,
    /// Where those of [`SYSTEM`] are, and how many bytes from the first of them on.
    system: [u32; SYSTEM.len()],
    // Within a delta.
    committed: u32,
    in_heap: u32,
    in_stacks: u32,
    large_bytes: u32,
    large_objects: u32,
    small_objects: u32,
}

impl HeapStatistics {
    /// `runtime.memstats` at this address.
    pub(super) fn at(address: RuntimeAddress, layouts: &Layouts) -> Result<Self, Absent> {
        let heap = layouts.field(STATISTICS, "heapStats")?.offset;
        let ring = layouts.field(RING, "stats")?;
        let delta = layouts.size(DELTA)?;
        let small = layouts.field(DELTA, "smallAllocCount")?;
        if ring.size != SLOTS * delta || small.size as usize != SIZES.len() * 8 {
            return Err(Absent::Shape(DELTA));
        }
        let word = |field| layouts.offset_of_size(DELTA, field, 8);
        let mut system = [0; SYSTEM.len()];
        for (offset, field) in system.iter_mut().zip(SYSTEM) {
            *offset = layouts.offset_of_size(STATISTICS, field, 8)?;
        }
        Ok(Self {
            address,
            layout: Layout {
                ring: heap + ring.offset,
                delta,
                generation: heap + layouts.offset_of_size(RING, "gen", 4)?,
                system,
                committed: word("committed")?,
                in_heap: word("inHeap")?,
                in_stacks: word("inStacks")?,
                large_bytes: word("largeAlloc")?,
                large_objects: word("largeAllocCount")?,
                small_objects: small.offset,
            },
        })
    }

    /// Finds it in a program that runs `binary`.
    pub(super) fn find(
        binary: &GoBinary,
        memory: &impl MemoryReader,
        bias: LoadBias,
        layouts: &Layouts,
    ) -> Result<Self, Absent> {
        let empty = Self::at(RuntimeAddress(0), layouts)?;
        let at = |address| Self {
            address: bias.to_runtime(address),
            ..empty
        };
        let [.., other] = empty.layout.system;
        let statistics = Global {
            symbol: "runtime.memstats",
            users: USERS,
            inside: other.into(),
        };
        let found = statistics.find(binary, |address| at(address).is_plausible(memory));
        found.map(at).ok_or(Absent::NotFound("runtime.memstats"))
    }

    /// The ring, and what follows it up to its generation.
    pub(super) fn ring(&self) -> Result<Extent, MemoryError> {
        let Layout {
            ring, generation, ..
        } = self.layout;
        self.extent(ring, generation + 4)
    }

    /// What the runtime has from the system for itself.
    pub(super) fn system(&self) -> Result<Extent, MemoryError> {
        let system = self.layout.system;
        let begin = system.into_iter().min().unwrap_or_default();
        let end = system.into_iter().max().unwrap_or_default();
        self.extent(begin, end + 8)
    }

    fn extent(&self, begin: u32, end: u32) -> Result<Extent, MemoryError> {
        Ok(Extent {
            address: self.address.plus(begin.into())?,
            length: end.saturating_sub(begin) as usize,
        })
    }

    /// The statistics, from two copies of the ring, of which the first was complete before the second was
    /// begun, and one of the rest.
    ///
    /// The program itself, when it reads its statistics, goes on to the next slot, adds up the one
    /// it has left and the one before, and then clears that (`consistentHeapStats.read` in
    /// `src/runtime/mstats.go`). So the slot that comes next is clear at all times but then. `None`
    /// where that was going on, or has been between the copies.
    pub(super) fn understand(
        &self,
        first: &[u8],
        ring: &[u8],
        system: &[u8],
    ) -> Result<Option<MemoryUse>, MemoryError> {
        let (Some(before), Some(generation)) = (self.generation(first), self.generation(ring))
        else {
            return Ok(None);
        };
        let generation_at = "the generation of the heap's statistics";
        for claimed in [before, generation] {
            bounded(generation_at, self.address, claimed.into(), SLOTS.into())?;
        }
        let slot = |number: u32| {
            let offset = u64::from(number % SLOTS) * u64::from(self.layout.delta);
            slice_at(ring, offset, self.layout.delta.into())
        };
        let next = slot(generation + 1);
        if before != generation || next.is_none_or(|slot| words(slot).any(|word| word != 0)) {
            return Ok(None);
        }
        let total = |offset: u32| {
            let slots = (0..SLOTS).filter_map(slot);
            let values = slots.filter_map(|slot| u64_at(slot, offset.into()));
            values.fold(0, u64::wrapping_add)
        };
        let within = |what, claimed, bound| bounded(what, self.address, claimed, bound);
        let stacks = total(self.layout.in_stacks);
        let stacks = within("memory of stacks", stacks, MAX_BYTES)?;
        let committed = total(self.layout.committed);
        let mut used = within("committed memory of the heap", committed, MAX_BYTES)?;
        for value in self.system_words(system) {
            used += within("memory of the runtime's own", value, MAX_BYTES)?;
        }
        let mut bytes = total(self.layout.large_bytes);
        let mut objects = total(self.layout.large_objects);
        for (class, size) in (0..).zip(SIZES) {
            let count = total(self.layout.small_objects + 8 * class);
            objects = objects.wrapping_add(count);
            bytes = bytes.wrapping_add(count.wrapping_mul(size.into()));
        }
        Ok(Some(MemoryUse {
            stack_bytes: stacks,
            // Changes of the two are not seen at one moment.
            other_bytes: used.saturating_sub(stacks),
            allocated_bytes: within("bytes allocated", bytes, MAX_ALLOCATED)?,
            allocated_objects: within("objects allocated", objects, MAX_ALLOCATED)?,
        }))
    }

    fn generation(&self, ring: &[u8]) -> Option<u32> {
        u32_at(ring, (self.layout.generation - self.layout.ring).into())
    }

    fn system_words<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = u64> + 'a {
        let system = self.layout.system;
        let begin = system.into_iter().min().unwrap_or_default();
        let words = system.into_iter();
        words.filter_map(move |offset| u64_at(bytes, u64::from(offset - begin)))
    }

    /// Every program has a heap of whole pages, and memory of the runtime's own.
    fn is_plausible(&self, memory: &impl MemoryReader) -> bool {
        let read = |extent: Result<Extent, MemoryError>| -> Option<Vec<u8>> {
            let extent = extent.ok()?;
            let mut bytes = vec![0; extent.length];
            memory.read(extent.address, &mut bytes).ok()?;
            Some(bytes)
        };
        let (Some(ring), Some(system)) = (read(self.ring()), read(self.system())) else {
            return false;
        };
        let total = |offset: u32| {
            let slots = (0..SLOTS).map(|slot| u64::from(slot * self.layout.delta + offset));
            let values = slots.filter_map(|at| u64_at(&ring, at));
            values.fold(0, u64::wrapping_add)
        };
        let [heap, stacks, committed] = [
            self.layout.in_heap,
            self.layout.in_stacks,
            self.layout.committed,
        ]
        .map(total);
        let whole = [heap, stacks, committed]
            .into_iter()
            .all(|bytes| (1..MAX_BYTES).contains(&bytes) && bytes % PAGE == 0);
        let known = self.system_words(&system).all(|bytes| bytes < MAX_BYTES);
        let used = self.system_words(&system).any(|bytes| bytes > 0);
        whole && known && used && self.generation(&ring).is_some_and(|it| it < SLOTS)
    }
}
