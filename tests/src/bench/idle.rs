//! Processor time and memory of an agent whose target does next to nothing.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::verdict;
use crate::agent::{self, Agent};
use crate::go;
use crate::lines::PATIENCE;
use crate::target::Target;
use crate::usage;

const WATCHED: Duration = Duration::from_secs(30);

/// Prints the table.
///
/// # Errors
/// A build, a program or the agent fails.
pub fn run() -> Result<()> {
    let exe = go::build_big(&go::newest()?, true)?;
    let target = Target::start(&exe, &[], &[])?;
    let agent = Agent::attach(target.pid(), &["--budget", agent::USERS_BUDGET])?;
    let patience = Instant::now() + PATIENCE;
    let (start, _) = agent.wait_before(patience, "status", |_| true)?;
    let before = usage::cpu(agent.pid())?;
    // Events tell the time here: the one that comes half a minute after the first ends the watch.
    let mut end = start;
    while end - start < WATCHED {
        (end, _) = agent.wait_before(end + PATIENCE, "status", |_| true)?;
    }
    let used = usage::cpu(agent.pid())?.saturating_sub(before);
    let ratio = used.as_secs_f64() / (end - start).as_secs_f64();
    println!("| agent with an idle target | |");
    println!("|---|---|");
    println!("| watched, s | {:.1} |", (end - start).as_secs_f64());
    println!(
        "| processor time, % of a core | {:.2}{} |",
        ratio * 100.0,
        verdict(ratio < 0.01)
    );
    println!(
        "| RSS, MB | {:.0} |",
        usage::memory(agent.pid(), "VmRSS")? as f64 / 1e6
    );
    agent.stop_cleanly()?;
    Ok(())
}
