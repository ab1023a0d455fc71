//! One goroutine, as its `g` tells.

use super::{
    layout::GoroutineLayout,
    stack::Registers,
    state::{GoroutineState, SCAN_BIT},
    waits::Wait,
};
use crate::{
    binary::{
        RuntimeAddress,
        bytes::{u8_at, u32_at, u64_at},
    },
    memory::{MemoryError, MemoryReader, bounded},
};

/// No release's `g` is larger; today it has some 450 bytes.
const MAX_G: u64 = 4096;
/// Go's own limit for a stack is 1 GB on 64 bits (`runtime.maxstacksize`), twice that with debug
/// settings.
const MAX_STACK: u64 = 4 << 30;

/// A goroutine at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goroutine {
    /// Its number, never used again in this process.
    pub goid: u64,
    /// The address of its `g`, which is used again when it has ended.
    pub address: RuntimeAddress,
    /// What it does.
    pub state: GoroutineState,
    /// The runtime's `waitReason`; meaningful while it waits.
    pub wait_reason: u8,
    /// Rises each time it stops running, modulo 256.
    pub runs: u8,
    /// The pc behind the `go` statement's call.
    pub created_at: RuntimeAddress,
    /// The function it began with.
    pub start: RuntimeAddress,
    /// The number of the goroutine that created it; `None` before Go 1.21.
    pub parent: Option<u64>,
    /// When a garbage collection first saw it wait (`CLOCK_MONOTONIC`, nanoseconds): it has waited
    /// at least since then. `None` when none has.
    pub waiting_since_ns: Option<u64>,
    /// Size of its stack in bytes.
    pub stack_bytes: u64,
    /// Where it stopped, and the return addresses behind, innermost first. Empty while it runs.
    pub stack: Vec<RuntimeAddress>,
    /// Whether `stack` goes on beyond what is kept of it.
    pub stack_is_cut: bool,
    /// Its pprof labels, if it has any: see [`Labels`](super::Labels).
    pub labels: Option<RuntimeAddress>,
    /// The `m` of the thread it is locked to.
    pub locked_to: Option<RuntimeAddress>,
    /// What it waits on, as far as that was asked for and found.
    pub waits: Vec<Wait>,
}

/// Bytes of a `g`, which come from the target's own DWARF and so are not believed without bound.
pub(super) fn size_of_g(
    layout: &GoroutineLayout,
    address: RuntimeAddress,
) -> Result<usize, MemoryError> {
    bounded("a g", address, layout.size.into(), MAX_G)?;
    Ok(layout.size as usize)
}

/// The bytes of a `g`.
#[derive(Clone, Copy)]
pub(super) struct RawG<'a> {
    bytes: &'a [u8],
}

impl<'a> RawG<'a> {
    /// `bytes` from the start of a `g`, at least as many as the layout says.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The word at `offset`, which is one of the layout's and so inside of the struct.
    pub(super) fn word(self, offset: u32) -> u64 {
        u64_at(self.bytes, offset.into()).unwrap_or(0)
    }

    fn address(self, offset: u32) -> Option<RuntimeAddress> {
        Some(RuntimeAddress(self.word(offset))).filter(|address| address.0 != 0)
    }

    fn byte(self, offset: u32) -> u8 {
        u8_at(self.bytes, offset.into()).unwrap_or(0)
    }

    pub(super) fn state(self, layout: &GoroutineLayout) -> GoroutineState {
        self.status(layout).into()
    }

    pub(super) fn status(self, layout: &GoroutineLayout) -> u32 {
        u32_at(self.bytes, layout.atomicstatus.into()).unwrap_or(u32::MAX)
    }

    /// All that it tells without its stack and what it waits on.
    pub(super) fn goroutine(
        self,
        layout: &GoroutineLayout,
        address: RuntimeAddress,
    ) -> Result<Goroutine, MemoryError> {
        let state = self.state(layout);
        let waiting_since = self.word(layout.waitsince);
        let waits = matches!(state, GoroutineState::Waiting | GoroutineState::Syscall);
        Ok(Goroutine {
            goid: self.word(layout.goid),
            address,
            state,
            wait_reason: self.byte(layout.waitreason),
            runs: self.byte(layout.tracking_seq),
            created_at: RuntimeAddress(self.word(layout.gopc)),
            start: RuntimeAddress(self.word(layout.startpc)),
            parent: layout.parent_goid.map(|offset| self.word(offset)),
            waiting_since_ns: (waits && waiting_since != 0).then_some(waiting_since),
            stack_bytes: self.stack_size(layout, address)?,
            stack: Vec::new(),
            stack_is_cut: false,
            labels: self.address(layout.labels),
            locked_to: self.address(layout.lockedm),
            waits: Vec::new(),
        })
    }

    fn stack_size(
        self,
        layout: &GoroutineLayout,
        address: RuntimeAddress,
    ) -> Result<u64, MemoryError> {
        let (low, high) = (self.word(layout.stack_lo), self.word(layout.stack_hi));
        let size = high.checked_sub(low).unwrap_or(u64::MAX);
        bounded("the stack of the g", address, size, MAX_STACK)
    }

    /// Where it will go on, unless it runs.
    ///
    /// A goroutine is taken from its thread (`dropg`) after its state has changed, and given to
    /// one before: with a thread it is on its way, or its thread works for it on the system stack.
    pub(super) fn saved_registers(self, layout: &GoroutineLayout) -> Option<Registers> {
        let has_thread = self.word(layout.m) != 0;
        match self.state(layout) {
            GoroutineState::Waiting
            | GoroutineState::Leaked
            | GoroutineState::Preempted
            | GoroutineState::Runnable
                if has_thread =>
            {
                None
            }
            GoroutineState::Waiting | GoroutineState::Leaked => Some(Registers {
                pc: self.word(layout.sched_pc),
                sp: self.word(layout.sched_sp),
                bp: Some(self.word(layout.sched_bp)),
            }),
            // Stopped anywhere, also where the frame pointer is still the caller's.
            GoroutineState::Preempted | GoroutineState::Runnable => Some(Registers {
                pc: self.word(layout.sched_pc),
                sp: self.word(layout.sched_sp),
                bp: None,
            }),
            GoroutineState::Syscall => Some(Registers {
                pc: self.word(layout.syscall_pc),
                sp: self.word(layout.syscall_sp),
                bp: layout.syscall_bp.map(|offset| self.word(offset)),
            }),
            _ => None,
        }
    }

    /// Whether it is still that goroutine: a `g` is used again.
    pub(super) fn is_of(self, goroutine: &Goroutine, layout: &GoroutineLayout) -> bool {
        self.word(layout.goid) == goroutine.goid
            && self.word(layout.gopc) == goroutine.created_at.0
            && self.word(layout.startpc) == goroutine.start.0
    }

    /// Whether the goroutine rests where it rested at `earlier`, or runs now as then.
    pub(super) fn rests(self, earlier: RawG<'_>, layout: &GoroutineLayout) -> bool {
        // While the collector looks at a stack it may move it.
        let is_scanned = [self, earlier]
            .iter()
            .any(|g| g.status(layout) & SCAN_BIT != 0);
        if is_scanned || self.state(layout) != earlier.state(layout) {
            return false;
        }
        // Nothing of one that runs is read but its `g`.
        self.saved_registers(layout).is_none() && earlier.saved_registers(layout).is_none()
            || [
                layout.m,
                layout.sched_sp,
                layout.sched_pc,
                layout.sched_bp,
                layout.syscall_sp,
                layout.syscall_pc,
                layout.stack_hi,
                layout.waiting,
            ]
            .into_iter()
            .all(|offset| self.word(offset) == earlier.word(offset))
                && self.byte(layout.tracking_seq) == earlier.byte(layout.tracking_seq)
                && self.byte(layout.waitreason) == earlier.byte(layout.waitreason)
    }
}

/// The id of the thread of an `m`, as the kernel knows it.
///
/// # Errors
/// Not readable.
pub fn thread_id(
    memory: &impl MemoryReader,
    procid: u32,
    m: RuntimeAddress,
) -> Result<u64, MemoryError> {
    memory.read_u64(m.plus(procid.into())?)
}
