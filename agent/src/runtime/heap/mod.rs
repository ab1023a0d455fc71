//! The Go heap: spans, their objects, which of those are free, and which words of them are pointers.
//!
//! The program runs while it is looked at, and allocates, sweeps and frees. So nothing here is a
//! picture of one moment. What each part does promise is said where it is, and all of it errs to one
//! side: what may be an object, or a pointer, is taken for one.
//!
//! Sources: `runtime/mheap.go`, `mbitmap.go`, `malloc.go`, `mgcmark.go` and `mgcsweep.go` of each
//! release.

mod changes;
mod layout;
mod page_table;
mod pointers;
mod queued;
mod reading;
mod spans;
mod specials;

#[cfg(test)]
mod tests;

pub use layout::HeapLayout;
pub use pointers::{Fallback, Piece, PointerMaps, SpanMap};
pub use spans::{Span, Spans};
pub use specials::{ObjectAt, Specials, WeakPointer};

use thiserror::Error;

use self::queued::Queues;
use super::{
    globals::Global,
    layout::{LayoutError, Layouts},
    slices::Slice,
};
use crate::{
    binary::{Architecture, GoBinary, LinkAddress, LoadBias, RuntimeAddress, bytes::words},
    memory::{MemoryError, MemoryReader},
};

/// Bytes of a page of the heap (`_PageSize`, `runtime/sizeclasses.go`; not one of the kernel's).
pub const PAGE: u64 = 1 << PAGE_SHIFT;
const PAGE_SHIFT: u32 = 13;
/// Bytes of an arena on 64-bit Linux (`heapArenaBytes`, `runtime/malloc.go`).
pub const ARENA: u64 = 1 << ARENA_SHIFT;
const ARENA_SHIFT: u32 = 26;
const PAGES_OF_ARENA: u64 = ARENA / PAGE;
/// Addresses of user programs have 47 bits on amd64 and 48 on arm64.
const MAX_ADDRESS: u64 = 1 << 48;
/// More spans than can be: the heap of one page each would be 512 GiB.
const MAX_SPANS: u64 = 1 << 26;

/// Functions that call methods of `mheap_` in all releases.
const USERS: [&str; 6] = [
    "runtime.mallocinit",
    "runtime.(*mcache).allocLarge",
    "runtime.(*mcache).refill",
    "runtime.(*mcentral).grow",
    "runtime.stackpoolalloc",
    "runtime.allocmcache",
];

/// Spans that are tried to find out whether a list is that of spans: some are in use in any program.
const TRIED_SPANS: u64 = 256;
/// How often a list that was moved away is read anew.
const LIST_TRIES: usize = 8;

/// Why the heap cannot be told.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HeapError {
    /// The runtime's books about it are nowhere.
    #[error("{what} of the runtime was not found in the process")]
    NotFound {
        /// Which variable.
        what: &'static str,
    },
    /// More than the caller wants.
    #[error("the heap has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes of all spans in use.
        bytes: u64,
        /// What the caller allows.
        limit: u64,
    },
    /// Changed faster than it can be read.
    #[error("{what} at {address} kept changing while it was read")]
    Moving {
        /// What.
        what: &'static str,
        /// Where.
        address: RuntimeAddress,
    },
    /// A layout is not known.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A read failed, or what was read cannot be.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// Where a process keeps its books of the heap (`runtime.mheap_`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heap {
    mheap: RuntimeAddress,
    layout: HeapLayout,
    /// Added to an address before it is divided into arenas (`-arenaBaseOffset`).
    arena_bias: u64,
    /// Finalizers and cleanups that are about to be run.
    queues: Queues,
}

impl Heap {
    /// `runtime.mheap_` at this address, and nothing known of queued finalizers.
    #[must_use]
    pub fn at(mheap: RuntimeAddress, layout: HeapLayout, architecture: Architecture) -> Self {
        Self {
            mheap,
            layout,
            // `runtime/malloc.go`: addresses of amd64 have a sign.
            arena_bias: match architecture {
                Architecture::X86_64 => 1 << 47,
                Architecture::Aarch64 => 0,
            },
            queues: Queues::default(),
        }
    }

    /// Finds it in a program that runs `binary` and was built with Go 1.`go_minor`: by its symbol,
    /// else where functions that use it agree, and what is there has to look like it.
    ///
    /// # Errors
    /// The layout is not known, or nothing looks like it.
    pub fn find(
        binary: &GoBinary,
        memory: &impl MemoryReader,
        bias: LoadBias,
        layouts: &Layouts,
        go_minor: u32,
    ) -> Result<Self, HeapError> {
        let layout = HeapLayout::new(layouts, go_minor)?;
        let at = |address: LinkAddress| {
            Self::at(
                bias.to_runtime(address),
                layout.clone(),
                binary.architecture(),
            )
        };
        let mheap = Global {
            symbol: "runtime.mheap_",
            users: USERS,
            inside: 0,
        };
        let queues = Queues::find(binary, bias, &layout)?;
        // What is there may be changed while it is looked at.
        let found = mheap.find(binary, |address| {
            let heap = at(address);
            (0..LIST_TRIES).any(|_| heap.is_plausible(memory).unwrap_or(false))
        });
        let what = "mheap_";
        let found = found.map(at).ok_or(HeapError::NotFound { what })?;
        Ok(Self { queues, ..found })
    }

    /// What is known of this release.
    #[must_use]
    pub fn layout(&self) -> &HeapLayout {
        &self.layout
    }

    /// Whether one of the first spans of the list is found again by way of its address. A record that is
    /// free, or is just handed out, need not be.
    fn is_plausible(&self, memory: &impl MemoryReader) -> Result<bool, HeapError> {
        let header = self.mheap.plus(self.layout.all_spans.into())?;
        let all = Slice::read(memory, "the list of spans", header, MAX_SPANS)?;
        let records = slice_numbers(memory, all.elements, all.length.min(TRIED_SPANS))?;
        let is_found = |record| {
            self.is_found(memory, RuntimeAddress(record))
                .unwrap_or(false)
        };
        Ok(records.into_iter().any(is_found))
    }

    /// Whether the page at which a span begins leads to its record.
    fn is_found(
        &self,
        memory: &impl MemoryReader,
        record: RuntimeAddress,
    ) -> Result<bool, MemoryError> {
        let start = memory.read_u64(record.plus(self.layout.span.start.into())?)?;
        if start == 0 || !start.is_multiple_of(PAGE) || start >= MAX_ADDRESS {
            return Ok(false);
        }
        let Some(arena) = self.arena(memory, start)? else {
            return Ok(false);
        };
        let page = (start / PAGE) % PAGES_OF_ARENA;
        let spans = arena.plus(u64::from(self.layout.arena.spans) + page * 8)?;
        Ok(memory.read_u64(spans)? == record.0)
    }

    /// A list of the heap's books, whole. It is given back to the kernel when a longer one takes its
    /// place, so it may be gone while it is read.
    fn list(
        &self,
        memory: &impl MemoryReader,
        what: &'static str,
        header: u32,
        max: u64,
    ) -> Result<Vec<u64>, HeapError> {
        let header = self.mheap.plus(header.into())?;
        let slice = || Slice::read(memory, what, header, max);
        let mut now = slice()?;
        for _ in 0..LIST_TRIES {
            match slice_numbers(memory, now.elements, now.length) {
                Err(MemoryError::Unmapped { .. }) => {
                    let before = std::mem::replace(&mut now, slice()?);
                    if before == now {
                        break;
                    }
                }
                read => return Ok(read?),
            }
        }
        let address = header;
        Err(HeapError::Moving { what, address })
    }

    /// The heap's sweep generation, two more with each collection.
    fn sweep_generation(&self, memory: &impl MemoryReader) -> Result<u32, MemoryError> {
        let place = self.mheap.plus(self.layout.sweep_generation.into())?;
        memory.read_array(place).map(u32::from_le_bytes)
    }

    /// Where `mheap_.arenas` has the address of the record of the arena in which `address` lies.
    fn arena_entry(&self, arenas: u64, address: u64) -> Option<RuntimeAddress> {
        let index = address.wrapping_add(self.arena_bias) >> ARENA_SHIFT;
        // 48 bits of address; one table on Linux (`arenaL1Bits` is 0).
        let index = (index < MAX_ADDRESS >> ARENA_SHIFT).then_some(index)?;
        RuntimeAddress(arenas).checked_add(index * 8)
    }

    /// The record of the arena in which `address` lies, `None` where there is none.
    fn arena(
        &self,
        memory: &impl MemoryReader,
        address: u64,
    ) -> Result<Option<RuntimeAddress>, MemoryError> {
        let arenas = memory.read_u64(self.mheap.plus(self.layout.arenas.into())?)?;
        let Some(entry) = self.arena_entry(arenas, address).filter(|_| arenas != 0) else {
            return Ok(None);
        };
        let arena = memory.read_u64(entry)?;
        Ok((arena != 0).then_some(RuntimeAddress(arena)))
    }
}

/// Numbers of eight bytes each, read in pieces: before memory is reserved for so many, there should be
/// so many.
fn slice_numbers(
    memory: &impl MemoryReader,
    first: RuntimeAddress,
    count: u64,
) -> Result<Vec<u64>, MemoryError> {
    const PIECE: u64 = 1 << 16;
    let mut numbers = Vec::new();
    let mut bytes = Vec::new();
    let mut done = 0;
    while done < count {
        let piece = PIECE.min(count - done);
        bytes.resize(usize::try_from(piece).unwrap_or(0) * 8, 0);
        memory.read(first.plus(done * 8)?, &mut bytes)?;
        numbers.extend(words(&bytes));
        done += piece;
    }
    Ok(numbers)
}
