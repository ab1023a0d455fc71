//! `cargo xtask layouts`: brings the table of runtime layouts up to date.
//!
//! For each release and architecture it builds `tests/targets/layouts` and hands the binaries to
//! the agent's example `layouts`, which reads their DWARF. Cross-compiling needs nothing besides
//! the toolchain itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

const ARCHES: [&str; 2] = ["amd64", "arm64"];
const TABLE: &str = "agent/src/runtime/layout/table.txt";

/// Rewrites the table's entries for the releases given (`1.22` with the GOROOT of a toolchain of
/// it); others stay as they are. With `check` it writes nothing and fails on a difference.
pub(crate) fn run(goroots: &[(String, PathBuf)], check: bool) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask has no parent directory")?;
    let work = root.join("target/layouts");
    fs::create_dir_all(&work)?;

    let mut binaries = Vec::new();
    for (release, goroot) in goroots {
        let name = patch_release(goroot)?;
        ensure!(
            name == *release || name.starts_with(&format!("{release}.")),
            "{} is Go {name}, not {release}",
            goroot.display()
        );
        for arch in ARCHES {
            let file = build(root, &work, goroot, &name, arch)?;
            binaries.push([name.clone(), arch.to_owned(), file]);
        }
    }

    let mut tool = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tool.args([
        "run",
        "--quiet",
        "--package",
        "gostray",
        "--example",
        "layouts",
        "--",
    ])
    .current_dir(root)
    // It reads files only; the probes need not be built for it.
    .env("GOSTRAY_SKIP_EBPF", "1");
    if check {
        tool.arg("--check");
    }
    run_to_success(tool.arg(TABLE).args(binaries.iter().flatten()))
}

/// `1.22.12` from the first line of `GOROOT/VERSION`, `go1.22.12`.
fn patch_release(goroot: &Path) -> anyhow::Result<String> {
    let path = goroot.join("VERSION");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = text
        .lines()
        .next()
        .and_then(|line| line.trim().strip_prefix("go"))
        .with_context(|| format!("{} names no release", path.display()))?;
    Ok(name.to_owned())
}

fn build(
    root: &Path,
    work: &Path,
    goroot: &Path,
    name: &str,
    arch: &str,
) -> anyhow::Result<String> {
    let file = work.join(format!("{name}-{arch}"));
    let file = file.to_str().context("the path is not UTF-8")?;
    run_to_success(
        Command::new(goroot.join("bin/go"))
            .args(["build", "-o", file, "."])
            .current_dir(root.join("tests/targets/layouts"))
            .env("GOROOT", goroot)
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-buildvcs=false")
            .env("GOOS", "linux")
            .env("GOARCH", arch)
            .env("CGO_ENABLED", "0")
            .env_remove("GOEXPERIMENT")
            // Go 1.19 builds nothing with a GOROOT that lies inside the module cache.
            .env("GOMODCACHE", work.join("modules")),
    )?;
    Ok(file.to_owned())
}

fn run_to_success(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}
