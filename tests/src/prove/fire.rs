//! Proofs while a program hands around, at full speed, what its goroutines wait on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Compared, Proof, Truth};
use crate::go::{self, Mode, Toolchain};
use crate::target::Target;

/// What the program is told.
const ARGUMENTS: [&[&str]; 6] = [
    &[],
    &["fast"],
    &["gc"],
    &["alloc"],
    &["fast", "gc"],
    &["gc", "alloc"],
];

/// On how many processors it runs.
const PROCESSORS: [&str; 3] = ["2", "8", "1"];

/// The arguments of `prove`: hurried, which gives an error more chances, and as it is by itself.
const PROVE: [&[&str]; 4] = [
    &["--pause-between", "10ms"],
    &["--pause-between", "50ms"],
    &["--passes", "2", "--pause-between", "1ms"],
    &[],
];

/// What all rounds together came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// How often it was proven.
    pub rounds: u64,
    /// Passes of all of them.
    pub passes: u64,
    /// Candidates of all of them.
    pub candidates: u64,
    /// How often gostray said that too much changed to prove anything.
    pub refused: u64,
    /// Alive, and missed by a pass, but not by all: how near it came to being wrong.
    pub found_later: u64,
    /// Leaked and proven.
    pub found: u64,
    /// Leaked and not proven.
    pub missed: u64,
    /// How often things changed their places meanwhile.
    pub moves: u64,
    /// Alive and proven: each a sentence.
    pub wrong: BTreeSet<String>,
}

impl Tally {
    /// What part of the leaked ones was found.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.found as f64 / (self.found + self.missed).max(1) as f64
    }

    fn add(&mut self, proof: &Proof, truth: &Truth, what: &str) -> Result<()> {
        let compared = Compared::new(&proof.leaked()?, truth);
        self.rounds += 1;
        self.passes += proof.json["passes"].as_u64().context("no passes")?;
        self.candidates += proof.json["candidates"].as_u64().context("no candidates")?;
        self.found_later += proof.json["found_later"]
            .as_u64()
            .context("no found_later")?;
        self.found += compared.found as u64;
        self.missed += compared.missed() as u64;
        let name = |one: String| format!("{what}: goroutine {one}");
        self.wrong.extend(compared.wrong.into_iter().map(name));
        Ok(())
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} rounds of {} passes, {} refused, {} candidates ({} found later), {} moves; {} leaked found, {} missed, {} proven that live {:?}",
            self.rounds,
            self.passes,
            self.refused,
            self.candidates,
            self.found_later,
            self.moves,
            self.found,
            self.missed,
            self.wrong.len(),
            self.wrong.iter().take(10).collect::<Vec<_>>()
        )
    }
}

/// Proves again and again for so long, in all variants, each with another release in turn, the newest
/// every other time.
///
/// # Errors
/// A build, the program or the agent fails; that something alive is proven is in the tally.
pub fn run(toolchains: &[Toolchain], all: Duration) -> Result<Tally> {
    let newest = toolchains.last().context("no Go release")?;
    let variants: Vec<_> = PROCESSORS
        .iter()
        .flat_map(|processors| {
            ARGUMENTS
                .iter()
                .map(move |arguments| (processors, arguments))
        })
        .collect();
    let each = all / u32::try_from(variants.len())?;
    let mut tally = Tally::default();
    for (number, (processors, arguments)) in variants.into_iter().enumerate() {
        let toolchain = match number % 2 {
            0 => newest,
            _ => &toolchains[number / 2 % toolchains.len()],
        };
        let mode = if number % 3 == 0 {
            Mode::Plain
        } else {
            Mode::Stripped
        };
        let exe = go::build("fire", toolchain, mode)?;
        let what = format!(
            "{} GOMAXPROCS={processors} {arguments:?}",
            toolchain.version
        );
        let mut target = Target::start(&exe, arguments, &[("GOMAXPROCS", processors)])?;
        let truth = Truth::parse(&target.ask("truth")?)?;
        let end = Instant::now() + each;
        for prove in PROVE.iter().cycle() {
            match Proof::of(target.pid(), prove) {
                Ok(proof) => tally.add(&proof, &truth, &what)?,
                // Where what was to be read is gone there is no proof; that is not wrong, but poor.
                Err(error) if error.to_string().contains("nothing is proven") => {
                    eprintln!("{what}: {error}");
                    tally.rounds += 1;
                    tally.refused += 1;
                }
                Err(error) => return Err(error.context(what)),
            }
            if Instant::now() >= end {
                break;
            }
        }
        tally.moves += target.ask("moves")?.parse::<u64>()?;
        eprintln!("{what}: so far {tally}");
    }
    Ok(tally)
}
