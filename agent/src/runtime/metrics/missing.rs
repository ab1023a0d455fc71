//! Why a figure is not known.

use std::sync::Arc;

use thiserror::Error;

use crate::{memory::MemoryError, runtime::layout::LayoutError};

/// Why a figure cannot be read from this program at all.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Absent {
    /// A variable of the runtime was not found.
    #[error("{0} was not found in the process")]
    NotFound(&'static str),
    /// The release does not have a field, or in another width.
    #[error(transparent)]
    Layout(Arc<LayoutError>),
    /// A struct has another shape than any release is known to have.
    #[error("{0} of this Go runtime has a shape that gostray does not know")]
    Shape(&'static str),
    /// The toolchain had experiments that move fields, and the program has no debug information.
    #[error(
        "the program was built with a GOEXPERIMENT and has no debug information, so the layout of \
         its runtime is not known"
    )]
    Experiments,
}

impl From<LayoutError> for Absent {
    fn from(error: LayoutError) -> Self {
        Self::Layout(Arc::new(error))
    }
}

/// Why a figure was not read.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Missing {
    /// It never will be.
    #[error(transparent)]
    Absent(#[from] Absent),
    /// The memory cannot be read, or does not hold what it should.
    #[error(transparent)]
    Memory(#[from] Arc<MemoryError>),
    /// What belongs together never fitted.
    #[error("{0} changed each time that they were read; the next time may do")]
    Changing(&'static str),
}

impl From<MemoryError> for Missing {
    fn from(error: MemoryError) -> Self {
        Self::Memory(Arc::new(error))
    }
}
