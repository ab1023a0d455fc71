//! One watched process: inspection, probes, observations, events.
//!
//! `Inspected` is what can be known without touching the kernel's tracing; `Session` adds the
//! probes and everything that changes.

mod cpu;
mod evidence;
mod inspect;
mod names;
mod program;
mod snapshot;
mod status;
mod watch;

pub use inspect::{Inspected, Options, SessionError};
pub use names::Names;
pub use program::Program;
pub use snapshot::{SnapshotError, snapshot};
pub use watch::Session;
