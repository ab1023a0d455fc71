//! The Go runtime seen through memory: what is where in its structs, and single goroutines.

mod goroutine;
pub mod layout;
mod references;
mod wait_reasons;

pub use goroutine::{Goroutine, GoroutineState, read_goroutine};
pub use wait_reasons::{WaitReasonError, WaitReasons};
