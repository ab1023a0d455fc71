//! Why there is no proof.

use thiserror::Error;

use crate::{memory::MemoryError, runtime::heap::HeapError};

/// Why a pass over the heap proves nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The heap's books are not known, cannot be read or are beyond the limit.
    #[error(transparent)]
    Heap(#[from] HeapError),
    /// Something that is alive cannot be read: what it leads to is not known.
    #[error("what is alive could not all be read: {0}")]
    Memory(#[from] MemoryError),
    /// Too much was allocated while the pass went on.
    #[error("the heap changed too much while it was read; try again when the program is less busy")]
    Unsteady,
    /// Goroutines whose state could not be read: nobody knows what they hold.
    #[error("{0} goroutines could not be read each time it was tried")]
    Goroutines(usize),
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
}

impl ProofError {
    /// Whether another attempt may go better: the program changed too much meanwhile.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unsteady | Self::Goroutines(_) | Self::Heap(HeapError::Moving { .. }) => true,
            // What was there a moment ago was given back.
            Self::Memory(error) | Self::Heap(HeapError::Memory(error)) => {
                matches!(
                    error,
                    MemoryError::Unmapped { .. } | MemoryError::Implausible { .. }
                )
            }
            Self::Heap(_) | Self::Stopped => false,
        }
    }
}

/// Is told how work goes on, and may stop it.
pub trait Watch {
    /// So many bytes of the target were read since the last call.
    ///
    /// # Errors
    /// [`ProofError::Stopped`]: it is not to go on.
    fn went_on(&mut self, bytes: u64) -> Result<(), ProofError>;

    /// The end of a pass is looked at once more. A thread that the kernel has put aside in the middle of
    /// carrying a pointer has it in a register, where nobody can see it: it should have run until then.
    fn looks_again(&mut self) {}
}

/// Lets everything go on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn went_on(&mut self, _bytes: u64) -> Result<(), ProofError> {
        Ok(())
    }
}
