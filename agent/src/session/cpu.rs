//! The agent's own CPU time: all threads, user and system.

use std::time::{Duration, Instant};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};

/// Measures from call to call.
#[derive(Debug)]
pub(super) struct OwnCpu {
    at: Instant,
    used: Duration,
}

impl OwnCpu {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            at: now,
            used: used(),
        }
    }

    /// Cores used on average since the last call.
    pub(super) fn since_last(&mut self, now: Instant) -> f64 {
        let used = used();
        let spent = used.saturating_sub(self.used).as_secs_f64();
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        *self = Self { at: now, used };
        if passed > 0.0 { spent / passed } else { 0.0 }
    }
}

fn used() -> Duration {
    // It cannot fail with these arguments; a cost that is not known is not reported as growing.
    getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |usage| {
        let micros = (usage.user_time() + usage.system_time()).num_microseconds();
        Duration::from_micros(micros.try_into().unwrap_or(0))
    })
}
