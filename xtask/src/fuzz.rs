//! Fuzz targets: parsers of bytes that strangers wrote, with stable Rust and libFuzzer.

use crate::{paths, shell};
use anyhow::{Context as _, Result, bail};
use std::{
    collections::VecDeque,
    env, fs,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What cargo-fuzz passes on a nightly; these flags are accepted by stable as well.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
];

/// As many at a time as the smallest machine we test on has CPUs.
const AT_ONCE: usize = 2;

/// How one target fared.
pub(crate) struct Run {
    /// Its name.
    pub(crate) target: String,
    /// Whether it found nothing.
    pub(crate) passed: bool,
}

/// Builds the targets and runs them for `seconds` in total.
pub(crate) fn run(seconds: u64, only: Option<&str>) -> Result<Vec<Run>> {
    let dir = paths::root().join("fuzz");
    let mut targets = discover(&dir);
    if let Some(only) = only {
        targets.retain(|target| target == only);
        if targets.is_empty() {
            bail!("there is no fuzz target {only}");
        }
    }
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let triple = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let built = paths::target().join("fuzz");
    shell::step("building the fuzz targets");
    let mut build = shell::cargo(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
    // A target triple keeps the instrumentation out of build scripts and macros.
    build
        .args(["--target", &triple, "--target-dir"])
        .arg(&built)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"))
        .env_remove("RUSTFLAGS")
        .env("GOSTRAY_SKIP_EBPF", "1");
    shell::run(&mut build)?;

    let each = seconds_each(seconds, targets.len());
    shell::step(&format!(
        "fuzzing {} targets for {each} s each",
        targets.len()
    ));
    let programs = built.join(triple).join("release");
    let mut waiting: VecDeque<_> = targets.into();
    let mut running: VecDeque<(String, Child)> = VecDeque::new();
    let mut runs = Vec::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(target) = waiting.pop_front()
        {
            let child = start(&dir, &programs, &target, each)?;
            running.push_back((target, child));
        }
        let Some((target, mut child)) = running.pop_front() else {
            break;
        };
        let status = child
            .wait()
            .with_context(|| format!("cannot wait for {target}"))?;
        let log = fs::read_to_string(log_of(&dir, &target)).unwrap_or_default();
        if status.success() {
            let executed = executed_units(&log).unwrap_or("?");
            println!("    {target}: nothing found in {executed} inputs");
        } else {
            println!("    {target}: FAILED ({status})\n{log}");
        }
        runs.push(Run {
            target,
            passed: status.success(),
        });
    }
    Ok(runs)
}

/// The names of the targets, in order.
fn discover(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir.join("fuzz_targets"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

/// Seconds of each target so that all, two at a time, take `total`.
fn seconds_each(total: u64, targets: usize) -> u64 {
    let rounds = targets.div_ceil(AT_ONCE).max(1) as u64;
    (total / rounds).max(1)
}

fn start(dir: &Path, programs: &Path, target: &str, seconds: u64) -> Result<Child> {
    let corpus = dir.join("corpus").join(target);
    let artifacts = dir.join("artifacts").join(target);
    for made in [&corpus, &artifacts] {
        fs::create_dir_all(made).with_context(|| format!("cannot create {}", made.display()))?;
    }
    let mut command = Command::new(programs.join(target));
    command.arg(&corpus);
    // Hand-made inputs to start from, read but never written.
    let seeds = dir.join("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    let log = File::create(log_of(dir, target)).context("cannot create the fuzzer's log")?;
    command
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command
        .spawn()
        .with_context(|| format!("cannot start {}", shell::display(&command)))
}

fn log_of(dir: &Path, target: &str) -> PathBuf {
    dir.join("artifacts").join(target).join("log")
}

fn executed_units(log: &str) -> Option<&str> {
    let rest = log.split("stat::number_of_executed_units:").nth(1)?;
    rest.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_shared_among_the_targets() {
        assert_eq!(seconds_each(60, 1), 60);
        assert_eq!(seconds_each(60, 4), 30);
        assert_eq!(seconds_each(60, 6), 20);
        assert_eq!(seconds_each(1, 100), 1);
    }

    #[test]
    fn the_number_of_inputs_is_in_the_final_statistics() {
        let log = "Done\nstat::number_of_executed_units: 4242\nstat::x: 1\n";
        assert_eq!(executed_units(log), Some("4242"));
        assert_eq!(executed_units("killed"), None);
    }
}
