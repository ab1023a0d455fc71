//! Which words of stacks may be pointers that are still used.

mod precision;
mod scan;

use std::sync::Arc;

pub use precision::{Precision, Reason};
pub use scan::scan_whole;

use super::{Member, layout::Layouts};
use crate::{
    binary::{GoBinary, LoadBias, RuntimeAddress},
    memory::{MemoryError, MemoryReader},
};

/// A word of a stack, or one that belongs to a goroutine as its stack does, that may be a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackWord {
    /// What it holds; never 0.
    pub value: u64,
    /// Where it is.
    pub slot: RuntimeAddress,
    /// The pc in whose frame it lies: the return address for all frames but the innermost. 0 where
    /// it is of no frame, or the frame is not known.
    pub pc: RuntimeAddress,
}

/// Reads the stacks of goroutines that rest.
#[derive(Debug)]
pub struct Frames {
    _binary: Arc<GoBinary>,
    _bias: LoadBias,
}

impl Frames {
    /// For a program that runs `binary`, loaded with `bias`.
    #[must_use]
    pub fn new(binary: Arc<GoBinary>, bias: LoadBias, _layouts: &Layouts) -> Self {
        Self {
            _binary: binary,
            _bias: bias,
        }
    }

    /// Tells every word that may be a live pointer of the goroutines `resting`, with the place of the
    /// goroutine in them, in any order, and returns how precise that was for each, in their order.
    /// Pointers into the goroutine's own stack are followed and not told.
    ///
    /// All of them have to rest ([`Member::rests`]), and what is told is right only for those that
    /// did so until [`Roster::moved`](super::Roster::moved). Of one that gives an error some words
    /// may have been told, and others not: it has to be taken to hold anything.
    pub fn scan(
        &mut self,
        memory: &impl MemoryReader,
        resting: &[&Member],
        told: &mut impl FnMut(usize, StackWord),
    ) -> Vec<Result<Precision, MemoryError>> {
        let mut results: Vec<_> = resting
            .iter()
            .map(|_| Ok(Precision::Conservative(Reason::Unknown)))
            .collect();
        for (index, member) in resting.iter().enumerate() {
            for value in [member.context, member.defer, member.panic] {
                if value != 0 {
                    let (slot, pc) = (RuntimeAddress(0), RuntimeAddress(0));
                    told(index, StackWord { value, slot, pc });
                }
            }
        }
        let stacks: Vec<_> = resting.iter().map(|m| (m.sp, m.stack_high)).collect();
        let read = scan_whole(memory, &stacks, told);
        for (result, read) in results.iter_mut().zip(read) {
            if let Err(error) = read {
                *result = Err(error);
            }
        }
        results
    }
}
