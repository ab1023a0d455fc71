//! Benches: ratios measured within one run, in the `tests` crate.

use crate::{
    paths,
    setup::{self, Needs},
    shell,
};
use anyhow::{Result, bail};
use std::fs;

/// Runs `tests/benches/<name>.rs`.
pub(crate) fn run(name: &str, arguments: &[String]) -> Result<()> {
    let mut known: Vec<_> = fs::read_dir(paths::root().join("tests/benches"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    known.sort();
    if !known.iter().any(|bench| bench == name) {
        bail!("there is no bench {name}; there are: {}", known.join(", "));
    }
    let go = setup::ensure(&Needs::everything())?;
    shell::step("building gostray");
    shell::run(&mut shell::cargo([
        "build",
        "--release",
        "--bin",
        "gostray",
    ]))?;
    shell::step(&format!("bench {name}"));
    let mut bench = shell::cargo(["bench", "-p", "gostray-tests", "--bench", name, "--"]);
    bench
        .args(arguments)
        .env("GOSTRAY_GO_ROOTS", go.variable())
        .env("GOSTRAY_BIN", paths::target().join("release/gostray"))
        .env("GOSTRAY_TARGETS_DIR", paths::target().join("go"));
    shell::run(&mut bench)
}
