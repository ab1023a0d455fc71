//! Proofs: which goroutines of one process can never wake again, what they retain, and what keeps
//! the others alive.

mod error;
mod options;

pub use error::ProveError;
pub use options::{DEFAULT_PASSES, DEFAULT_PAUSE, Phase, Progress, ProveOptions};

use super::Inspected;
use crate::{
    memory::LiveMemory,
    report::{Proof, Why},
};

/// Proves what can be proven of the goroutines of `inspected`, read through `memory` while they run.
/// `progress` is told how far it has come, many times a second.
///
/// # Errors
/// There is no proof, for none of them: the heap is too large or of no known format, or the process
/// cannot be read any more.
pub fn prove(
    _inspected: &Inspected,
    _memory: &LiveMemory,
    _options: &ProveOptions,
    _progress: &mut dyn FnMut(Progress),
) -> Result<Proof, ProveError> {
    Err(ProveError::NotYet)
}

/// What keeps goroutine `goid` alive: the shortest way found from something that lives to what it
/// waits on.
///
/// # Errors
/// As [`prove`]; and there is no such goroutine.
pub fn why(
    _inspected: &Inspected,
    _memory: &LiveMemory,
    _goid: u64,
    _options: &ProveOptions,
    _progress: &mut dyn FnMut(Progress),
) -> Result<Why, ProveError> {
    Err(ProveError::NotYet)
}
