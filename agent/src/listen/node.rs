//! What the listener asks of the daemon.

use std::sync::Arc;

use crate::report::{Proof, Snapshot, node::NodeSample};

/// The daemon as the listener sees it. Calls come from the listener's threads, several at a time.
pub trait Node: Send + Sync + 'static {
    /// The newest sample. Cheap: called for each request.
    fn sample(&self) -> Arc<NodeSample>;

    /// Whether it does its work.
    ///
    /// # Errors
    /// Why not yet, in a sentence.
    fn readiness(&self) -> Result<(), String>;

    /// Whether it gets on.
    ///
    /// # Errors
    /// What is stuck, in a sentence.
    fn liveness(&self) -> Result<(), String>;

    /// Looks at process `pid` now. Blocks for as long as that takes: seconds, for a proof of a large
    /// heap minutes. The listener never asks twice at a time for the same process.
    ///
    /// # Errors
    /// It is not watched, has ended, or cannot be read.
    fn profile(&self, pid: i32, kind: ProfileKind) -> Result<Profile, ProfileError>;
}

/// Which profile, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProfileKind {
    /// All goroutines, those with everything in common counted together.
    Goroutine,
    /// All goroutines, each for itself.
    EachGoroutine,
    /// Goroutines proven to be leaked.
    GoroutineLeak,
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Profile {
    /// For [`ProfileKind::Goroutine`] and [`ProfileKind::EachGoroutine`].
    Goroutine(Box<Snapshot>),
    /// For [`ProfileKind::GoroutineLeak`].
    GoroutineLeak(Box<Proof>),
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Nobody watches that process.
    #[error("process {pid} is not watched; /debug/pprof/ lists those that are")]
    NotWatched {
        /// The pid asked for.
        pid: i32,
    },
    /// It ended, or became another program, meanwhile.
    #[error("process {pid} {became}, so there is no profile of it")]
    Gone {
        /// Its pid.
        pid: i32,
        /// What became of it.
        became: &'static str,
    },
    /// Others are at it.
    #[error("{why}; ask again in some seconds")]
    Busy {
        /// What is being done.
        why: &'static str,
    },
    /// It could not be read, or nothing can be proven of it.
    #[error("process {pid}: {reason}")]
    Failed {
        /// Its pid.
        pid: i32,
        /// The reason, in a sentence.
        reason: String,
    },
}
