//! What is measured over a few seconds.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// How long one is.
pub(super) const LENGTH: Duration = Duration::from_millis(3500);

/// What the program did over a few seconds, and what it took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// A second.
    pub(super) operations: f64,
    /// Processor time, kernel and probes included.
    pub(super) cores: f64,
    /// The 99th percentile of the requests' latencies in milliseconds, where there are requests.
    pub(super) late: Option<f64>,
}

impl Window {
    /// Halfway between two.
    pub(super) fn between(self, other: Self) -> Self {
        let late = self.late.zip(other.late);
        Self {
            operations: f64::midpoint(self.operations, other.operations),
            cores: f64::midpoint(self.cores, other.cores),
            late: late.map(|(a, b)| f64::midpoint(a, b)),
        }
    }
}

/// What was read of the agent in one window.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    /// The agent's own processor time, as the kernel counts it.
    pub(super) cores: f64,
    /// The agent's processor time, as it says itself.
    pub(super) stated_agent: f64,
    /// The probes' in the program, as it says.
    pub(super) stated_target: f64,
    /// What was watched.
    pub(super) modes: Vec<String>,
}

impl Watched {
    /// All that watching costs, as the agent says.
    pub(super) fn stated(&self) -> f64 {
        self.stated_agent + self.stated_target
    }
}

/// Two windows without the agent and one with it, right after one another.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// Without.
    pub(super) first: Window,
    /// Without, once more: what differs from the first is noise.
    pub(super) second: Window,
    /// With it.
    pub(super) with: Window,
    /// What the agent did and said meanwhile.
    pub(super) watched: Watched,
}

impl Round {
    /// Without the agent.
    pub(super) fn without(&self) -> Window {
        self.first.between(self.second)
    }
}

/// All threads' of a process, those that have ended included. Its clock counts nanoseconds, where
/// `/proc/PID/stat` has ticks of ten milliseconds: a third of a per cent of a window.
pub(super) fn processor_time(pid: u32) -> Result<Duration> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(i32::try_from(pid)?))
        .with_context(|| format!("process {pid} has no clock"))?;
    Ok(clock_gettime(clock)?.into())
}

/// In milliseconds; `None` without any.
pub(super) fn percentile_99(mut latencies: Vec<Duration>) -> Option<f64> {
    let rank = (latencies.len() * 99).div_ceil(100).checked_sub(1)?;
    let (_, value, _) = latencies.select_nth_unstable(rank);
    Some(value.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_is_later_than_the_percentile() {
        let latencies = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile_99(latencies), Some(198.0));
        assert_eq!(percentile_99(vec![Duration::from_millis(7)]), Some(7.0));
        assert_eq!(percentile_99(Vec::new()), None);
    }

    #[test]
    fn a_process_has_a_clock() {
        let me = std::process::id();
        let before = processor_time(me).expect("it is alive");
        assert!(processor_time(me).expect("it is alive") >= before);
    }
}
