//! Thirty processes in containers that come, go and change at random under one daemon, which is asked again and
//! again whom it watches.

mod house;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::containers::Hierarchy;
use crate::go::{self, Mode, Toolchain};
use crate::node::{Node, Spent};
use crate::random::Random;
use house::{House, PROCESSES};

const CONTAINERS: usize = 9;
/// Changes between two comparisons.
const CHANGES: usize = 6;
/// From one comparison to the next at least: two changes a second are a busy node. Without it the load would be as
/// high as the daemon is quick.
const PACE: Duration = Duration::from_secs(3);
/// What starting to watch a process may take in one go, beyond the budget of that moment, in seconds: on machines
/// that are ten times as slow, in an unoptimised build. The bench holds the release build to the budget alone.
const EACH_START: f64 = 0.05;

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The verdict on the leak, and how long it had been leaking when it was looked at.
    pub verdict: (String, Duration),
    /// What was done how often.
    pub done: BTreeMap<&'static str, usize>,
    /// Programs started.
    pub started: usize,
    /// Until all that were there at first were watched.
    pub first: Duration,
    /// Until all was right again after some changes: at most.
    pub slowest: Duration,
    /// What the daemon took.
    pub spent: Spent,
    /// Its memory in bytes, as it says.
    pub memory: u64,
    /// Its errors and drops, as it says.
    pub troubles: Value,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}; {} programs started; the first watched after {:.1?}, later all right within {:.1?}; the leak is \
             {} after {:.0?}; the agent took {:.2} % and its probes {:.2} % of a core in {:.0} s, RSS {} MB; {}",
            self.done,
            self.started,
            self.first,
            self.slowest,
            self.verdict.0,
            self.verdict.1,
            self.spent.agent * 100.0,
            self.spent.probes * 100.0,
            self.spent.passed,
            self.memory / 1_000_000,
            self.troubles
        )
    }
}

/// Programs of several releases, stripped, under their own names in one directory: the newest, and every
/// third before it.
///
/// # Errors
/// A build fails.
pub fn programs(releases: &[Toolchain], directory: &Path) -> Result<Vec<String>> {
    let chosen = releases.iter().rev().step_by(3);
    chosen
        .map(|toolchain| {
            let name = format!("lodger-{}", toolchain.minor());
            let exe = go::build("lodger", toolchain, Mode::Stripped)?;
            std::fs::copy(exe, directory.join(&name))?;
            Ok(name)
        })
        .collect()
}

/// The verdict on the leak, which is told at the statement that leaks.
fn verdict(target: &Value) -> Result<String> {
    let leaks = target["leaks"].as_array().context("no leaks")?;
    let at = |leak: &Value| leak["site"]["created_at"]["function"] == "main.leak";
    let found = leaks.iter().find(|leak| at(leak));
    let found = found.with_context(|| format!("the leak is not found among {leaks:?}"))?;
    Ok(found["verdict"].as_str().context("no verdict")?.to_owned())
}

/// Does it for so long under a budget of so many cores, with changes that follow from `seed`.
///
/// # Errors
/// A process is lost, stale or not known as what it is; the leak is not found; the daemon took more than it may.
pub fn run(releases: &[Toolchain], length: Duration, seed: u64, budget: f64) -> Result<Outcome> {
    let directory = tempfile::tempdir()?;
    let names = programs(releases, directory.path())?;
    let hierarchy = Hierarchy::new("chaos")?;
    let mut house = House {
        hierarchy: &hierarchy,
        programs: directory.path(),
        names,
        random: Random::new(seed),
        containers: Vec::new(),
        lodgers: Vec::new(),
        started: 0,
        done: BTreeMap::new(),
    };
    let mut node = Node::start(&format!(
        "[node]\nbudget = \"{}%\"\nmemory = \"256MB\"\ninterval = \"1s\"\nhistory = false\n\n\
         [stdout]\n\n[[watch]]\ncgroup = \"{}/**\"\n",
        budget * 100.0,
        hierarchy.path()
    ))?;
    for _ in 0..CONTAINERS {
        let container = house.container()?;
        house.containers.push(container);
    }
    for n in 0..PROCESSES {
        house.start_in(n % CONTAINERS)?;
    }
    let leaking = &mut house.lodgers[0];
    leaking.leaks = true;
    leaking.member.target.ask("leak 5")?;
    let leaking = leaking.member.pid;

    let began = Instant::now();
    let first = node.until(|watched| house.compare(watched))?;
    let mut slowest = Duration::ZERO;
    while began.elapsed() < length {
        let next = Instant::now() + PACE;
        for _ in 0..CHANGES {
            house.change()?;
        }
        let took = node.until(|watched| house.compare(watched));
        slowest = slowest.max(took.with_context(|| format!("after {:?}", house.done))?);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let mut found = String::new();
    node.until(|watched| {
        found = verdict(watched.get(&leaking).context("the leaking one is lost")?)?;
        Ok(())
    })?;
    let after = began.elapsed();
    let spent = node.spent()?;
    let agent = node.status()?["agent"].take();
    let outcome = Outcome {
        verdict: (found, after),
        done: house.done.clone(),
        started: house.started,
        first,
        slowest,
        spent,
        memory: agent["memory_bytes"].as_u64().context("no memory_bytes")?,
        troubles: serde_json::json!({"errors": agent["errors"], "drops": agent["drops"]}),
    };
    let allowed = budget * spent.passed + EACH_START * house.started as f64;
    let used = (spent.agent + spent.probes) * spent.passed;
    ensure!(
        used <= allowed,
        "{used:.2} s of processor time, {allowed:.2} are allowed: {outcome}"
    );
    ensure!(outcome.memory < 256_000_000, "too much memory: {outcome}");
    house.lodgers.clear();
    house.containers.clear();
    node.until(|watched| {
        ensure!(watched.is_empty(), "{} are stale", watched.len());
        Ok(())
    })?;
    node.stop()?;
    Ok(outcome)
}
