//! Benches: ratios measured within one run, in the `tests` crate.

use crate::{
    paths,
    setup::{self, GoRoots, Needs},
    shell,
};
use anyhow::{Result, bail};
use std::process::Command;

/// All there are, as `gostray-bench` knows them.
const BENCHES: [&str; 9] = [
    "probes", "attach", "idle", "census", "stall", "overhead", "prove", "watchdog", "node",
];

/// Runs `gostray-bench <name>` on an agent as people run it.
pub(crate) fn run(name: &str, arguments: &[String]) -> Result<()> {
    if !BENCHES.contains(&name) {
        bail!(
            "there is no bench {name}; there are: {}",
            BENCHES.join(", ")
        );
    }
    let go = setup::ensure(&Needs {
        rivals: name == "overhead",
        ..Needs::everything()
    })?;
    let mut bench = command("gostray-bench", &go)?;
    bench.arg(name).args(arguments);
    shell::step(&format!("bench {name}"));
    shell::run(&mut bench)
}

/// A binary of the `tests` crate, built as the agent is that people run, which it shall measure.
pub(crate) fn command(binary: &str, go: &GoRoots) -> Result<Command> {
    shell::step("building gostray");
    shell::run(&mut shell::cargo([
        "build",
        "--release",
        "--package",
        "gostray",
        "--package",
        "gostray-tests",
        "--bins",
    ]))?;
    let mut command = Command::new(paths::target().join("release").join(binary));
    command
        .env("GOSTRAY_GO_ROOTS", go.variable())
        .env("GOSTRAY_BIN", paths::target().join("release/gostray"))
        .env("GOSTRAY_TARGETS_DIR", paths::target().join("go"));
    Ok(command)
}
