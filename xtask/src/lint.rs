//! Formatting, lints and documentation of all three workspaces.

use crate::{paths, shell};
use anyhow::{Context as _, Result, bail};
use std::process::Command;

/// Clippy's lints and rustc's warnings are errors here, and only here.
const DENY: [&str; 3] = ["--", "-D", "warnings"];

/// Runs them all and reports every failure, not the first.
pub(crate) fn run() -> Result<()> {
    for component in ["rustfmt", "clippy"] {
        ensure_component(component)?;
    }
    let mut checks = vec![cargo(&["fmt", "--all", "--check"])];
    for nested in ["agent-ebpf", "fuzz"] {
        let manifest = format!("{nested}/Cargo.toml");
        if !paths::root().join(&manifest).is_file() {
            continue;
        }
        checks.push(cargo(&["fmt", "--check", "--manifest-path", &manifest]));
        let target = paths::target().join(format!("lint-{nested}"));
        let mut clippy = cargo(&["clippy", "--manifest-path", &manifest, "--locked"]);
        // On the host with stable: the same source, and no BPF tools needed to look at it.
        clippy.arg("--target-dir").arg(target).args(DENY);
        checks.push(clippy);
    }
    let mut clippy = cargo(&["clippy", "--workspace", "--all-targets", "--locked"]);
    clippy.args(DENY);
    checks.push(clippy);
    // Without what can be left out.
    let mut least = cargo(&["clippy", "-p", "gostray", "--no-default-features"]);
    least.args(["--all-targets", "--locked"]).args(DENY);
    checks.push(least);
    let mut doc = cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ]);
    doc.env("RUSTDOCFLAGS", "-Dwarnings");
    checks.push(doc);

    let mut failed = 0;
    for check in &mut checks {
        if let Err(error) = shell::run(check) {
            eprintln!("error: {error:#}");
            failed += 1;
        }
    }
    if failed > 0 {
        bail!("{failed} of {} checks failed", checks.len());
    }
    shell::step(&format!("lint: all {} checks passed", checks.len()));
    Ok(())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = shell::cargo(arguments);
    command.env("GOSTRAY_SKIP_EBPF", "1");
    command
}

/// A minimal rustup profile has neither; other ways to install Rust cannot add them.
fn ensure_component(component: &str) -> Result<()> {
    let subcommand = component.trim_start_matches("rust");
    if shell::ask(shell::cargo([subcommand, "--version"]).current_dir(paths::root())).is_some() {
        return Ok(());
    }
    shell::step(&format!("adding {component}"));
    shell::run(Command::new("rustup").args(["component", "add", component])).with_context(|| {
        format!("{component} is missing; `rustup component add {component}` or your distribution's package brings it")
    })
}
