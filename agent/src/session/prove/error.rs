//! Why nothing can be proven.

use thiserror::Error;

use crate::{
    proof::ProofError,
    report::size,
    runtime::{layout::LayoutError, modules::ModulesError},
    session::LandmarksError,
};

/// Why there is no proof.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The structs of its runtime are not known.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The goroutines were not found.
    #[error(transparent)]
    Landmarks(#[from] LandmarksError),
    /// Reading all of it would take too long.
    #[error(
        "its Go heap has {}, more than the {} that are read at most; `--max-heap {}GiB` allows it, \
         and takes time accordingly",
        size(*heap_bytes), size(*limit_bytes), gibibytes(*heap_bytes)
    )]
    HeapTooLarge {
        /// What it has.
        heap_bytes: u64,
        /// What is allowed.
        limit_bytes: u64,
    },
    /// This release keeps its heap in a way that is not known, or this build of it.
    #[error(
        "nothing can be proven of this program: how its heap is laid out ({go_version}) is not known: {what}; \
         `gostray snapshot` and `gostray attach` work without"
    )]
    UnknownHeap {
        /// As in `go version`.
        go_version: String,
        /// What is not as it should be.
        what: String,
    },
    /// A pass over the heap says nothing.
    #[error("nothing is proven: {0}")]
    Proof(#[source] ProofError),
    /// The program's global variables are not known.
    #[error("nothing can be proven without the program's global variables: {0}")]
    Globals(#[source] ModulesError),
    /// To remember how each object was reached takes more memory than there should be.
    #[error(
        "its heap has too many objects to tell how each is reached; `gostray prove` without `--why` works"
    )]
    TooManyObjects,
    /// There is no goroutine, not even the main one.
    #[error("no goroutine is alive: the program is only just starting, or ending; try again")]
    Empty,
    /// The one that was asked for.
    #[error(
        "no goroutine has number {goid}; it may have ended (`gostray snapshot PID --full` lists all)"
    )]
    NoSuchGoroutine {
        /// Its number.
        goid: u64,
    },
}

impl ProveError {
    /// Whether another attempt will fail too.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        !matches!(
            self,
            Self::Proof(_) | Self::Empty | Self::NoSuchGoroutine { .. } | Self::Landmarks(_)
        )
    }
}

impl From<ProofError> for ProveError {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}

/// A number of GiB that is enough.
fn gibibytes(bytes: u64) -> u64 {
    bytes / (1 << 30) + 1
}
