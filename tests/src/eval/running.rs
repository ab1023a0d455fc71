//! Running one program and one agent.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::judging;
use super::recording::{Ending, Recording, Sighting};
use super::scenarios::Scenario;
use crate::agent::{self, Agent};
use crate::target::Target;

/// How long a program has been ready when somebody looks at it.
const READY_BEFORE: Duration = Duration::from_secs(2);
/// At most so long a leak is waited for, from its beginning; longer than any may take.
const LEAKING: Duration = Duration::from_secs(150);
/// When a leak is found: how long is listened for wrong verdicts on other sites.
const AFTERWARDS: Duration = Duration::from_secs(20);
/// The agent says something every five seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// How programs are watched.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For how long healthy ones.
    healthy: Duration,
    /// For how long leaking ones, from the beginning of the leak.
    leaking: Duration,
    /// Where all that the agents say is kept.
    events: Option<PathBuf>,
    /// What each agent may take, as on its command line.
    budget: &'static str,
}

impl Plan {
    /// As a user would do it.
    #[must_use]
    pub fn new(healthy: Duration) -> Self {
        Self {
            healthy,
            leaking: LEAKING,
            events: None,
            budget: agent::USERS_BUDGET,
        }
    }

    /// As before, but leaking programs are waited for no longer than this.
    #[must_use]
    pub fn with_leaking(mut self, leaking: Duration) -> Self {
        self.leaking = leaking;
        self
    }

    /// As before, but each agent may take as much as this.
    #[must_use]
    pub fn with_budget(mut self, budget: &'static str) -> Self {
        self.budget = budget;
        self
    }

    /// Keeps all that the agents say in this directory, a file for each program.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn with_events_kept(mut self, directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&directory)
            .with_context(|| format!("creating {}", directory.display()))?;
        self.events = Some(directory);
        Ok(self)
    }

    fn file_of(&self, scenario: &Scenario) -> io::Result<Option<File>> {
        self.events
            .as_ref()
            .map(|directory| File::create(directory.join(format!("{}.jsonl", scenario.name))))
            .transpose()
    }

    fn duration(&self, scenario: &Scenario) -> Duration {
        scenario
            .leaks
            .iter()
            .map(|leak| self.leaking + Duration::from_secs_f64(leak.starts_after_seconds))
            .max()
            .unwrap_or(self.healthy)
    }
}

/// Starts the program, attaches, and records until time is over.
#[must_use]
pub fn record(exe: &Path, scenario: &Scenario, plan: &Plan) -> Recording {
    let mut target = match Target::start(exe, &[&scenario.name], &[]) {
        Ok(target) => target,
        Err(error) => return Recording::without(Ending::NotStarted(format!("{error:#}"))),
    };
    let ready = Instant::now();
    std::thread::sleep(READY_BEFORE);
    // Without a memory: programs that run at a time are not to learn from each other.
    let agent = match Agent::attach(target.pid(), &["--budget", plan.budget]) {
        Ok(agent) => agent,
        Err(error) => return Recording::without(Ending::NotStarted(format!("{error:#}"))),
    };
    let mut recording = Recording::without(Ending::Complete);
    recording.ready_before = (agent.started - ready).as_secs_f64();
    let started = agent.started;
    let heard = listen(&agent, scenario, plan, &mut recording.sightings);
    recording.watched = started.elapsed().as_secs_f64();
    recording.ending = ending(heard, agent, &mut target, &mut recording.sightings);
    recording
}

/// Why listening ended.
enum Heard {
    /// Time was over.
    Enough,
    /// The agent closed its output.
    Closed,
    /// It says nothing, or what is not understood.
    Unclear(String),
}

fn listen(agent: &Agent, scenario: &Scenario, plan: &Plan, sightings: &mut Vec<Sighting>) -> Heard {
    let mut kept = match plan.file_of(scenario) {
        Ok(kept) => kept,
        Err(error) => return Heard::Unclear(format!("its events cannot be kept: {error}")),
    };
    let mut until = agent.started + plan.duration(scenario);
    let mut settled = false;
    loop {
        // Status events come all the time, so that nothing is waited for past the end for long.
        let (when, event) = match agent.event(Instant::now() + SILENCE) {
            Ok(Some(event)) => event,
            Ok(None) => return Heard::Closed,
            Err(error) => return Heard::Unclear(format!("{error:#}")),
        };
        let after = (when - agent.started).as_secs_f64();
        if let Some(kept) = &mut kept
            && let Err(error) = writeln!(kept, "{event}")
        {
            return Heard::Unclear(format!("its events cannot be kept: {error}"));
        }
        match Sighting::of(after, &event) {
            Ok(sighting) => sightings.extend(sighting),
            Err(error) => return Heard::Unclear(format!("{error:#}: {event}")),
        }
        if !settled && judging::is_settled(scenario, sightings) {
            settled = true;
            until = until.min(when + AFTERWARDS);
        }
        if when >= until {
            return Heard::Enough;
        }
    }
}

/// Stops the agent and says how all ended.
fn ending(heard: Heard, agent: Agent, target: &mut Target, late: &mut Vec<Sighting>) -> Ending {
    let started = agent.started;
    let end = match heard {
        Heard::Unclear(how) => return Ending::AgentUnclear(how),
        Heard::Enough => match target.is_running() {
            Ok(true) => agent.stop(),
            Ok(false) => return died(target),
            Err(error) => return Ending::ProgramDied(format!("{error:#}")),
        },
        Heard::Closed => agent.end(),
    };
    let end = match end {
        Ok(end) => end,
        Err(error) => return Ending::AgentUnclear(format!("{error:#}")),
    };
    if matches!(heard, Heard::Closed) {
        // It ends with the program, and then it is the program's fault.
        return match target.is_running() {
            Ok(false) => died(target),
            _ => Ending::AgentEnded(format!("status {:?}, {}", end.code, end.stderr.trim())),
        };
    }
    // What it said while it was being stopped counts too.
    let after = started.elapsed().as_secs_f64();
    for event in &end.events {
        match Sighting::of(after, event) {
            Ok(sighting) => late.extend(sighting),
            Err(error) => return Ending::AgentUnclear(format!("{error:#}: {event}")),
        }
    }
    if end.code == Some(0) {
        Ending::Complete
    } else {
        Ending::AgentEnded(format!("status {:?}, {}", end.code, end.stderr.trim()))
    }
}

fn died(target: &mut Target) -> Ending {
    Ending::ProgramDied(match target.wait() {
        Ok(status) => status.to_string(),
        Err(error) => format!("{error:#}"),
    })
}

#[cfg(test)]
#[path = "running_tests.rs"]
mod tests;
