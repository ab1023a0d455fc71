//! One goroutine, read from its `g` while the program runs.

use std::borrow::Cow;

use super::layout::GoroutineLayout;
use crate::{
    binary::RuntimeAddress,
    memory::{MemoryError, MemoryReader},
};

/// No release's `g` is larger; today it has some 450 bytes.
const MAX_G: u32 = 4096;
/// Go's own limit for a stack is 1 GB on 64 bits (`runtime.maxstacksize`), twice that with debug
/// settings.
const MAX_STACK: u64 = 4 << 30;
/// Of a parked stack, from its top, at most this much is read.
const MAX_STACK_READ: u64 = 64 << 10;
/// Frames kept of one stack.
const MAX_FRAMES: usize = 64;
/// `_Gscan`, a bit the collector sets while it looks at a stack.
const SCAN_BIT: u32 = 0x1000;

/// `g.atomicstatus` without the scan bit
/// (`src/runtime/runtime2.go`; the last two exist from Go 1.26 on).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GoroutineState {
    /// Allocated, not initialised.
    Idle,
    /// On a run queue.
    Runnable,
    /// Executing Go code.
    Running,
    /// In a system call.
    Syscall,
    /// Parked.
    Waiting,
    /// Ended, or not yet begun.
    Dead,
    /// Its stack is being moved.
    CopyStack,
    /// Stopped itself for a suspension.
    Preempted,
    /// The runtime found that it can never wake.
    Leaked,
    /// A thread's extra goroutine, not in use.
    DeadExtra,
    /// None that is known.
    Unknown(u32),
}

impl From<u32> for GoroutineState {
    fn from(status: u32) -> Self {
        match status & !SCAN_BIT {
            0 => Self::Idle,
            1 => Self::Runnable,
            2 => Self::Running,
            3 => Self::Syscall,
            4 => Self::Waiting,
            6 => Self::Dead,
            8 => Self::CopyStack,
            9 => Self::Preempted,
            10 => Self::Leaked,
            11 => Self::DeadExtra,
            other => Self::Unknown(other),
        }
    }
}

impl GoroutineState {
    /// The word that Go's own tracebacks use (`gStatusStrings` in `src/runtime/traceback.go`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Syscall => "syscall",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::CopyStack => "copystack",
            Self::Preempted => "preempted",
            Self::Leaked => "leaked",
            Self::DeadExtra => "extra",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// A goroutine at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goroutine {
    /// Its number, never used again in this process.
    pub goid: u64,
    /// What it does.
    pub state: GoroutineState,
    /// The runtime's `waitReason`; meaningful while it waits.
    pub wait_reason: u8,
    /// The pc behind the `go` statement's call.
    pub created_at: RuntimeAddress,
    /// The function it began with.
    pub start: RuntimeAddress,
    /// When a garbage collection first saw it wait (`CLOCK_MONOTONIC`, nanoseconds): it has waited
    /// at least since then. `None` when none has.
    pub waiting_since_ns: Option<u64>,
    /// Size of its stack in bytes.
    pub stack_bytes: u64,
    /// Where it stopped, and the return addresses behind, innermost first. Empty while it runs.
    pub stack: Vec<RuntimeAddress>,
}

/// Reads the goroutine whose `g` is at `address`. `Ok(None)` when it moved on meanwhile, so that
/// what was read does not belong together.
///
/// # Errors
/// The memory cannot be read, or holds sizes that no goroutine has.
pub fn read_goroutine(
    memory: &impl MemoryReader,
    layout: &GoroutineLayout,
    address: RuntimeAddress,
) -> Result<Option<Goroutine>, MemoryError> {
    let before = RawG::read(memory, layout, address)?;
    goroutine(memory, layout, address, &before)
}

/// As [`read_goroutine`], of a `g` whose bytes have been read already.
pub(super) fn goroutine(
    memory: &impl MemoryReader,
    layout: &GoroutineLayout,
    address: RuntimeAddress,
    before: &RawG<'_>,
) -> Result<Option<Goroutine>, MemoryError> {
    let state = before.state(layout);
    let waiting_since = before.word(layout.waitsince);
    let mut goroutine = Goroutine {
        goid: before.word(layout.goid),
        state,
        wait_reason: before.byte(layout.waitreason),
        created_at: RuntimeAddress(before.word(layout.gopc)),
        start: RuntimeAddress(before.word(layout.startpc)),
        waiting_since_ns: (state == GoroutineState::Waiting && waiting_since != 0)
            .then_some(waiting_since),
        stack_bytes: before.stack_size(layout, address)?,
        stack: Vec::new(),
    };
    let Some(registers) = before.saved_registers(layout, goroutine.state) else {
        return Ok(Some(goroutine));
    };
    let high = before.word(layout.stack_hi);
    let walked = walk(memory, registers, high)?;
    let after = RawG::read(memory, layout, address)?;
    if !after.same_rest(before, layout) {
        return Ok(None);
    }
    goroutine.stack = walked;
    Ok(Some(goroutine))
}

/// Where a goroutine that does not run will go on.
#[derive(Clone, Copy, Debug)]
struct Registers {
    pc: u64,
    sp: u64,
    bp: u64,
}

/// Bytes of a `g`, which come from the target's own DWARF and so are not believed without bound.
pub(super) fn size_of_g(
    layout: &GoroutineLayout,
    address: RuntimeAddress,
) -> Result<usize, MemoryError> {
    if layout.size > MAX_G {
        return Err(MemoryError::Implausible {
            what: "a g",
            address,
            claimed: layout.size.into(),
            bound: MAX_G.into(),
        });
    }
    Ok(layout.size as usize)
}

/// The bytes of a `g`.
pub(super) struct RawG<'a> {
    bytes: Cow<'a, [u8]>,
}

impl<'a> RawG<'a> {
    /// `bytes` from the start of a `g`, at least as many as the layout says.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: bytes.into(),
        }
    }

    fn read(
        memory: &impl MemoryReader,
        layout: &GoroutineLayout,
        address: RuntimeAddress,
    ) -> Result<Self, MemoryError> {
        let mut bytes = vec![0; size_of_g(layout, address)?];
        memory.read(address, &mut bytes)?;
        Ok(Self {
            bytes: bytes.into(),
        })
    }

    /// The word at `offset`, which is one of the layout's and so inside of the struct.
    pub(super) fn word(&self, offset: u32) -> u64 {
        let word = self.bytes.get(offset as usize..);
        word.and_then(|tail| tail.first_chunk())
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    fn byte(&self, offset: u32) -> u8 {
        self.bytes.get(offset as usize).copied().unwrap_or(0)
    }

    pub(super) fn state(&self, layout: &GoroutineLayout) -> GoroutineState {
        let status = self.bytes.get(layout.atomicstatus as usize..);
        status
            .and_then(|tail| tail.first_chunk())
            .map_or(u32::MAX, |bytes| u32::from_le_bytes(*bytes))
            .into()
    }

    fn stack_size(
        &self,
        layout: &GoroutineLayout,
        address: RuntimeAddress,
    ) -> Result<u64, MemoryError> {
        let (low, high) = (self.word(layout.stack_lo), self.word(layout.stack_hi));
        match high.checked_sub(low) {
            Some(size) if size <= MAX_STACK => Ok(size),
            size => Err(MemoryError::Implausible {
                what: "the stack of the g",
                address,
                claimed: size.unwrap_or(u64::MAX),
                bound: MAX_STACK,
            }),
        }
    }

    fn saved_registers(
        &self,
        layout: &GoroutineLayout,
        state: GoroutineState,
    ) -> Option<Registers> {
        match state {
            GoroutineState::Waiting | GoroutineState::Leaked | GoroutineState::Preempted => {
                Some(Registers {
                    pc: self.word(layout.sched_pc),
                    sp: self.word(layout.sched_sp),
                    bp: self.word(layout.sched_bp),
                })
            }
            GoroutineState::Syscall => Some(Registers {
                pc: self.word(layout.syscall_pc),
                sp: self.word(layout.syscall_sp),
                // Before Go 1.23 it is not kept; sched has that of the same call.
                bp: self.word(layout.syscall_bp.unwrap_or(layout.sched_bp)),
            }),
            _ => None,
        }
    }

    /// Whether the goroutine rests where it rested at `earlier`.
    fn same_rest(&self, earlier: &RawG<'_>, layout: &GoroutineLayout) -> bool {
        self.state(layout) == earlier.state(layout)
            && [
                layout.goid,
                layout.sched_sp,
                layout.sched_pc,
                layout.syscall_sp,
                layout.stack_hi,
            ]
            .into_iter()
            .all(|offset| self.word(offset) == earlier.word(offset))
            && self.byte(layout.tracking_seq) == earlier.byte(layout.tracking_seq)
    }
}

/// Follows the frame pointers through one copy of the stack's top.
fn walk(
    memory: &impl MemoryReader,
    registers: Registers,
    high: u64,
) -> Result<Vec<RuntimeAddress>, MemoryError> {
    let Registers { pc, sp, bp } = registers;
    let mut frames = vec![RuntimeAddress(pc)];
    let length = match high.checked_sub(sp) {
        Some(length) if sp % 8 == 0 => length.min(MAX_STACK_READ),
        _ => return Ok(frames),
    };
    let mut stack = vec![0; usize::try_from(length).unwrap_or(0)];
    memory.read(RuntimeAddress(sp), &mut stack)?;
    let word_at = |address: u64| {
        let offset = usize::try_from(address.checked_sub(sp)?).ok()?;
        stack
            .get(offset..)?
            .first_chunk()
            .map(|bytes| u64::from_le_bytes(*bytes))
    };
    let mut frame = bp;
    while frames.len() < MAX_FRAMES
        && let Some(caller) = word_at(frame)
        && let Some(return_pc) = frame.checked_add(8).and_then(word_at)
        && return_pc != 0
    {
        frames.push(RuntimeAddress(return_pc));
        // Frames lie one above the other; anything else is not a chain.
        if caller <= frame {
            break;
        }
        frame = caller;
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{binary::Architecture, memory::BytesMemory, runtime::layout::Layouts};

    #[test]
    fn a_walk_follows_the_chain_and_ends_at_its_end() {
        // sp = 0x1000: [bp -> 0x1020][ret 0xa] … 0x1020: [0][ret 0xb]
        let mut bytes = vec![0; 0x40];
        bytes[0x10..0x18].copy_from_slice(&0x1020_u64.to_le_bytes());
        bytes[0x18..0x20].copy_from_slice(&0xa_u64.to_le_bytes());
        bytes[0x28..0x30].copy_from_slice(&0xb_u64.to_le_bytes());
        let memory = BytesMemory {
            base: 0x1000,
            bytes,
        };
        let registers = Registers {
            pc: 0x9,
            sp: 0x1000,
            bp: 0x1010,
        };
        let frames = walk(&memory, registers, 0x1040).expect("readable");
        assert_eq!(frames, [0x9, 0xa, 0xb].map(RuntimeAddress));
    }

    #[test]
    fn a_chain_that_leads_back_or_out_ends() {
        let mut bytes = vec![0xff; 0x20];
        bytes[0..8].copy_from_slice(&0x1000_u64.to_le_bytes());
        let memory = BytesMemory {
            base: 0x1000,
            bytes,
        };
        let registers = Registers {
            pc: 1,
            sp: 0x1000,
            bp: 0x1000,
        };
        assert_eq!(walk(&memory, registers, 0x1020).expect("readable").len(), 2);
        let outside = Registers {
            bp: 0x9000,
            ..registers
        };
        assert_eq!(walk(&memory, outside, 0x1020).expect("readable").len(), 1);
    }

    #[test]
    fn the_scan_bit_is_no_state() {
        assert_eq!(GoroutineState::from(0x1004), GoroutineState::Waiting);
        assert_eq!(GoroutineState::from(0x99), GoroutineState::Unknown(0x99));
    }

    fn layout() -> GoroutineLayout {
        let layouts = Layouts::for_binary(&[], 22, Architecture::X86_64).expect("a known release");
        GoroutineLayout::new(&layouts).expect("a complete layout")
    }

    #[test]
    fn a_stack_of_absurd_size_is_an_error() {
        let layout = layout();
        let mut bytes = vec![0; layout.size as usize];
        let at = layout.stack_hi as usize;
        bytes[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        let memory = BytesMemory { base: 0, bytes };
        assert!(matches!(
            read_goroutine(&memory, &layout, RuntimeAddress(0)),
            Err(MemoryError::Implausible { .. })
        ));
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let memory = BytesMemory::default();
        assert!(matches!(
            read_goroutine(&memory, &layout(), RuntimeAddress(0x10)),
            Err(MemoryError::Unmapped { .. })
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_bounded_answer(
            bytes in prop::collection::vec(any::<u8>(), 0..2048),
            status in 0_u8..12,
        ) {
            let layout = layout();
            let mut bytes = bytes;
            // Half of the time something that gets as far as the stack.
            if bytes.len() > layout.size as usize {
                let put = |bytes: &mut Vec<u8>, at: u32, value: u64| {
                    bytes[at as usize..at as usize + 8].copy_from_slice(&value.to_le_bytes());
                };
                let length = bytes.len() as u64;
                put(&mut bytes, layout.stack_lo, 8);
                put(&mut bytes, layout.stack_hi, length);
                put(&mut bytes, layout.sched_sp, 8);
                bytes[layout.atomicstatus as usize] = status;
            }
            let memory = BytesMemory { base: 0, bytes };
            if let Ok(Some(goroutine)) = read_goroutine(&memory, &layout, RuntimeAddress(0)) {
                prop_assert!(goroutine.stack.len() <= MAX_FRAMES);
            }
        }
    }
}
