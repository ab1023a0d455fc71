//! What a goroutine does, as the scheduler notes it.

/// `_Gscan`, a bit the collector sets while it looks at a stack.
pub(super) const SCAN_BIT: u32 = 0x1000;

/// `g.atomicstatus` without the scan bit
/// (`src/runtime/runtime2.go`; the last two exist from Go 1.26 on).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GoroutineState {
    /// Allocated, not initialised.
    Idle,
    /// On a run queue.
    Runnable,
    /// Executing Go code.
    Running,
    /// In a system call.
    Syscall,
    /// Parked.
    Waiting,
    /// Ended, or not yet begun.
    Dead,
    /// Its stack is being moved.
    CopyStack,
    /// Stopped itself for a suspension.
    Preempted,
    /// The runtime found that it can never wake.
    Leaked,
    /// A thread's extra goroutine, not in use.
    DeadExtra,
    /// None that is known.
    Unknown(u32),
}

impl From<u32> for GoroutineState {
    fn from(status: u32) -> Self {
        match status & !SCAN_BIT {
            0 => Self::Idle,
            1 => Self::Runnable,
            2 => Self::Running,
            3 => Self::Syscall,
            4 => Self::Waiting,
            6 => Self::Dead,
            8 => Self::CopyStack,
            9 => Self::Preempted,
            10 => Self::Leaked,
            11 => Self::DeadExtra,
            other => Self::Unknown(other),
        }
    }
}

impl GoroutineState {
    /// Whether there is no goroutine in this `g`, or not yet.
    #[must_use]
    pub fn is_free(self) -> bool {
        matches!(self, Self::Idle | Self::Dead | Self::DeadExtra)
    }

    /// Whether it is parked, so that it has a reason to wait.
    #[must_use]
    pub fn is_parked(self) -> bool {
        matches!(self, Self::Waiting | Self::Leaked)
    }

    /// The word that Go's own tracebacks use (`gStatusStrings` in `src/runtime/traceback.go`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Runnable => "runnable",
            Self::Running => "running",
            Self::Syscall => "syscall",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
            Self::CopyStack => "copystack",
            Self::Preempted => "preempted",
            Self::Leaked => "leaked",
            Self::DeadExtra => "extra",
            Self::Unknown(_) => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scan_bit_is_no_state() {
        assert_eq!(GoroutineState::from(0x1004), GoroutineState::Waiting);
        assert_eq!(GoroutineState::from(0x99), GoroutineState::Unknown(0x99));
    }
}
