//! `gostray prove`, the program `proofs`, and what each of them says of the same goroutines.

/// While what is waited on is handed around.
pub mod fire;
/// Random programs.
pub mod programs;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::agent;
use crate::go::{self, Mode, Toolchain};
use crate::target::Target;

/// Numbers of goroutines.
pub type Goids = BTreeSet<u64>;

/// What the program knows, by scenario.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Truth {
    /// Nothing can ever wake these.
    leaked: Option<BTreeMap<String, Vec<u64>>>,
    /// Something alive can wake these.
    reachable: Option<BTreeMap<String, Vec<u64>>>,
    /// These live.
    helping: Option<BTreeMap<String, Vec<u64>>>,
    /// Bytes that only the leaked goroutines of a scenario hold.
    retained: Option<BTreeMap<String, u64>>,
    /// Bytes that leaked goroutines of several places hold together, by scenario.
    shared: Option<BTreeMap<String, u64>>,
    /// Scenarios in which something that is no reference looks like one.
    hard: BTreeSet<String>,
}

fn of_scenarios(
    all: &Option<BTreeMap<String, Vec<u64>>>,
) -> impl Iterator<Item = (u64, &str)> + Clone {
    all.iter()
        .flatten()
        .flat_map(|(name, goids)| goids.iter().map(move |goid| (*goid, name.as_str())))
}

impl Truth {
    /// As the program writes it.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).with_context(|| format!("not the truth: {text:.300}"))
    }

    /// The leaked ones with their scenarios.
    pub fn leaked(&self) -> impl Iterator<Item = (u64, &str)> + Clone {
        of_scenarios(&self.leaked)
    }

    /// Those that something alive can wake, and those that live.
    pub fn alive(&self) -> impl Iterator<Item = (u64, &str)> + Clone {
        of_scenarios(&self.reachable).chain(of_scenarios(&self.helping))
    }

    /// The numbers of a scenario's goroutines: those that are leaked, or those that wait for something alive.
    #[must_use]
    pub fn of(&self, scenario: &str) -> Vec<u64> {
        [&self.leaked, &self.reachable]
            .into_iter()
            .flatten()
            .filter_map(|all| all.get(scenario))
            .flatten()
            .copied()
            .collect()
    }

    /// What each scenario retains.
    pub fn retained(&self) -> impl Iterator<Item = (&str, u64)> {
        self.retained
            .iter()
            .flatten()
            .map(|(n, b)| (n.as_str(), *b))
    }

    /// What goroutines of several places retain together.
    #[must_use]
    pub fn shared(&self) -> u64 {
        self.shared.iter().flatten().map(|(_, bytes)| bytes).sum()
    }

    /// Whether something in this scenario looks like a reference and is none.
    #[must_use]
    pub fn is_hard(&self, scenario: &str) -> bool {
        self.hard.contains(scenario)
    }
}

/// The program `proofs` at rest.
pub struct Proofs {
    /// It runs.
    pub target: Target,
    /// What it says of itself.
    pub truth: Truth,
    /// Release and link mode.
    pub name: String,
    /// 27 for Go 1.27.
    pub minor: u32,
}

impl Proofs {
    /// Starts it, and these scenarios.
    ///
    /// # Errors
    /// It cannot be built, does not start, or does not come to rest.
    pub fn new(toolchain: &Toolchain, mode: Mode, scenarios: &str) -> Result<Self> {
        Self::with_main(toolchain, mode, scenarios, &[])
    }

    /// As [`Proofs::new`], with the main goroutine waiting as the argument says.
    ///
    /// # Errors
    /// As there.
    pub fn with_main(
        toolchain: &Toolchain,
        mode: Mode,
        scenarios: &str,
        main: &[&str],
    ) -> Result<Self> {
        let exe = go::build("proofs", toolchain, mode)?;
        let plugin = match mode {
            Mode::Cgo => go::build_plugin("keeper", toolchain)?
                .to_string_lossy()
                .into_owned(),
            _ => String::new(),
        };
        let mut target = Target::start(&exe, main, &[("KEEPER_PLUGIN", &plugin)])?;
        let truth = Truth::parse(&target.ask(&format!("start {scenarios}"))?)?;
        Ok(Self {
            target,
            truth,
            name: format!("{} {mode:?}", toolchain.version),
            minor: toolchain.minor(),
        })
    }

    /// Proves, with more arguments.
    ///
    /// # Errors
    /// The agent fails.
    pub fn prove(&self, arguments: &[&str]) -> Result<Proof> {
        Proof::of(self.target.pid(), arguments)
    }

    /// Those that Go's own detector calls leaked; it marks them as such.
    ///
    /// # Errors
    /// The release has none.
    pub fn oracle(&mut self) -> Result<Goids> {
        Ok(serde_json::from_str(&self.target.ask("oracle")?)?)
    }
}

/// What one `gostray prove --format json` says.
#[derive(Debug)]
pub struct Proof {
    /// All of it.
    pub json: Value,
}

/// The numbers of all goroutines of these groups.
fn goids_of<'a>(groups: impl Iterator<Item = &'a Value>) -> Result<Goids> {
    let mut all = Goids::new();
    for group in groups {
        let goids = group["goids"].as_array().context("no goids")?;
        ensure!(
            group["count"].as_u64() == Some(goids.len() as u64),
            "another count than numbers: {group}"
        );
        for goid in goids {
            let goid = goid.as_u64().context("no number")?;
            ensure!(all.insert(goid), "goroutine {goid} twice");
        }
    }
    Ok(all)
}

impl Proof {
    /// `gostray prove PID --format json`, with more arguments.
    ///
    /// # Errors
    /// The agent fails, or says what is not understood.
    pub fn of(pid: u32, arguments: &[&str]) -> Result<Self> {
        let pid = pid.to_string();
        let mut all = vec!["prove", &pid, "--format", "json"];
        all.extend(arguments);
        let answer = agent::answer(&all)?;
        let json = serde_json::from_slice(&answer)
            .with_context(|| format!("not a proof: {}", String::from_utf8_lossy(&answer)))?;
        Ok(Self { json })
    }

    fn groups(&self, which: &str) -> Result<&Vec<Value>> {
        self.json[which]
            .as_array()
            .with_context(|| format!("no {which}: {:.500}", self.json.to_string()))
    }

    /// The proven ones.
    ///
    /// # Errors
    /// They are not told as they should be.
    pub fn leaked(&self) -> Result<Goids> {
        goids_of(self.groups("leaked")?.iter())
    }

    /// Those that are not proven, for this reason.
    ///
    /// # Errors
    /// They are not told as they should be.
    pub fn unproven(&self, reason: &str) -> Result<Goids> {
        let groups = self.groups("unproven")?.iter();
        goids_of(groups.filter(|group| group["reason"] == reason))
    }

    /// The groups that have one of these goroutines.
    ///
    /// # Errors
    /// They are not told as they should be.
    pub fn groups_of(&self, goids: &[u64]) -> Result<Vec<&Value>> {
        let has = |group: &&Value| {
            let mut all = group["goids"].as_array().into_iter().flatten();
            all.any(|goid| goid.as_u64().is_some_and(|goid| goids.contains(&goid)))
        };
        Ok(self.groups("leaked")?.iter().filter(has).collect())
    }
}

/// How what was proven compares with what is true.
#[derive(Debug, Default)]
pub struct Compared {
    /// Leaked and proven.
    pub found: usize,
    /// Leaked and not proven: the scenario of each.
    pub missed: BTreeMap<String, usize>,
    /// Proven, but alive, or nobody knows of it.
    pub wrong: Vec<String>,
}

impl Compared {
    /// Compares.
    #[must_use]
    pub fn new(proven: &Goids, truth: &Truth) -> Self {
        let mut compared = Self::default();
        let mut known = Goids::new();
        for (goid, name) in truth.leaked() {
            known.insert(goid);
            if proven.contains(&goid) {
                compared.found += 1;
            } else {
                *compared.missed.entry(name.to_owned()).or_default() += 1;
            }
        }
        for (goid, name) in truth.alive() {
            known.insert(goid);
            if proven.contains(&goid) {
                compared.wrong.push(format!("{goid} of {name}"));
            }
        }
        let strangers = proven.difference(&known);
        compared
            .wrong
            .extend(strangers.map(|goid| format!("{goid}, of which the program knows nothing")));
        compared
    }

    /// How many were missed.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.missed.values().sum()
    }

    /// What part of the leaked ones was found.
    #[must_use]
    pub fn recall(&self) -> f64 {
        let all = self.found + self.missed();
        if all == 0 {
            return 1.0;
        }
        self.found as f64 / all as f64
    }

    /// One line, with the families of scenarios that were missed: what keeps, or seems to.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut families: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, number) in &self.missed {
            let family = name.split('/').next().unwrap_or_default();
            *families.entry(family).or_default() += number;
        }
        format!(
            "{} found, {} missed {families:?}, {} wrong {:?}",
            self.found,
            self.missed(),
            self.wrong.len(),
            self.wrong.iter().take(20).collect::<Vec<_>>()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_of_what_lives_is_wrong() {
        let text = r#"{"leaked":{"a/x":[1,2],"b/x":[3]},"reachable":{"c/x":[4]},"helping":null,
            "retained":{"a/x":10},"shared":null,"hard":["b/x"]}"#;
        let truth = Truth::parse(text).unwrap();
        let compared = Compared::new(&Goids::from([1, 2, 4, 9]), &truth);
        assert_eq!((compared.found, compared.missed()), (2, 1));
        assert_eq!(compared.missed["b/x"], 1);
        assert_eq!(compared.wrong.len(), 2, "{:?}", compared.wrong);
        assert!(truth.is_hard("b/x") && !truth.is_hard("a/x"));
        assert!((compared.recall() - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(truth.of("c/x"), [4]);
    }

    #[test]
    fn numbers_are_counted_once() {
        let proof = |leaked: Value| Proof {
            json: serde_json::json!({ "leaked": leaked }),
        };
        let one = serde_json::json!({"count": 2, "goids": [7, 8]});
        let good = proof(serde_json::json!([one]));
        assert_eq!(good.leaked().unwrap(), Goids::from([7, 8]));
        assert_eq!(good.groups_of(&[8]).unwrap().len(), 1);
        assert!(proof(serde_json::json!([one, one])).leaked().is_err());
        let short = serde_json::json!([{"count": 3, "goids": [7, 8]}]);
        assert!(proof(short).leaked().is_err());
    }
}
