//! How large the Go heap is, from the collector's own books, without a garbage collection.
//!
//! `runtime.gcController` has been there under that name in all releases. In a stripped binary it is
//! the place that functions of the collector and of the allocator agree on. What is there
//! proves itself: `heapMinimum` is always 4 MiB times `gcPercent`, also where that is -1 (`GOGC=off`).

use super::{
    globals::Global,
    layout::{LayoutError, Layouts},
};
use crate::{
    binary::{GoBinary, LoadBias, RuntimeAddress},
    memory::{MemoryError, MemoryReader, bounded},
};

const CONTROLLER: &str = "runtime.gcControllerState";
/// They call methods of the controller, in all releases.
const USERS: [&str; 5] = [
    "runtime.gcinit",
    "runtime.gcStart",
    "runtime.gcMarkDone",
    "runtime.(*mcache).refill",
    "runtime.(*mcache).releaseAll",
];
/// `heapMinimum` of `GOGC=100`; the second with `GOEXPERIMENT=heapminimum512kib`.
const MINIMA: [u64; 2] = [4 << 20, 512 << 10];
/// Addresses of user programs have 47 bits on amd64 and 48 on arm64.
const MAX_HEAP: u64 = 1 << 48;

/// Where the runtime keeps the size of its heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapSize {
    controller: RuntimeAddress,
    offsets: Offsets,
}

/// Byte offsets; all fields have eight bytes but `gcPercent`, which has four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offsets {
    gc_percent: u32,
    /// From Go 1.19 on.
    memory_limit: Option<u32>,
    heap_minimum: u32,
    heap_live: u32,
    heap_marked: u32,
}

/// The heap at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapUse {
    /// Bytes that the collector takes to be alive: what it marked last, and all that was allocated
    /// since.
    pub live_bytes: u64,
    /// Bytes that were alive at the end of the last collection; 4 MiB or less before the first.
    pub marked_bytes: u64,
    /// `GOMEMLIMIT`, beyond which the collector works harder; `None` where there is none, as in
    /// all programs before Go 1.19.
    pub soft_limit_bytes: Option<u64>,
}

impl HeapSize {
    /// `runtime.gcController` at this address.
    ///
    /// # Errors
    /// The layout lacks a field.
    pub fn at(controller: RuntimeAddress, layouts: &Layouts) -> Result<Self, LayoutError> {
        let word = |field| layouts.offset_of_size(CONTROLLER, field, 8);
        Ok(Self {
            controller,
            offsets: Offsets {
                gc_percent: layouts.offset_of_size(CONTROLLER, "gcPercent", 4)?,
                memory_limit: layouts.optional_word(CONTROLLER, "memoryLimit")?,
                heap_minimum: word("heapMinimum")?,
                heap_live: word("heapLive")?,
                heap_marked: word("heapMarked")?,
            },
        })
    }

    /// Finds it in a program that runs `binary`. `None` where nothing that its functions refer to
    /// looks like it.
    ///
    /// # Errors
    /// The layout lacks a field.
    pub fn find(
        binary: &GoBinary,
        memory: &impl MemoryReader,
        bias: LoadBias,
        layouts: &Layouts,
    ) -> Result<Option<Self>, LayoutError> {
        let empty = Self::at(RuntimeAddress(0), layouts)?;
        let at = |address| Self {
            controller: bias.to_runtime(address),
            ..empty
        };
        let controller = Global {
            symbol: "runtime.gcController",
            users: USERS,
            inside: 0,
        };
        let found = controller.find(binary, |address| {
            at(address).is_plausible(memory).unwrap_or(false)
        });
        Ok(found.map(at))
    }

    /// Where `runtime.gcController` is.
    pub(super) fn place(&self) -> RuntimeAddress {
        self.controller
    }

    /// The heap now.
    ///
    /// # Errors
    /// Not readable, or not what a collector's books hold.
    pub fn read(&self, memory: &impl MemoryReader) -> Result<HeapUse, MemoryError> {
        let offsets = self.offsets;
        let bytes = |what, offset| {
            let bytes = self.word(memory, offset)?;
            bounded(what, self.controller, bytes, MAX_HEAP)
        };
        let limit = offsets
            .memory_limit
            .map(|offset| self.word(memory, offset))
            .transpose()?;
        Ok(HeapUse {
            live_bytes: bytes("the live heap's size", offsets.heap_live)?,
            marked_bytes: bytes("the marked heap's size", offsets.heap_marked)?,
            // No limit is the largest number there is.
            soft_limit_bytes: limit.filter(|limit| *limit < MAX_HEAP),
        })
    }

    fn word(&self, memory: &impl MemoryReader, offset: u32) -> Result<u64, MemoryError> {
        memory.read_u64(self.controller.plus(offset.into())?)
    }

    fn is_plausible(&self, memory: &impl MemoryReader) -> Result<bool, MemoryError> {
        let percent = self.controller.plus(self.offsets.gc_percent.into())?;
        let percent = i32::from_le_bytes(memory.read_array(percent)?);
        let minimum = self.word(memory, self.offsets.heap_minimum)?;
        // As the runtime computes it, with what that makes of -1.
        let percent = i64::from(percent).cast_unsigned();
        let fits = MINIMA
            .iter()
            .any(|default| default.wrapping_mul(percent) / 100 == minimum);
        // Of nothing but zeroes that is true too, and every program has allocated something.
        Ok(fits && self.read(memory)?.live_bytes > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::fake::Runtime;

    fn controller(runtime: &Runtime, percent: i32, minimum: u64, live: u64) -> HeapSize {
        let at = runtime.object(CONTROLLER);
        let set = |field, value| runtime.field(at, CONTROLLER, field, value);
        set("heapMinimum", minimum);
        set("heapLive", live);
        set("heapMarked", live / 2);
        let offset = runtime.layouts.offset(CONTROLLER, "gcPercent");
        let offset = u64::from(offset.expect("a field"));
        runtime.put(at + offset, &percent.to_le_bytes());
        HeapSize::at(RuntimeAddress(at), &runtime.layouts).expect("a layout")
    }

    #[test]
    fn the_size_of_the_heap_in_every_release() {
        for minor in 18..=27 {
            let runtime = Runtime::new(minor);
            let heap = controller(&runtime, 100, 4 << 20, 12_345_678);
            assert!(heap.is_plausible(&runtime).expect("readable"), "1.{minor}");
            let read = heap.read(&runtime).expect("readable");
            assert_eq!(read.live_bytes, 12_345_678, "1.{minor}");
            assert_eq!(read.marked_bytes, 12_345_678 / 2, "1.{minor}");
        }
    }

    #[test]
    fn a_soft_limit_is_told_from_none() {
        let runtime = Runtime::new(27);
        let heap = controller(&runtime, 100, 4 << 20, 1 << 20);
        let limit = |bytes: u64| {
            let RuntimeAddress(at) = heap.controller;
            runtime.field(at, CONTROLLER, "memoryLimit", bytes);
            heap.read(&runtime).expect("readable").soft_limit_bytes
        };
        assert_eq!(limit(i64::MAX.cast_unsigned()), None);
        assert_eq!(limit(512 << 20), Some(512 << 20));
        let old = Runtime::new(18);
        let heap = controller(&old, 100, 4 << 20, 1 << 20);
        assert_eq!(heap.read(&old).expect("readable").soft_limit_bytes, None);
    }

    #[test]
    fn only_a_controllers_minimum_fits_its_percentage() {
        let runtime = Runtime::new(25);
        let is = |percent, minimum, live| {
            let heap = controller(&runtime, percent, minimum, live);
            heap.is_plausible(&runtime).expect("readable")
        };
        assert!(is(100, 4 << 20, 1 << 20));
        assert!(is(33, (4 << 20) * 33 / 100, 1 << 20));
        // What `GOGC=off` leaves.
        assert!(is(-1, (u64::MAX - (4 << 20) + 1) / 100, 1 << 20));
        assert!(is(100, 512 << 10, 1 << 20));
        assert!(!is(100, 5 << 20, 1 << 20));
        assert!(!is(0, 0, 0), "zeroes");
    }

    #[test]
    fn sizes_that_cannot_be() {
        let runtime = Runtime::new(25);
        let absurd = controller(&runtime, 100, 4 << 20, u64::MAX);
        assert!(matches!(
            absurd.read(&runtime),
            Err(MemoryError::Implausible { .. })
        ));
        let nowhere = HeapSize::at(RuntimeAddress(8), &runtime.layouts).expect("a layout");
        assert!(nowhere.read(&runtime).is_err());
    }
}
