//! Whether the layouts fit this very process, before anything is said that rests on them.

use thiserror::Error;

use super::{
    AllGoroutines, GoroutineState,
    goroutine::{RawG, size_of_g},
    layout::{GoroutineLayout, LayoutError, Layouts},
};
use crate::{
    binary::RuntimeAddress,
    memory::{MemoryError, MemoryReader},
};

/// Goroutines looked at: the oldest, and so mostly ones that rest.
const LOOKED_AT: usize = 256;
/// How often a running goroutine that does not fit is looked at again: it may have moved between
/// two threads in that moment.
const ATTEMPTS: usize = 16;

/// The layouts do not fit.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SelfCheckError {
    /// A goroutine that cannot be.
    #[error(
        "what gostray knows of this Go release does not fit the process: {what}. A toolchain with \
         GOEXPERIMENT settings or patches may lay the runtime out in another way; with its DWARF \
         (built without -s -w) gostray takes the layout from there"
    )]
    DoesNotFit {
        /// What was found.
        what: String,
    },
    /// A struct is not known.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Not readable.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// Looks at the first goroutines: the first of all has the number 1, all states are known, and a
/// goroutine that a thread runs is the one that this thread runs.
///
/// # Errors
/// They do not fit, or cannot be read.
pub fn self_check(
    memory: &impl MemoryReader,
    layouts: &Layouts,
    layout: &GoroutineLayout,
    all: AllGoroutines,
) -> Result<(), SelfCheckError> {
    let curg = layouts.offset_of_size("runtime.m", "curg", 8)?;
    let addresses = all.read(memory)?;
    for (n, address) in addresses.iter().take(LOOKED_AT).enumerate() {
        let mut bytes = vec![0; size_of_g(layout, *address)?];
        let mut failure = None;
        // It is one of the attempts that has to fit; what never does is reported.
        for _ in 0..ATTEMPTS {
            memory.read(*address, &mut bytes)?;
            let g = RawG::new(&bytes);
            let thread = g.word(layout.m);
            failure = match g.state(layout) {
                GoroutineState::Unknown(status) => {
                    Some(format!("the g at {address} has the status {status}"))
                }
                _ if n == 0 && g.word(layout.goid) != 1 => Some(format!(
                    "the first goroutine has the number {}",
                    g.word(layout.goid)
                )),
                GoroutineState::Running if thread != 0 => {
                    let place = RuntimeAddress(thread).plus(curg.into());
                    match place.and_then(|place| memory.read_u64(place)) {
                        Ok(runs) if runs == address.0 => None,
                        _ => Some(format!(
                            "the thread of the running g at {address} runs another"
                        )),
                    }
                }
                _ => None,
            };
            if failure.is_none() {
                break;
            }
        }
        if let Some(what) = failure {
            return Err(SelfCheckError::DoesNotFit { what });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
