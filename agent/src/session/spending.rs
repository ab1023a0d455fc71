//! What watching costs: the agent's own processor time, all threads, user and system, and that of the
//! probes in the target.

use std::time::{Duration, Instant};

use nix::{
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike as _,
    },
    time::{ClockId, clock_gettime},
};

/// Shorter stretches say nothing: the clock behind the figure has ticks, and the start is work.
const SHORTEST: Duration = Duration::from_secs(1);

/// Processor time used up to some moment, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Used {
    pub(super) agent: f64,
    pub(super) target: f64,
}

/// Whose processor time counts as the agent's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accounting {
    /// All threads': the agent does nothing but watch this one process.
    #[default]
    Agent,
    /// That of the thread that the session lives on, and of its proofs: the agent watches others too.
    Thread,
}

impl Accounting {
    /// Processor time used so far, in seconds.
    pub(super) fn used(self) -> f64 {
        match self {
            Self::Agent => of_agent(),
            Self::Thread => of_thread(),
        }
    }
}

impl Used {
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            agent: (self.agent - earlier.agent).max(0.0),
            target: (self.target - earlier.target).max(0.0),
        }
    }
}

/// Cores that were kept busy on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cores {
    pub(super) agent: f64,
    pub(super) target: f64,
}

impl Cores {
    pub(super) fn total(self) -> f64 {
        self.agent + self.target
    }
}

/// Measures from one call to a later one, at least a second apart, and from the beginning.
#[derive(Debug)]
pub(super) struct Spending {
    began: (Instant, Used),
    last: (Instant, Used),
    lately: Option<Cores>,
    average: Option<Cores>,
}

impl Spending {
    pub(super) fn new(now: Instant, used: Used) -> Self {
        let begin = (now, used);
        Self {
            began: begin,
            last: begin,
            lately: None,
            average: None,
        }
    }

    /// Takes in what was used up to `now`.
    pub(super) fn update(&mut self, now: Instant, used: Used) {
        let cores = |(then, before): (Instant, Used)| {
            let passed = now.saturating_duration_since(then);
            let spent = used.since(before);
            (passed >= SHORTEST).then(|| Cores {
                agent: spent.agent / passed.as_secs_f64(),
                target: spent.target / passed.as_secs_f64(),
            })
        };
        if let Some(lately) = cores(self.last) {
            self.lately = Some(lately);
            self.last = (now, used);
        }
        self.average = cores(self.began).or(self.average);
    }

    /// Over the last stretch; `None` before there has been one.
    pub(super) fn lately(&self) -> Option<Cores> {
        self.lately
    }

    /// Since watching began.
    pub(super) fn average(&self) -> Option<Cores> {
        self.average
    }
}

fn of_agent() -> f64 {
    // It cannot fail with these arguments; a cost that is not known is not reported as growing.
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| {
        (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
    })
}

/// Processor time of this thread so far, in seconds.
pub(super) fn of_thread() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(0.0, |time| Duration::from(time).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_over_the_last_stretch_and_over_all() {
        let began = Instant::now();
        let start = Used {
            agent: 4.0,
            target: 0.0,
        };
        let mut spending = Spending::new(began, start);
        let at = |seconds| began + Duration::from_secs(seconds);
        let used = |agent, target| Used {
            agent: start.agent + agent,
            target,
        };
        spending.update(began + Duration::from_millis(500), used(0.5, 0.0));
        assert_eq!(spending.lately(), None, "too short to say anything");
        spending.update(at(2), used(0.02, 0.01));
        spending.update(at(4), used(0.02, 0.05));
        let close = |cores: Option<Cores>, agent: f64, target: f64| {
            let cores = cores.expect("measured");
            (cores.agent - agent).abs() < 1e-6 && (cores.target - target).abs() < 1e-6
        };
        assert!(close(spending.lately(), 0.0, 0.02));
        assert!(close(spending.average(), 0.005, 0.0125));
    }
}
