//! What a goroutine, created and ended, costs the target: without an agent, with gostray's probes,
//! and with the same programs attached to the first instructions of the same functions.

use anyhow::{Context, Result};

use super::Spread;
use crate::agent::Agent;
use crate::go::{self, Mode};
use crate::target::Target;

const ROUNDS: usize = 7;

fn measure(target: &mut Target, goroutines: u32) -> Result<f64> {
    let answer: serde_json::Value =
        serde_json::from_str(&target.ask(&format!("bench {goroutines}"))?)?;
    answer["ns_per_goroutine"]
        .as_f64()
        .context("no cost in the answer")
}

/// What a goroutine costs then, and what the agent says that it adds.
fn with_agent(target: &mut Target, arguments: &[&str], goroutines: u32) -> Result<(f64, f64)> {
    let unlimited = ["--budget", "unlimited"];
    let agent = Agent::attach(target.pid(), &[&unlimited, arguments].concat())?;
    let attached = agent.attached()?;
    let stated = attached["cost_of_hits"]["goroutine_seconds"].as_f64();
    let cost = measure(target, goroutines)?;
    agent.stop_cleanly()?;
    Ok((cost, stated.context("no stated cost")? * 1e9))
}

/// Prints the table.
///
/// # Errors
/// A program or the agent fails.
pub fn run() -> Result<()> {
    let exe = go::build("churn", &go::newest()?, Mode::Stripped)?;
    let mut target = Target::start(&exe, &["-gomaxprocs", "1"], &[])?;
    measure(&mut target, 1_000_000)?;
    let (mut none, mut ours, mut naive, mut ratios) = (vec![], vec![], vec![], vec![]);
    let (mut ours_honest, mut naive_honest) = (vec![], vec![]);
    for round in 0..ROUNDS {
        // Before and after, so that a machine that grows slower or faster favours nobody.
        let before = measure(&mut target, 1_000_000)?;
        let (with_ours, ours_stated) = with_agent(&mut target, &[], 500_000)?;
        let (with_naive, naive_stated) = with_agent(&mut target, &["--sites", "entry"], 100_000)?;
        let after = measure(&mut target, 1_000_000)?;
        let base = f64::midpoint(before, after);
        eprintln!(
            "round {}: {base:.0} ns, {with_ours:.0} ns, {with_naive:.0} ns",
            round + 1
        );
        none.push(base);
        ours.push(with_ours - base);
        naive.push(with_naive - base);
        ours_honest.push(ours_stated / (with_ours - base));
        naive_honest.push(naive_stated / (with_naive - base));
        ratios.push((with_ours - base) / (with_naive - base));
    }
    println!("| ns a goroutine, median of {ROUNDS} (min–max) | |");
    println!("|---|---|");
    println!("| without an agent | {:.0} |", Spread::of(&none));
    println!("| added by gostray's probes | {:.0} |", Spread::of(&ours));
    println!(
        "| added by the same programs at the functions' entries | {:.0} |",
        Spread::of(&naive)
    );
    let ratio = Spread::of(&ratios);
    println!(
        "| ratio (at most 0.1 wanted) | {ratio:.3}{} |",
        super::verdict(ratio.median <= 0.1)
    );
    for (name, honest) in [
        (
            "stated by the agent to measured (within a factor of 1.5 wanted)",
            ours_honest,
        ),
        ("the same at the functions' entries", naive_honest),
    ] {
        let honest = Spread::of(&honest);
        let kept = (1.0 / 1.5..=1.5).contains(&honest.median);
        println!("| {name} | {honest:.2}{} |", super::verdict(kept));
    }
    Ok(())
}
