//! The Go runtime seen through memory: what is where in its structs, all goroutines, what they
//! wait on.

mod age;
mod all_goroutines;
mod batch;
mod census;
mod contexts;
#[cfg(test)]
mod fake;
pub mod frames;
mod globals;
mod goroutine;
pub mod heap;
mod heap_size;
mod labels;
pub mod layout;
pub mod metrics;
pub mod modules;
mod references;
mod roster;
mod scheduler;
mod self_check;
mod slices;
mod stack;
mod state;
mod unwind;
mod wait_reasons;
mod waits;

pub use age::AgeScale;
pub use all_goroutines::{AllGoroutines, NotFound};
pub use batch::{Scope, read_goroutine, read_goroutines};
pub use census::{Census, Defects};
pub use contexts::done_channels;
pub use goroutine::{Goroutine, thread_id};
pub use heap_size::{HeapSize, HeapUse};
pub use labels::{Labels, LabelsLayout};
pub use roster::{Member, Moved, Roster};
pub use scheduler::{Activity, Scheduler};
pub use self_check::{SelfCheckError, self_check};
pub use state::GoroutineState;
pub use unwind::Unwinder;
pub use wait_reasons::{WaitReasonError, WaitReasons};
pub use waits::{Purpose, SemaphoreTable, Wait, WaitLayout, Waits};
