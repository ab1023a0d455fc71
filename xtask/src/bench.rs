//! Benches: ratios measured within one run, in the `tests` crate.

use crate::{
    paths,
    setup::{self, Needs},
    shell,
};
use anyhow::{Result, bail};
use std::process::Command;

/// All there are, as `gostray-bench` knows them.
const BENCHES: [&str; 7] = [
    "probes", "attach", "idle", "census", "stall", "overhead", "watchdog",
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
    shell::step(&format!("bench {name}"));
    let mut bench = Command::new(paths::target().join("release/gostray-bench"));
    bench
        .arg(name)
        .args(arguments)
        .env("GOSTRAY_GO_ROOTS", go.variable())
        .env("GOSTRAY_BIN", paths::target().join("release/gostray"))
        .env("GOSTRAY_TARGETS_DIR", paths::target().join("go"));
    shell::run(&mut bench)
}
