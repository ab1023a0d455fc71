//! Proofs of random programs.

use anyhow::{Context, Result};

use super::{Compared, Goids, Proof, Truth};
use crate::go::Toolchain;
use crate::random;
use crate::target::Target;

/// What all programs together came to.
#[derive(Debug, Default)]
pub struct Score {
    /// How many programs.
    pub programs: usize,
    /// Leaked and proven.
    pub found: usize,
    /// Leaked and not proven.
    pub missed: usize,
    /// Those that Go's own detector finds; 0 where there is none.
    pub of_detector: usize,
    /// Of those, the proven ones.
    pub found_of_detector: usize,
    /// Alive and proven, or leaked only for gostray: each a sentence.
    pub wrong: Vec<String>,
}

impl Score {
    /// What part of the leaked ones was found.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.found as f64 / (self.found + self.missed).max(1) as f64
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} programs: {} leaked found, {} missed; of Go's detector {} of {}; {} wrong {:?}",
            self.programs,
            self.found,
            self.missed,
            self.found_of_detector,
            self.of_detector,
            self.wrong.len(),
            self.wrong.iter().take(10).collect::<Vec<_>>()
        )
    }
}

/// Calls `f` with each program at rest and its truth, until it fails.
///
/// # Errors
/// The build, a program or `f` fails.
pub fn each(
    toolchain: &Toolchain,
    seed: u64,
    number: usize,
    mut f: impl FnMut(usize, &mut Target, &Truth) -> Result<()>,
) -> Result<()> {
    let exe = random::build(seed, number, toolchain)?;
    for index in 0..number {
        let mut target = Target::start(&exe, &[&index.to_string()], &[])?;
        let truth = Truth::parse(&target.ask("truth")?)?;
        f(index, &mut target, &truth)
            .with_context(|| format!("{} seed {seed} program {index}", toolchain.version))?;
    }
    Ok(())
}

/// What Go's own detector says.
///
/// # Errors
/// The release has none.
pub fn oracle(target: &mut Target) -> Result<Goids> {
    Ok(serde_json::from_str(&target.ask("oracle")?)?)
}

/// Proves programs 0 to `number` of a seed.
///
/// # Errors
/// The build, a program or the agent fails; wrong proofs are in the score.
pub fn run(toolchain: &Toolchain, seed: u64, number: usize) -> Result<Score> {
    let mut score = Score::default();
    each(toolchain, seed, number, |index, target, truth| {
        let what = format!("{} seed {seed} program {index}", toolchain.version);
        let ours = Proof::of(target.pid(), &["--pause-between", "10ms"])?.leaked()?;
        let compared = Compared::new(&ours, truth);
        if compared.missed() > 0 {
            eprintln!("{what}: missed {:?}", compared.missed.keys());
        }
        score.programs += 1;
        score.found += compared.found;
        score.missed += compared.missed();
        let named = |one: String| format!("{what}: {one}");
        score.wrong.extend(compared.wrong.into_iter().map(named));
        if toolchain.minor() >= 27 {
            let theirs = oracle(target)?;
            score.of_detector += theirs.len();
            score.found_of_detector += theirs.intersection(&ours).count();
            let extra = ours.difference(&theirs);
            let named = |goid| format!("{what}: the detector says {goid} lives");
            score.wrong.extend(extra.map(named));
        }
        Ok(())
    })?;
    Ok(score)
}
