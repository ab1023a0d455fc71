//! One process at one moment, and what happened to it.

use std::{borrow::Cow, sync::Arc, time::SystemTime};

use serde::Serialize;

use super::{Identity, RuntimeMetrics};
use crate::report::{Event, Status};

/// An event of one of the watched processes.
#[derive(Clone, Debug)]
pub struct TargetEvent {
    /// Whose.
    pub target: Arc<Identity>,
    /// What.
    pub event: Event,
}

/// What is known of one process at one moment. All counts rise from [`Self::began`] on.
#[derive(Clone, Debug)]
pub struct TargetSample {
    /// Which process.
    pub target: Arc<Identity>,
    /// Since when it is watched: the start of all counts.
    pub began: SystemTime,
    /// When this was taken.
    pub taken: SystemTime,
    /// As `attach` tells it: mode, overhead, sites with their counts, open leaks.
    pub status: Status,
    /// Its goroutines at the last look; `None` before the first.
    pub goroutines: Option<Vec<StateCount>>,
    /// Leaks told since it began, by verdict: suspect, likely, proven.
    pub leaks_told: [u64; 3],
    /// What the Go runtime counts of itself.
    pub runtime: RuntimeMetrics,
}

/// How many goroutines are in one state, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateCount {
    /// The state.
    pub state: GoroutineState,
    /// The runtime's words for what they wait on; `None` for those that do not wait.
    pub wait_reason: Option<Cow<'static, str>>,
    /// How many.
    pub count: u64,
}

/// What a goroutine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GoroutineState {
    /// It waits for a processor.
    Runnable,
    /// It runs.
    Running,
    /// It is in a system call or in C.
    Syscall,
    /// It is parked.
    Waiting,
    /// Anything else: preempted, its stack is copied, dying, or a state that is not known.
    Other,
}

impl GoroutineState {
    /// As in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Syscall => "syscall",
            Self::Waiting => "waiting",
            Self::Other => "other",
        }
    }
}
