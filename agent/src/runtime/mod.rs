//! The Go runtime seen through memory: what is where in its structs, and single goroutines.

mod all_goroutines;
mod census;
mod goroutine;
pub mod layout;
mod references;
mod wait_reasons;

pub use all_goroutines::{AllGoroutines, NotFound};
pub use census::{Census, Defects};
pub use goroutine::{Goroutine, GoroutineState, read_goroutine};
pub use wait_reasons::{WaitReasonError, WaitReasons};
