//! Proof, from outside, that goroutines can never wake again: nothing that can still run can reach what they
//! wait on.
//!
//! Pure but for reading memory through [`MemoryReader`](crate::memory::MemoryReader): what is alive comes in through
//! `Roots`, and what the heap looks like through [`runtime::heap`](crate::runtime::heap). A mistake here may lose
//! a proof, but must never make one: whatever is not known counts as alive.

mod again;
mod agreement;
mod bits;
mod error;
mod follow;
mod marks;
mod objects;
mod pass;
mod paths;
mod retained;
mod sweep;
#[cfg(test)]
mod tests;
mod waiting;

pub use agreement::{Agreement, Rest};
pub use error::{ProofError, Unwatched, Watch};
pub use marks::Marks;
pub use objects::Objects;
pub use pass::{Moved, Pass, Roots, TellWord, pass};
pub use paths::{Paths, Root};
pub use retained::{GROUPS, Held, Retained, Retention};
pub use waiting::{Candidates, Doing, Sign};
