//! What the agent takes: its own processor time and memory, and the time its probes take in targets.

use std::time::{Duration, Instant};

use nix::{
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike as _,
    },
    time::{ClockId, clock_gettime},
};

/// Shorter stretches say nothing.
const SHORTEST: Duration = Duration::from_secs(1);

/// What was spent beyond the budget is saved again over this time, and what is more than the budget of that time is
/// forgiven: who is watched must not be blind for long because many were started at once.
const REPAYMENT: Duration = Duration::from_secs(30);

/// Processor time so far, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spent {
    /// All threads of the agent.
    pub(super) agent: f64,
    /// Of that, what the watched processes have in their own accounts.
    pub(super) watching: f64,
    /// Of that, what profiles took.
    pub(super) profiles: f64,
    /// Probes in targets.
    pub(super) probes: f64,
}

/// Cores kept busy over a stretch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    /// Agent and probes.
    pub(super) all: f64,
    /// Of the agent, what belongs to no watched process, and was not asked for by anybody as a profile:
    /// discovery, exports, requests.
    pub(super) own: f64,
}

/// Measures from one look to the next.
#[derive(Debug)]
pub(super) struct Meter {
    last: (Instant, Spent),
    rate: Option<Rate>,
    /// Seconds of processor time beyond the budget that are not saved yet.
    debt: f64,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last: (now, Spent::default()),
            rate: None,
            debt: 0.0,
        }
    }

    /// Takes in what has been spent by `now`, where `budget` cores may be.
    pub(super) fn update(&mut self, now: Instant, spent: Spent, budget: f64) {
        let (then, before) = self.last;
        let passed = now.saturating_duration_since(then);
        if passed < SHORTEST {
            return;
        }
        let cores = |now: f64, before: f64| (now - before).max(0.0) / passed.as_secs_f64();
        let agent = cores(spent.agent, before.agent);
        let watching = cores(spent.watching, before.watching);
        let profiles = cores(spent.profiles, before.profiles);
        let probes = cores(spent.probes, before.probes);
        // What it took to begin is nobody's debt.
        if self.rate.is_some() && budget.is_finite() {
            let beyond = (agent - profiles + probes - budget) * passed.as_secs_f64();
            let most = budget * REPAYMENT.as_secs_f64();
            self.debt = (self.debt + beyond).clamp(0.0, most);
        }
        self.rate = Some(Rate {
            all: agent + probes,
            own: (agent - watching - profiles).max(0.0),
        });
        self.last = (now, spent);
    }

    /// Cores to stay below the budget by, for what was spent beyond it: starting to watch a process takes what it
    /// takes, and counts in nobody's share.
    pub(super) fn repayment(&self) -> f64 {
        self.debt / REPAYMENT.as_secs_f64()
    }

    /// Of late; `None` in the first second.
    pub(super) fn rate(&self) -> Option<Rate> {
        self.rate
    }
}

/// Processor time of the agent so far, user and system, in seconds.
pub(super) fn processor_time() -> f64 {
    // It cannot fail with these arguments; a cost that is not known is not reported as growing.
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| {
        (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
    })
}

/// Processor time of this thread so far.
pub(super) fn own_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Memory of the agent: RSS, in bytes; `None` where it cannot be read.
pub(super) fn resident() -> Option<u64> {
    let process = procfs::process::Process::myself().ok()?;
    Some(
        process
            .statm()
            .ok()?
            .resident
            .saturating_mul(procfs::page_size()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_in_an_account_is_the_agents_own() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        let at = |seconds| began + Duration::from_secs(seconds);
        let spent = |agent, watching, probes| Spent {
            agent,
            watching,
            profiles: 0.0,
            probes,
        };
        meter.update(at(0), spent(1.0, 0.0, 0.0), 0.02);
        assert_eq!(meter.rate(), None, "too short to say anything");
        meter.update(at(2), spent(0.04, 0.03, 0.02), 0.02);
        let rate = meter.rate().expect("measured");
        assert!(
            (rate.all - 0.03).abs() < 1e-9 && (rate.own - 0.005).abs() < 1e-9,
            "{rate:?}"
        );
        let profile = Spent {
            profiles: 1.9,
            ..spent(1.95, 0.03, 0.02)
        };
        meter.update(at(4), profile, 0.02);
        let rate = meter.rate().expect("measured");
        assert!(rate.all > 0.9 && rate.own < 0.01, "{rate:?}");
        assert!(meter.repayment() < 1e-9, "whoever asks for a profile pays");
    }

    #[test]
    fn what_was_spent_beyond_the_budget_is_saved_again() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        let mut agent = 0.0;
        let mut until = |seconds: u64, cores: f64| {
            agent += cores * 2.0;
            let spent = Spent {
                agent,
                ..Spent::default()
            };
            meter.update(began + Duration::from_secs(seconds), spent, 0.02);
            meter.repayment()
        };
        assert!(until(2, 0.5) < 1e-9, "to begin is nobody's debt");
        assert!(until(4, 0.02) < 1e-9);
        assert!(
            (until(6, 0.17) - 0.01).abs() < 1e-9,
            "0.3 s in half a minute"
        );
        assert!((until(8, 0.005) - 0.009).abs() < 1e-9);
        assert!(
            (until(10, 0.9) - 0.02).abs() < 1e-9,
            "never more than the budget"
        );
    }

    #[test]
    fn the_agents_own_time_and_memory() {
        assert!(processor_time() > 0.0);
        assert!(resident().is_some_and(|bytes| bytes > 1 << 20));
    }
}
