//! Some goroutines at once: a few system calls for all of their `g`s, stacks and waits together.
//!
//! The program runs meanwhile. So each `g` is read again behind everything else, and what is told of
//! a goroutine is told only when it has rested in between, or run all the time.

use super::{
    Goroutine, Waits,
    goroutine::{RawG, size_of_g},
    layout::GoroutineLayout,
    stack::{self, Registers},
    unwind::Unwinder,
    waits::{Found, Waiter},
};
use crate::{
    binary::RuntimeAddress,
    memory::{Extent, MemoryError, MemoryReader},
};

/// What is read of each goroutine besides its `g`.
#[derive(Debug, Default)]
pub struct Scope<'a> {
    /// Its stack, by the frames of its program.
    pub stacks: Option<&'a mut Unwinder>,
    /// What it waits on; for some this takes its stack.
    pub waits: Option<&'a mut Waits>,
}

/// What came of reading one goroutine.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The `g` waits to be used again.
    Free,
    /// It rested, or ran, all the time.
    Read(Goroutine),
    /// It moved, but is the same: all but its stack and its waits is right.
    Moved(Goroutine),
    /// It rested, but its stack cannot be read.
    WithoutStack(Goroutine, MemoryError),
    /// It rested as far as its `g` tells, but its stack leads nowhere: it may have run all the same.
    Astray(Goroutine),
    /// The `g` was given to another goroutine.
    Replaced,
    /// The `g` is not free any more, but has no number yet: it is about to be a goroutine's first.
    Unborn,
    /// It cannot be read, or is no goroutine.
    Failed(MemoryError),
}

/// Reads the goroutine whose `g` is at `address`, with its stack. `Ok(None)` when it moved on
/// meanwhile, so that what was read does not belong together, or has ended.
///
/// # Errors
/// The memory cannot be read, or holds sizes that no goroutine has.
pub fn read_goroutine(
    memory: &impl MemoryReader,
    layout: &GoroutineLayout,
    unwinder: &mut Unwinder,
    address: RuntimeAddress,
) -> Result<Option<Goroutine>, MemoryError> {
    let scope = Scope {
        stacks: Some(unwinder),
        waits: None,
    };
    let read = read_goroutines(memory, layout, scope, &[address])?;
    read.into_iter().next().unwrap_or(Ok(None))
}

/// As [`read_goroutine`], some at once and with what `scope` asks for: what came of each, in the
/// order of `addresses`.
///
/// # Errors
/// The layout is none of a `g`.
pub fn read_goroutines(
    memory: &impl MemoryReader,
    layout: &GoroutineLayout,
    mut scope: Scope<'_>,
    addresses: &[RuntimeAddress],
) -> Result<Vec<Result<Option<Goroutine>, MemoryError>>, MemoryError> {
    let mut results: Vec<_> = addresses.iter().map(|_| Ok(None)).collect();
    read(
        memory,
        layout,
        &mut scope,
        addresses,
        &mut |index, outcome| {
            results[index] = match outcome {
                Outcome::Read(goroutine) | Outcome::Astray(goroutine) => Ok(Some(goroutine)),
                Outcome::Failed(error) | Outcome::WithoutStack(_, error) => Err(error),
                Outcome::Free | Outcome::Moved(_) | Outcome::Replaced | Outcome::Unborn => Ok(None),
            };
        },
    )?;
    Ok(results)
}

/// A goroutine whose `g` has been read once.
struct Subject {
    /// Which of the addresses.
    index: usize,
    /// Where its `g` begins among those that were read.
    head: usize,
    /// `None` once it has been told.
    goroutine: Option<Goroutine>,
    registers: Option<Registers>,
    stack_high: u64,
    /// Its stack could not be read.
    failure: Option<MemoryError>,
    /// Its stack was read, and does not lead to where goroutines begin.
    is_astray: bool,
}

/// Reads the `g`s at `addresses` and tells what came of each, with its index, in any order.
///
/// # Errors
/// The layout is none of a `g`.
pub(super) fn read(
    memory: &impl MemoryReader,
    layout: &GoroutineLayout,
    scope: &mut Scope<'_>,
    addresses: &[RuntimeAddress],
    tell: &mut impl FnMut(usize, Outcome),
) -> Result<(), MemoryError> {
    let Some(first) = addresses.first() else {
        return Ok(());
    };
    let size = size_of_g(layout, *first)?;
    let extents = Extent::each(addresses.iter().copied(), size);
    // Of goroutines of which nothing else is read, it does not matter whether they rest.
    let is_deep = scope.stacks.is_some() || scope.waits.is_some();
    // One behind the other, as they come.
    let mut heads: Vec<u8> = Vec::with_capacity(if is_deep { size * addresses.len() } else { 0 });
    let mut subjects = Vec::with_capacity(addresses.len());
    memory.read_extents(&extents, &mut |index, bytes| {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return tell(index, Outcome::Failed(error)),
        };
        let g = RawG::new(bytes);
        if g.state(layout).is_free() {
            return tell(index, Outcome::Free);
        }
        // Up to Go 1.26 `newproc1` (`src/runtime/proc.go`) makes it runnable first and numbers it then.
        // A `g` that is used again has the number of the goroutine before until then, which cannot be told.
        if g.word(layout.goid) == 0 {
            return tell(index, Outcome::Unborn);
        }
        match g.goroutine(layout, addresses[index]) {
            Ok(goroutine) => {
                subjects.push(Subject {
                    index,
                    head: heads.len(),
                    goroutine: Some(goroutine),
                    registers: g.saved_registers(layout),
                    stack_high: g.word(layout.stack_hi),
                    failure: None,
                    is_astray: false,
                });
                if is_deep {
                    heads.extend_from_slice(bytes);
                }
            }
            Err(error) => tell(index, Outcome::Failed(error)),
        }
    });
    let head = |subject: &Subject| RawG::new(heads.get(subject.head..).unwrap_or(&[]));
    let mut waiters = Vec::new();
    if let Some(waits) = &scope.waits {
        waiters.extend(subjects.iter().enumerate().filter_map(|(place, subject)| {
            let g = head(subject);
            let goroutine = subject.goroutine.as_ref()?;
            let known = (goroutine.address, goroutine.state, goroutine.wait_reason);
            waits.waiter(place, known, |offset| g.word(offset))
        }));
    }
    if let Some(unwinder) = &mut scope.stacks {
        read_stacks(memory, unwinder, &mut subjects, &mut waiters);
    }
    if let Some(waits) = &mut scope.waits {
        waits.resolve(memory, &waiters, &mut |place, found| {
            if let Found::Wait(wait) = found
                && let Some(goroutine) = &mut subjects[place].goroutine
            {
                goroutine.waits.push(wait);
            }
        });
    }
    let again: Vec<Extent> = subjects
        .iter()
        .map(|subject| extents[subject.index])
        .collect();
    memory.read_extents(&again, &mut |place, bytes| {
        let before = is_deep.then(|| head(&subjects[place]));
        let subject = &mut subjects[place];
        if let Some(goroutine) = subject.goroutine.take() {
            let failure = subject.failure.take();
            let outcome = match outcome(layout, goroutine, failure, before, bytes) {
                Outcome::Read(goroutine) if subject.is_astray => Outcome::Astray(goroutine),
                outcome => outcome,
            };
            tell(subject.index, outcome);
        }
    });
    Ok(())
}

/// Walks the stacks of those that rest. `waiters` are in the order of the subjects.
fn read_stacks(
    memory: &impl MemoryReader,
    unwinder: &mut Unwinder,
    subjects: &mut [Subject],
    waiters: &mut [Waiter],
) {
    let mut places = Vec::with_capacity(subjects.len());
    let mut extents = Vec::with_capacity(subjects.len());
    for (place, subject) in subjects.iter().enumerate() {
        let length = subject
            .registers
            .and_then(|registers| registers.stack_length(subject.stack_high));
        if let (Some(registers), Some(length)) = (subject.registers, length) {
            places.push((place, registers));
            extents.push(Extent {
                address: RuntimeAddress(registers.sp),
                length,
            });
        }
    }
    memory.read_extents(&extents, &mut |index, bytes| {
        let (place, registers) = places[index];
        let subject = &mut subjects[place];
        let Some(goroutine) = &mut subject.goroutine else {
            return;
        };
        match bytes {
            Ok(bytes) => {
                goroutine.stack_is_cut =
                    stack::walk(unwinder, registers, bytes, &mut goroutine.stack);
                // Also where not all of a large one was read.
                let is_whole =
                    registers.sp.checked_add(bytes.len() as u64) == Some(subject.stack_high);
                subject.is_astray =
                    is_whole && !goroutine.stack_is_cut && !unwinder.is_whole(&goroutine.stack);
                if let Ok(at) = waiters.binary_search_by_key(&place, Waiter::subject)
                    && let waiter = &mut waiters[at]
                    && waiter.wants_words()
                {
                    waiter.keep_words(bytes, registers.sp, subject.stack_high);
                }
            }
            Err(error) => subject.failure = Some(error),
        }
    });
}

/// What is right of `goroutine`, when its `g` is read again behind everything else. `before` is the
/// `g` as it was, unless nothing else was read.
fn outcome(
    layout: &GoroutineLayout,
    mut goroutine: Goroutine,
    failure: Option<MemoryError>,
    before: Option<RawG<'_>>,
    after: Result<&[u8], MemoryError>,
) -> Outcome {
    let after = match after {
        Ok(bytes) => RawG::new(bytes),
        Err(error) => return Outcome::Failed(error),
    };
    if after.state(layout).is_free() {
        Outcome::Free
    } else if !after.is_of(&goroutine, layout) {
        Outcome::Replaced
    } else if before.is_none_or(|before| after.rests(before, layout)) {
        match failure {
            Some(error) => Outcome::WithoutStack(goroutine, error),
            None => Outcome::Read(goroutine),
        }
    } else {
        goroutine.stack.clear();
        goroutine.waits.clear();
        Outcome::Moved(goroutine)
    }
}

#[cfg(test)]
mod tests;
