//! How late the target's own goroutines wake up while all its goroutines are looked at.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Spread, verdict};
use crate::target::Target;
use crate::{agent, go};

const SIZE: u64 = 200_000;
const ROUNDS: usize = 9;
/// It takes half a minute each time.
const ROUNDS_OF_LEAK_PROFILE: usize = 2;
/// The debugger's release.
const DELVE: &str = "v1.27.2";

/// Prints the table.
///
/// # Errors
/// A build, the program or the agent fails.
pub fn run() -> Result<()> {
    let mut target = Target::of("parked", &go::newest()?, go::Mode::Plain)?;
    target.ask(&format!("park {SIZE}"))?;
    let pid = target.pid().to_string();
    let mut rows: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut add = |name, late| match rows.iter_mut().find(|(known, _)| *known == name) {
        Some((_, values)) => values.push(late),
        None => rows.push((name, vec![late])),
    };
    let debugger = debugger();
    for round in 0..ROUNDS {
        add("at rest", during(&mut target, |_| rest())?);
        add(
            "`gostray snapshot`",
            during(&mut target, |_| snapshot(&pid))?,
        );
        add(
            "own `goroutine?debug=2`",
            during(&mut target, |target| profile(target, "goroutine 2"))?,
        );
        if round < ROUNDS_OF_LEAK_PROFILE {
            add(
                "own `goroutineleak`",
                during(&mut target, |target| profile(target, "goroutineleak 0"))?,
            );
        }
        if let Some(dlv) = &debugger {
            add("`dlv attach`", during(&mut target, |_| attach(dlv, &pid))?);
        }
    }
    println!("| {SIZE} goroutines | longest delay of a goroutine that wakes up, ms |");
    println!("|---|---|");
    let at_rest = Spread::of(&rows[0].1);
    for (name, values) in &rows {
        let spread = Spread::of(values);
        let missed = *name == "`gostray snapshot`" && spread.median > at_rest.max;
        println!("| {name} | {spread:.2}{} |", verdict(!missed));
    }
    if debugger.is_none() {
        println!("\n`dlv` could not be built: not measured.");
    }
    Ok(())
}

/// The longest delay in milliseconds while `work` is done.
fn during(target: &mut Target, work: impl FnOnce(&mut Target) -> Result<()>) -> Result<f64> {
    target.ask("late")?;
    work(target)?;
    let nanoseconds: f64 = target.ask("late")?.parse()?;
    Ok(nanoseconds / 1e6)
}

/// As long as a snapshot takes, with nothing else going on.
fn rest() -> Result<()> {
    std::thread::sleep(std::time::Duration::from_millis(200));
    Ok(())
}

fn snapshot(pid: &str) -> Result<()> {
    let status = Command::new(agent::binary()?)
        .args(["snapshot", pid])
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "the snapshot failed");
    Ok(())
}

fn profile(target: &mut Target, which: &str) -> Result<()> {
    target.ask(&format!("profile {which}")).map(drop)
}

/// The debugger, built from its sources; `None` where they cannot be had.
fn debugger() -> Option<PathBuf> {
    let toolchain = go::newest().ok()?;
    let directory = std::env::temp_dir().join(format!("gostray-bench-{DELVE}"));
    let file = directory.join("dlv");
    if !file.is_file() {
        let built = toolchain
            .go()
            .args([
                "install",
                &format!("github.com/go-delve/delve/cmd/dlv@{DELVE}"),
            ])
            .env("GOBIN", &directory)
            .stderr(Stdio::null())
            .status();
        if !built.is_ok_and(|status| status.success()) {
            return None;
        }
    }
    Some(file)
}

/// Attaches the debugger and leaves at once.
fn attach(dlv: &Path, pid: &str) -> Result<()> {
    use std::io::Write as _;
    let mut child = Command::new(dlv)
        .args(["attach", "--allow-non-terminal-interactive=true", pid])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = child.stdin.take().context("stdin is piped")?;
    writeln!(stdin, "exit\nn")?;
    drop(stdin);
    child.wait()?;
    Ok(())
}
