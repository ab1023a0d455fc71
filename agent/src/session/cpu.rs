//! The agent's own CPU time: all threads, user and system.

use std::time::{Duration, Instant};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};

/// Shorter stretches say nothing: the clock behind the figure has ticks, and the start is work.
const SHORTEST: Duration = Duration::from_secs(1);

/// Measures from one call to a later one, at least a second apart.
#[derive(Debug)]
pub(super) struct OwnCpu {
    at: Instant,
    used: Duration,
    cores: Option<f64>,
}

impl OwnCpu {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            at: now,
            used: used(),
            cores: None,
        }
    }

    /// Cores used on average over the last stretch; `None` before there has been one.
    pub(super) fn cores(&mut self, now: Instant) -> Option<f64> {
        let passed = now.saturating_duration_since(self.at);
        if passed >= SHORTEST {
            let used = used();
            let spent = used.saturating_sub(self.used).as_secs_f64();
            *self = Self {
                at: now,
                used,
                cores: Some(spent / passed.as_secs_f64()),
            };
        }
        self.cores
    }
}

fn used() -> Duration {
    // It cannot fail with these arguments; a cost that is not known is not reported as growing.
    getrusage(UsageWho::RUSAGE_SELF).map_or(Duration::ZERO, |usage| {
        let micros = (usage.user_time() + usage.system_time()).num_microseconds();
        Duration::from_micros(micros.try_into().unwrap_or(0))
    })
}
