//! Stacks by the tables that the runtime itself unwinds with.
//!
//! Frame pointers are quick, and right wherever a goroutine parks by itself. They leave out callers
//! where it was stopped from outside (in a function that has no frame, or not yet), where C called
//! back into Go, and before Go 1.23 none is kept of a system call. There each frame's size is looked
//! up, as `unwinder.next` in `src/runtime/traceback.go` does it.

use std::{collections::HashMap, sync::Arc};

use super::stack::{MAX_FRAMES, Registers, word_at};
use crate::binary::{Architecture, Function, GoBinary, LinkAddress, LoadBias, RuntimeAddress};

/// `abi.FuncFlag`: nothing lies above it.
const TOP_FRAME: u8 = 1;
/// `abi.FuncFlag`: it changes the stack pointer in ways the table does not tell.
const WRITES_SP: u8 = 2;

/// Functions behind which frame pointers leave callers out.
const BREAKS: [&str; 3] = [
    "runtime.sigpanic",
    "runtime.asyncPreempt",
    "runtime.cgocallback",
];

/// A frame at one pc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Bytes between the stack pointer and the return address.
    pub(super) size: u64,
    /// Nothing lies above it.
    pub(super) is_top: bool,
    /// The stack cannot be followed beyond it, unless it is the innermost.
    pub(super) ends: bool,
}

/// Knows the frames of one program.
#[derive(Debug)]
pub struct Unwinder {
    binary: Arc<GoBinary>,
    bias: LoadBias,
    /// Where the functions of [`BREAKS`] are, from entry to end.
    breaks: Vec<(RuntimeAddress, RuntimeAddress)>,
    frames: HashMap<RuntimeAddress, Option<Frame>>,
}

impl Unwinder {
    /// For a program that runs `binary`, loaded with `bias`.
    #[must_use]
    pub fn new(binary: Arc<GoBinary>, bias: LoadBias) -> Self {
        let breaks = binary.pclntab().functions_named(BREAKS);
        let breaks = breaks.iter().flatten().map(|function| {
            let [entry, end] = [function.entry(), function.end()];
            (bias.to_runtime(entry), bias.to_runtime(end))
        });
        Self {
            breaks: breaks.collect(),
            frames: HashMap::new(),
            bias,
            binary,
        }
    }

    /// Whether frame pointers cannot be trusted on a stack with these return addresses.
    pub(super) fn breaks(&self, frames: &[RuntimeAddress]) -> bool {
        frames.iter().any(|pc| {
            let inside =
                |(entry, end): &(RuntimeAddress, RuntimeAddress)| (entry..end).contains(&pc);
            self.breaks.iter().any(inside)
        })
    }

    /// Whether these return addresses lead to where every goroutine begins (`runtime.goexit`). A stack
    /// that was read while its goroutine ran mostly does not.
    pub(super) fn is_whole(&mut self, frames: &[RuntimeAddress]) -> bool {
        let outermost = frames.last().and_then(|pc| self.frame(*pc));
        outermost.is_some_and(|frame| frame.is_top)
    }

    /// Follows the frames through `stack`, the bytes from `sp` on, and leaves in `pcs` the pc and the
    /// return addresses behind, innermost first. Whether there were more than [`MAX_FRAMES`]. `None`,
    /// and `pcs` as it was, where the table does not know the first function.
    pub(super) fn walk(
        &mut self,
        registers: Registers,
        stack: &[u8],
        pcs: &mut Vec<RuntimeAddress>,
    ) -> Option<bool> {
        // The return address of arm64 is in a register at first, and its frames lie otherwise.
        if self.binary.architecture() != Architecture::X86_64 {
            return None;
        }
        let mut pc = RuntimeAddress(registers.pc);
        let mut frame = self.frame(pc)?;
        pcs.clear();
        pcs.push(pc);
        let mut sp = registers.sp;
        loop {
            let is_innermost = pcs.len() == 1;
            let next = sp
                .checked_add(frame.size)
                .and_then(|at| Some((at.checked_add(8)?, word_at(stack, registers.sp, at)?)));
            let Some((above, return_pc @ 1..)) =
                next.filter(|_| !frame.is_top && (is_innermost || !frame.ends))
            else {
                return Some(false);
            };
            if pcs.len() == MAX_FRAMES {
                return Some(true);
            }
            pc = RuntimeAddress(return_pc);
            sp = above;
            pcs.push(pc);
            match self.frame(pc) {
                Some(known) => frame = known,
                None => return Some(false),
            }
        }
    }

    fn frame(&mut self, pc: RuntimeAddress) -> Option<Frame> {
        let Self {
            binary,
            bias,
            frames,
            ..
        } = self;
        *frames
            .entry(pc)
            .or_insert_with(|| look_up(binary, bias.to_link(pc)))
    }
}

fn look_up(binary: &GoBinary, pc: LinkAddress) -> Option<Frame> {
    Frame::of(&binary.pclntab().function_at(pc)?, pc)
}

impl Frame {
    /// The frame of `function` at `pc`. `None` where the table does not know its size.
    pub(super) fn of(function: &Function<'_>, pc: LinkAddress) -> Option<Self> {
        let flags = function.flags();
        // It arranges both stacks so that they can be followed, though it switches between them.
        let is_callback = || matches!(function.name(), Ok("runtime.cgocallback"));
        Some(Self {
            size: function.frame_size(pc)?.into(),
            is_top: flags & TOP_FRAME != 0,
            ends: flags & WRITES_SP != 0 && !is_callback(),
        })
    }
}
