//! How long probes go on costing something when a program's load leaps up.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Spread, verdict};
use crate::agent::Agent;
use crate::target::Target;
use crate::{go, probes};

const ROUNDS: usize = 7;
/// Until the programs return at once, and until the probes are gone, in ms.
const TARGETS: (f64, f64) = (100.0, 1000.0);

/// Prints the table.
///
/// # Errors
/// A build, the program or the agent fails.
pub fn run() -> Result<()> {
    println!(
        "| budget | creations a second before and after | programs stop working after, ms | probes gone after, ms | hits until then | of those turned away | |"
    );
    println!("|---|---|---|---|---|---|---|");
    let each = with_probes()?;
    for budget in ["1%", "10%"] {
        let mut rounds = Vec::new();
        for round in 1..=ROUNDS {
            let measured = round_with(budget, each)?;
            eprintln!("{budget}, round {round}: {measured:?}");
            rounds.push(measured);
        }
        let spread = |of: fn(&Round) -> f64| Spread::of(&rounds.iter().map(of).collect::<Vec<_>>());
        let (stopped, gone) = (spread(|r| r.stopped), spread(|r| r.gone));
        let kept = stopped.max <= TARGETS.0 && gone.max <= TARGETS.1;
        println!(
            "| {budget} | 1000 → {:.0} | {stopped:.0} | {gone:.0} | {:.0} | {:.0} |{} |",
            spread(|r| r.rate),
            spread(|r| r.hits),
            spread(|r| r.refused),
            verdict(kept)
        );
    }
    Ok(())
}

#[derive(Debug)]
struct Round {
    /// Creations a second with the probes in place.
    rate: f64,
    stopped: f64,
    gone: f64,
    hits: f64,
    refused: f64,
}

/// Seconds for each of as many goroutines as possible, with all probes at work.
fn with_probes() -> Result<f64> {
    let mut target = Target::of("churn", &go::newest()?, go::Mode::Stripped)?;
    let agent = Agent::attach(target.pid(), &["--budget", "unlimited"])?;
    agent.attached()?;
    let answer: Value = serde_json::from_str(&target.ask("spawn 500000")?)?;
    agent.stop_cleanly()?;
    let each = answer["ns_per_goroutine"].as_f64();
    Ok(each.context("no cost in the answer")? / 1e9)
}

fn round_with(budget: &str, each: f64) -> Result<Round> {
    let mut target = Target::of("churn", &go::newest()?, go::Mode::Stripped)?;
    target.ask("rate 1000")?;
    let agent = Agent::attach(target.pid(), &["--interval", "200ms", "--budget", budget])?;
    agent.attached()?;
    let count = |status: &Value, which: &str| {
        status["overhead"][which]
            .as_f64()
            .with_context(|| format!("no {which}"))
    };
    // Some seconds of calm, and then the last count before the leap.
    let calm = Instant::now() + Duration::from_secs(3);
    let mut before = agent.wait_for("status", |_| true)?;
    while Instant::now() < calm {
        before = agent.wait_for("status", |_| true)?;
    }
    let created = |target: &mut Target| -> Result<f64> { Ok(target.ask("total")?.parse()?) };
    let first = created(&mut target)?;
    let leap = Instant::now();
    target.ask("rate 0")?;
    while !probes::changed_bytes(target.pid())?.is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let gone = leap.elapsed().as_secs_f64();
    let rate = (created(&mut target)? - first) / gone;
    agent.wait_for("mode", |mode| mode["mode"] == "census")?;
    let after = agent.wait_for("status", |status| status["probes"] == 0)?;
    agent.stop_cleanly()?;
    let hits = count(&after, "probe_hits")? - count(&before, "probe_hits")?;
    let refused = count(&after, "refused_hits")?;
    Ok(Round {
        rate,
        // Two of a goroutine. While they worked it could not make more of them.
        stopped: (hits - refused) / 2.0 * each * 1e3,
        gone: gone * 1e3,
        hits,
        refused,
    })
}
