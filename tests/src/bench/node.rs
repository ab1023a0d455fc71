//! What a daemon takes that watches many processes, how soon it watches a new one, and whether it keeps up with
//! processes that come and go.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Spread, verdict};
use crate::chaos;
use crate::go::{self, Mode};
use crate::lines::PATIENCE;
use crate::many_sites::{self, SITES};
use crate::node::Node;
use crate::target::Target;
use crate::usage;

/// Of the node, in cores.
const BUDGET: f64 = 0.02;
const COUNTS: [usize; 4] = [1, 10, 50, 200];
/// One in so many is busy.
const BUSY: usize = 10;
/// What the probes of those that have just come see first is behind them after this time.
const SETTLING: Duration = Duration::from_secs(20);
const WINDOW: Duration = Duration::from_secs(30);
const CHAOS: Duration = Duration::from_secs(300);
/// From the start of a process to the first event that tells of it, in seconds.
const SOON: f64 = 1.0;
/// RSS with 50 processes, in MB.
const MEMORY: (usize, f64) = (50, 150.0);
const MEGA: f64 = 1e6;

/// Prints the tables.
///
/// # Errors
/// A build, a program or the daemon fails.
pub fn run(arguments: &[String]) -> Result<()> {
    if arguments.is_empty() {
        println!(
            "| processes | watched after, s | agent, % of a core | its probes, % | both, of {:.0} % | RSS, MB | /metrics, kB | |",
            BUDGET * 100.0
        );
        println!("|---|---|---|---|---|---|---|---|");
        for count in COUNTS {
            row(count)?;
        }
        println!();
        many_sites()?;
        println!();
    }
    let seconds = arguments.iter().skip_while(|it| *it != "--chaos").nth(1);
    let length = seconds.map(|seconds| seconds.parse()).transpose()?;
    let length = length.map_or(CHAOS, Duration::from_secs);
    let seed = u64::from(std::process::id());
    println!("{length:?} of processes that come and go, seed {seed}:");
    let outcome = chaos::run(&go::toolchains()?, length, seed, BUDGET)?;
    let kept = outcome.spent.agent + outcome.spent.probes <= BUDGET;
    println!("{outcome}{}", verdict(kept));
    Ok(())
}

fn node(memory: &str) -> Result<Node> {
    Node::start(&format!(
        "[node]\nbudget = \"{}%\"\nmemory = \"{memory}\"\nhistory = false\n\n[stdout]\nevents = \"all\"\n\n\
         [[watch]]\nname = \"lodger*\"\n[[watch]]\nname = \"manysites*\"\n",
        BUDGET * 100.0
    ))
}

/// As many processes, one after the other.
fn row(count: usize) -> Result<()> {
    let exe = go::build("lodger", &go::newest()?, Mode::Stripped)?;
    let mut node = node("256MB")?;
    let mut targets = Vec::new();
    let mut delays = Vec::new();
    for n in 0..count {
        let started = Instant::now();
        let mut target = Target::start(&exe, &[], &[])?;
        let pid = target.pid();
        let (when, _) = node
            .agent
            .wait_before(Instant::now() + PATIENCE, "attached", |event| {
                event["pid"] == pid
            })?;
        delays.push((when - started).as_secs_f64());
        target.ask("idle 20")?;
        if n == 0 {
            target.ask("leak 5")?;
        } else if n % BUSY == 0 {
            target.ask("create 1000")?;
        }
        targets.push(target);
    }
    std::thread::sleep(SETTLING);
    let (agent, probes) = over_a_window(&mut node)?;
    let memory = usage::memory(node.agent.pid(), "VmRSS")? as f64 / MEGA;
    let metrics = node.get("/metrics")?.len();
    let delays = Spread::of(&delays);
    let kept =
        agent + probes <= BUDGET && delays.max <= SOON && (count != MEMORY.0 || memory <= MEMORY.1);
    println!(
        "| {count} | {delays:.2} | {:.2} | {:.2} | {:.2} | {memory:.0} | {:.0} |{} |",
        agent * 100.0,
        probes * 100.0,
        (agent + probes) * 100.0,
        metrics as f64 / 1e3,
        verdict(kept)
    );
    drop(targets);
    node.stop()?;
    Ok(())
}

/// What agent and probes take, in cores.
fn over_a_window(node: &mut Node) -> Result<(f64, f64)> {
    let probes = |node: &mut Node| -> Result<f64> {
        let status = node.status()?;
        let seconds = status["agent"]["probes_seconds"].as_f64();
        seconds.context("no probes_seconds")
    };
    let (began, used) = (Instant::now(), usage::cpu(node.agent.pid())?);
    let before = probes(node)?;
    std::thread::sleep(WINDOW);
    let passed = began.elapsed().as_secs_f64();
    let used = usage::cpu(node.agent.pid())?.saturating_sub(used);
    let probed = probes(node)? - before;
    Ok((used.as_secs_f64() / passed, probed / passed))
}

/// One program with ten thousand sites.
fn many_sites() -> Result<()> {
    let exe = many_sites::build()?;
    let mut node = node("256MB")?;
    let target = Target::start(&exe, &[], &[])?;
    let pid = target.pid();
    node.until(|watched| {
        let sites = watched.get(&pid).and_then(|it| it["sites"].as_u64());
        anyhow::ensure!(
            sites.is_some_and(|sites| sites > SITES as u64 / 2),
            "{sites:?} sites"
        );
        Ok(())
    })?;
    let before = usage::memory(node.agent.pid(), "VmRSS")? as f64 / MEGA;
    let began = Instant::now();
    let metrics = node.get("/metrics")?.len();
    let took = began.elapsed().as_secs_f64();
    let peak = usage::memory(node.agent.pid(), "VmHWM")? as f64 / MEGA;
    let (agent, probes) = over_a_window(&mut node)?;
    println!("| a program with {SITES} sites | |");
    println!("|---|---|");
    println!("| RSS, and at most, MB | {before:.0}, {peak:.0} |");
    println!("| /metrics, kB | {:.0} |", metrics as f64 / 1e3);
    println!("| /metrics, s | {took:.2} |");
    println!(
        "| agent and probes, % of a core | {:.2}{} |",
        (agent + probes) * 100.0,
        verdict(agent + probes <= BUDGET)
    );
    node.stop()?;
    Ok(())
}
