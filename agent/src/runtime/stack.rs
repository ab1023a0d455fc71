//! The stack of a goroutine that rests, from one copy of its top.

use super::unwind::Unwinder;
use crate::binary::{RuntimeAddress, bytes::u64_at};

/// Of a stack, from its top, at most this much is read.
pub(super) const MAX_STACK_READ: u64 = 1 << 20;
/// Frames kept of one stack; Go's own tracebacks show a hundred, inlined ones included.
pub(super) const MAX_FRAMES: usize = 512;

/// Where a goroutine that does not run will go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Registers {
    pub(super) pc: u64,
    pub(super) sp: u64,
    /// `None` where it is not kept, or may not be that of the function at `pc`.
    pub(super) bp: Option<u64>,
}

impl Registers {
    /// Bytes to read from `sp` on, of a stack that ends at `high`. `None` when there is no such
    /// stack.
    pub(super) fn stack_length(self, high: u64) -> Option<usize> {
        let length = high.checked_sub(self.sp)?.min(MAX_STACK_READ);
        usize::try_from(length)
            .ok()
            .filter(|_| self.sp.is_multiple_of(8))
    }
}

/// The word at `address` of a stack of which `stack` are the bytes from `sp` on.
pub(super) fn word_at(stack: &[u8], sp: u64, address: u64) -> Option<u64> {
    u64_at(stack, address.checked_sub(sp)?)
}

/// The pc and the return addresses of `stack`, the bytes from `sp` on, innermost first: by frame
/// pointers where they are right, else by the tables of `unwinder`. Whether there were more than
/// [`MAX_FRAMES`].
pub(super) fn walk(
    unwinder: &mut Unwinder,
    registers: Registers,
    stack: &[u8],
    pcs: &mut Vec<RuntimeAddress>,
) -> bool {
    let mut is_cut = false;
    if let Some(bp) = registers.bp {
        is_cut = follow(registers, bp, stack, pcs);
        if !unwinder.breaks(pcs) {
            return is_cut;
        }
    }
    match unwinder.walk(registers, stack, pcs) {
        Some(is_cut) => is_cut,
        None if registers.bp.is_some() => is_cut,
        None => {
            pcs.clear();
            pcs.push(RuntimeAddress(registers.pc));
            false
        }
    }
}

/// Follows the frame pointers, as [`walk`].
fn follow(registers: Registers, bp: u64, stack: &[u8], frames: &mut Vec<RuntimeAddress>) -> bool {
    let word_at = |address| word_at(stack, registers.sp, address);
    frames.clear();
    frames.push(RuntimeAddress(registers.pc));
    let mut frame = bp;
    while let Some(caller) = word_at(frame)
        && let Some(return_pc) = frame.checked_add(8).and_then(word_at)
        && return_pc != 0
    {
        if frames.len() == MAX_FRAMES {
            return true;
        }
        frames.push(RuntimeAddress(return_pc));
        // Frames lie one above the other; anything else is not a chain.
        if caller <= frame {
            break;
        }
        frame = caller;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(registers: Registers, stack: &[u8]) -> Vec<RuntimeAddress> {
        let mut frames = Vec::new();
        assert!(!follow(
            registers,
            registers.bp.expect("set"),
            stack,
            &mut frames
        ));
        frames
    }

    #[test]
    fn a_walk_follows_the_chain_and_ends_at_its_end() {
        // sp = 0x1000: [bp -> 0x1020][ret 0xa] … 0x1020: [0][ret 0xb]
        let mut bytes = vec![0; 0x40];
        bytes[0x10..0x18].copy_from_slice(&0x1020_u64.to_le_bytes());
        bytes[0x18..0x20].copy_from_slice(&0xa_u64.to_le_bytes());
        bytes[0x28..0x30].copy_from_slice(&0xb_u64.to_le_bytes());
        let registers = Registers {
            pc: 0x9,
            sp: 0x1000,
            bp: Some(0x1010),
        };
        assert_eq!(
            walked(registers, &bytes),
            [0x9, 0xa, 0xb].map(RuntimeAddress)
        );
    }

    #[test]
    fn a_chain_that_leads_back_or_out_ends() {
        let mut bytes = vec![0xff; 0x20];
        bytes[0..8].copy_from_slice(&0x1000_u64.to_le_bytes());
        let registers = Registers {
            pc: 1,
            sp: 0x1000,
            bp: Some(0x1000),
        };
        assert_eq!(walked(registers, &bytes).len(), 2);
        let outside = Registers {
            bp: Some(0x9000),
            ..registers
        };
        assert_eq!(walked(outside, &bytes).len(), 1);
    }

    #[test]
    fn a_long_chain_is_cut_and_says_so() {
        let words = (0..2 * MAX_FRAMES as u64).flat_map(|n| [0x1010 + n * 16, 7]);
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        let registers = Registers {
            pc: 1,
            sp: 0x1000,
            bp: Some(0x1000),
        };
        let mut frames = Vec::new();
        assert!(follow(registers, 0x1000, &bytes, &mut frames));
        assert_eq!(frames.len(), MAX_FRAMES);
    }

    #[test]
    fn only_an_aligned_stack_pointer_below_the_end_has_a_stack() {
        let at = |sp| Registers {
            pc: 1,
            sp,
            bp: None,
        };
        assert_eq!(at(0x1000).stack_length(0x1040), Some(0x40));
        assert_eq!(at(0x1001).stack_length(0x1040), None);
        assert_eq!(at(0x1048).stack_length(0x1040), None);
        assert_eq!(at(0).stack_length(u64::MAX), Some(1 << 20));
    }
}
