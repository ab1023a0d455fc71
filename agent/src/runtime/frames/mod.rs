//! Which words of stacks may be pointers that are still used.
//!
//! A goroutine that rests stopped at a call, and for each call the compiler noted which words of the
//! frame are live pointers: the tables that the collector goes by, in the pclntab. Where they do
//! not hold, all words of the frame count, or of the stack: that can keep something alive that is
//! dead, never the other way round.

mod defers;
mod map;
mod precision;
mod scan;
#[cfg(test)]
mod tests;
mod walk;

use std::{collections::BTreeMap, sync::Arc};

pub use precision::{Precision, Reason};
pub use scan::scan_whole;

use self::{
    defers::DeferLayout,
    map::FrameMaps,
    scan::BATCH_BYTES,
    walk::{Stack, Walk},
};
use super::{Member, layout::Layouts};
use crate::{
    binary::{Architecture, GoBinary, LoadBias, RuntimeAddress, bytes::words},
    memory::{Extent, MemoryError, MemoryReader},
};

/// A longer stack is not held in one piece, and all of its words count.
const MAX_STACK: u64 = 1 << 20;

/// A word of a stack, or one that belongs to a goroutine as its stack does, that may be a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackWord {
    /// What it holds; never 0.
    pub value: u64,
    /// Where it is; 0 where it is a field of the `g`.
    pub slot: RuntimeAddress,
    /// The pc in whose frame it lies: the return address for all frames but the innermost. 0 where
    /// it is of no frame, or the frame is not known.
    pub pc: RuntimeAddress,
}

/// Reads the stacks of goroutines that rest. Keeps what it learns of the program's functions.
#[derive(Debug)]
pub struct Frames {
    maps: FrameMaps,
    defers: Option<DeferLayout>,
    /// Bytes of the vector registers that are kept outside of the stack (`xRegs` in
    /// `src/runtime/preempt_amd64.go` and `preempt_arm64.go`, from Go 1.26).
    extended_registers: usize,
    imprecise: BTreeMap<Reason, u64>,
}

impl Frames {
    /// For a program that runs `binary`, loaded with `bias`.
    #[must_use]
    pub fn new(binary: Arc<GoBinary>, bias: LoadBias, layouts: &Layouts) -> Self {
        Self {
            extended_registers: match binary.architecture() {
                Architecture::X86_64 => 32 * 64 + 8 * 8,
                Architecture::Aarch64 => 32 * 16,
            },
            maps: FrameMaps::new(binary, bias),
            // A program that defers nothing has no debug information of it.
            defers: DeferLayout::new(layouts).ok(),
            imprecise: BTreeMap::new(),
        }
    }

    /// Of how many stacks, since this was made, more words were told than are live, by the first reason
    /// for it.
    #[must_use]
    pub fn imprecise(&self) -> &BTreeMap<Reason, u64> {
        &self.imprecise
    }

    /// Tells every word that may be a live pointer of the goroutines `resting`, with the place of the
    /// goroutine in them, in any order, and returns how precise that was for each, in their order.
    /// Pointers into the goroutine's own stack are followed and not told.
    ///
    /// What is told is right only for those that rested ([`Member::rests`]) until
    /// [`Roster::moved`](super::Roster::moved). Of one that gives an error some words may have been
    /// told, and others not: it has to be taken to hold anything.
    ///
    /// A few MiB of stacks are held at once.
    pub fn scan(
        &mut self,
        memory: &impl MemoryReader,
        resting: &[&Member],
        told: &mut impl FnMut(usize, StackWord),
    ) -> Vec<Result<Precision, MemoryError>> {
        let mut results: Vec<_> = resting.iter().map(|_| Ok(Precision::Precise)).collect();
        let mut whole = Vec::new();
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (place, member) in resting.iter().enumerate() {
            if let Some(reason) = self.reason_for_all(member) {
                whole.push((place, reason));
                continue;
            }
            bytes += used(member);
            batch.push(place);
            if bytes >= BATCH_BYTES as u64 {
                self.batch(memory, resting, &batch, &mut results, told);
                batch.clear();
                bytes = 0;
            }
        }
        self.batch(memory, resting, &batch, &mut results, told);
        scan_all(memory, resting, &whole, &mut results, told);
        self.outside(memory, resting, &mut results, told);
        for precision in results.iter().flatten() {
            if let Precision::Partial(reason) | Precision::Conservative(reason) = precision {
                *self.imprecise.entry(*reason).or_default() += 1;
            }
        }
        results
    }

    /// Why all words of a stack count, where that can be said before it is read.
    fn reason_for_all(&self, member: &Member) -> Option<Reason> {
        if !member.rests {
            return Some(Reason::Runs);
        }
        match self.maps.binary().architecture() {
            Architecture::X86_64 => {}
            // The return address is in a register at first, and its frames lie otherwise.
            Architecture::Aarch64 => return Some(Reason::Architecture),
        }
        if member.panic != 0 {
            return Some(Reason::Panics);
        }
        (used(member) > MAX_STACK).then_some(Reason::Deep)
    }

    /// Reads the stacks at these places together and tells their live words.
    fn batch(
        &mut self,
        memory: &impl MemoryReader,
        resting: &[&Member],
        batch: &[usize],
        results: &mut [Result<Precision, MemoryError>],
        told: &mut impl FnMut(usize, StackWord),
    ) {
        let extents: Vec<Extent> = batch
            .iter()
            .map(|place| Extent {
                address: resting[*place].sp,
                length: usize::try_from(used(resting[*place])).unwrap_or(usize::MAX),
            })
            .collect();
        memory.read_extents(&extents, &mut |index, bytes| {
            let place = batch[index];
            let member = resting[place];
            results[place] = bytes.and_then(|bytes| {
                let stack = Stack {
                    low: member.stack_low.0,
                    high: member.stack_high.0,
                    sp: member.sp.0,
                    bytes,
                };
                let mut walk = Walk::new(stack, |word| told(place, word));
                walk.found(member.context, 0, RuntimeAddress(0));
                walk.frames(&mut self.maps, member);
                defers::tell(memory, self.defers, member.defer, stack, &mut walk)?;
                walk.follow();
                Ok(match walk.reason {
                    None => Precision::Precise,
                    Some(reason) if walk.is_whole => Precision::Conservative(reason),
                    Some(reason) => Precision::Partial(reason),
                })
            });
        });
    }

    /// Tells the vector registers of those that have them outside of their stack.
    fn outside(
        &self,
        memory: &impl MemoryReader,
        resting: &[&Member],
        results: &mut [Result<Precision, MemoryError>],
        told: &mut impl FnMut(usize, StackWord),
    ) {
        let (places, at): (Vec<usize>, Vec<RuntimeAddress>) = (0..)
            .zip(resting)
            .filter(|(_, member)| member.extended_registers != 0)
            .map(|(place, member)| (place, RuntimeAddress(member.extended_registers)))
            .unzip();
        let extents = Extent::each(at.iter().copied(), self.extended_registers);
        memory.read_extents(&extents, &mut |index, bytes| match bytes {
            Ok(bytes) => {
                for (slot, value) in (at[index].0..).step_by(8).zip(words(bytes)) {
                    if value != 0 {
                        let (slot, pc) = (RuntimeAddress(slot), RuntimeAddress(0));
                        told(places[index], StackWord { value, slot, pc });
                    }
                }
            }
            Err(error) => results[places[index]] = Err(error),
        });
    }
}

/// Tells all words of the stacks at these places, and those of the `g`.
fn scan_all(
    memory: &impl MemoryReader,
    resting: &[&Member],
    whole: &[(usize, Reason)],
    results: &mut [Result<Precision, MemoryError>],
    told: &mut impl FnMut(usize, StackWord),
) {
    let stack = |(place, _): &(usize, Reason)| {
        let member = resting[*place];
        // One that runs has no stack pointer.
        let low = if member.rests {
            member.sp
        } else {
            member.stack_low
        };
        (low, member.stack_high)
    };
    let stacks: Vec<_> = whole.iter().map(stack).collect();
    let read = scan_whole(memory, &stacks, &mut |index, word| {
        told(whole[index].0, word);
    });
    for ((place, reason), read) in whole.iter().zip(read) {
        results[*place] = read.map(|()| Precision::Conservative(*reason));
        let member = resting[*place];
        // A panic lies on the stack, and so may the innermost deferred call. What one in the heap leads
        // to is found through it.
        for value in [member.context, member.defer, member.panic] {
            if value != 0 {
                let (slot, pc) = (RuntimeAddress(0), RuntimeAddress(0));
                told(*place, StackWord { value, slot, pc });
            }
        }
    }
}

/// Bytes of the stack that are used by one that rests.
fn used(member: &Member) -> u64 {
    member.stack_high.0.saturating_sub(member.sp.0)
}
