//! One watched process: inspection, probes, observations, events.
//!
//! `Inspected` is what can be known without touching the kernel's tracing; `Session` adds the
//! probes and everything that changes.

mod attach;
mod births;
mod core;
mod core_match;
mod evidence;
mod govern;
mod impact;
mod inspect;
mod judge;
mod landmarks;
mod leak;
mod load;
mod names;
mod pass;
mod past;
mod patterns;
mod probing;
mod program;
mod prove;
mod proven;
mod proving;
mod recall;
mod runtime_metrics;
mod snapshot;
mod spending;
mod states;
mod status;
mod watch;
mod work;

pub use self::core::{CoreError, CoreProgram};
pub use govern::Ticked;
pub use inspect::{Inspected, Options, SessionError};
pub use landmarks::{Landmarks, LandmarksError};
pub use names::Names;
pub use program::Program;
pub use prove::{
    DEFAULT_PASSES, DEFAULT_PAUSE, Phase, Progress, ProveError, ProveOptions, prove, why,
};
pub use snapshot::{SnapshotError, SnapshotOptions, Subject, snapshot};
pub use spending::Accounting;
pub use watch::Session;
pub use work::Work;
