//! The agent while a window passes, and until it finds the leak.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::windows::{self, Watched};
use crate::agent::{self, Agent};
use crate::lines::PATIENCE;

/// Attaching is work, and the agent decides only then how much it can watch. A little less than three
/// statuses, so that the third is never just too early.
const SETTLE: Duration = Duration::from_millis(2900);
/// How long a leak may stay unknown.
pub(super) const LIMIT: Duration = Duration::from_secs(90);
/// The function in the program that loses goroutines.
const LEAKS: &str = "main.leak";

/// The leak, as it was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// From the agent's start.
    pub(super) after: Duration,
    /// How sure the agent was.
    pub(super) verdict: String,
}

/// An agent whose events are all read, so that nothing that comes between two windows is missed.
pub(super) struct Watch {
    agent: Agent,
    /// A goroutine's creation and end, in seconds; `None` where no probe was calibrated.
    pub(super) cost_of_goroutine: Option<f64>,
    found: Option<Found>,
}

impl Watch {
    /// Attaches, and waits until the agent has found its way of watching.
    pub(super) fn attach(pid: u32) -> Result<Self> {
        let agent = Agent::attach(pid, &["--budget", agent::USERS_BUDGET, "--interval", "1s"])?;
        let attached = agent.attached()?;
        let mut watch = Self {
            agent,
            cost_of_goroutine: attached["cost_of_hits"]["goroutine_seconds"].as_f64(),
            found: None,
        };
        let settled = Instant::now() + SETTLE;
        while watch.status()?.0 < settled {}
        Ok(watch)
    }

    /// What the agent does and says from now until a window has passed. It ends with a status, and begins
    /// behind one, by as much as the program takes to answer; so the first status speaks of a little more.
    pub(super) fn window(&mut self) -> Result<Watched> {
        let begin = Instant::now();
        let used = windows::processor_time(self.agent.pid())?;
        let (mut agent, mut target, mut modes) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let (when, status) = self.status()?;
            let overhead = &status["overhead"];
            agent.extend(overhead["agent_cpu_ratio"].as_f64());
            target.extend(overhead["target_cpu_ratio"].as_f64());
            let mode = status["mode"].as_str().context("a status has a mode")?;
            if modes.last().is_none_or(|last| last != mode) {
                modes.push(mode.to_owned());
            }
            if when - begin >= windows::LENGTH {
                break;
            }
        }
        let used = windows::processor_time(self.agent.pid())?.saturating_sub(used);
        Ok(Watched {
            cores: used.as_secs_f64() / begin.elapsed().as_secs_f64(),
            stated_agent: mean(&agent).context("no status says what the agent uses")?,
            stated_target: mean(&target).context("no status says what the probes use")?,
            modes,
        })
    }

    /// Waits for the leak, unless it was found already; `None` at the limit.
    pub(super) fn find(&mut self) -> Result<Option<Found>> {
        let limit = self.agent.started + LIMIT;
        while self.found.is_none() && Instant::now() < limit {
            self.status()?;
        }
        Ok(self.found.clone().filter(|found| found.after <= LIMIT))
    }

    /// Ends it.
    pub(super) fn stop(self) -> Result<()> {
        self.agent.stop_cleanly().map(drop)
    }

    /// The next status; a leak that comes before it is remembered.
    fn status(&mut self) -> Result<(Instant, Value)> {
        loop {
            let (when, event) = self
                .agent
                .event(Instant::now() + PATIENCE)?
                .context("the agent ended while it should watch")?;
            match event["event"].as_str() {
                Some("status") => return Ok((when, event)),
                Some("leak") if is_ours(&event) && self.found.is_none() => {
                    self.found = Some(Found {
                        after: when - self.agent.started,
                        verdict: event["verdict"].as_str().unwrap_or_default().to_owned(),
                    });
                }
                _ => {}
            }
        }
    }
}

fn is_ours(leak: &Value) -> bool {
    leak["site"]["created_at"]["function"] == LEAKS
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
