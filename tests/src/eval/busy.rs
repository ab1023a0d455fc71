//! How busy the machine is: verdicts that come late on a machine with too much to do say little.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Processor time of the whole machine so far, in ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Busy {
    idle: u64,
    total: u64,
}

/// Processor time of programs and agents that have ended so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Children {
    at: Instant,
    used: Duration,
}

impl Children {
    /// Until this moment; `None` where the kernel does not say.
    pub(super) fn now() -> Option<Self> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
        let micros = (usage.user_time() + usage.system_time()).num_microseconds();
        Some(Self {
            at: Instant::now(),
            used: Duration::from_micros(u64::try_from(micros).ok()?),
        })
    }

    /// What they took since then, in cores.
    pub(super) fn cores_until_now(self) -> Option<f64> {
        let used = Self::now()?.used.checked_sub(self.used)?;
        Some(used.as_secs_f64() / self.at.elapsed().as_secs_f64())
    }
}

impl Busy {
    /// Until this moment; `None` where the kernel does not say.
    pub(super) fn now() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        let words = stat.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = words
            .split_ascii_whitespace()
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        // user nice system idle iowait irq softirq steal; guests are in user already.
        Some(Self {
            idle: ticks.get(3)? + ticks.get(4)?,
            total: ticks.iter().take(8).sum(),
        })
    }

    /// The share of all processors that was not idle since then, from 0 to 1.
    pub(super) fn share_until_now(self) -> Option<f64> {
        Self::now()?.share_since(self)
    }

    #[allow(clippy::cast_precision_loss, reason = "ticks of hours fit a double")]
    fn share_since(self, before: Self) -> Option<f64> {
        let total = self.total.checked_sub(before.total).filter(|t| *t > 0)?;
        let idle = self.idle.saturating_sub(before.idle);
        Some(1.0 - idle as f64 / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::Busy;

    #[test]
    fn a_quarter_idle_is_three_quarters_busy() {
        let before = Busy::parse("cpu  100 0 100 100 0 0 0 0 0 0\ncpu0 1").unwrap();
        let after = Busy::parse("cpu  130 0 145 120 5 0 0 0 70 0\n").unwrap();
        assert!((after.share_since(before).unwrap() - 0.75).abs() < 1e-9);
        assert!(before.share_since(before).is_none());
        assert!(Busy::parse("cpu0 1 2 3").is_none());
    }
}
