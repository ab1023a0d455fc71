//! What a leak does to its process, and what the process uses, against the program's own word and the
//! kernel's.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gostray_tests::agent::Agent;
use gostray_tests::cgroup::LimitedGroup;
use gostray_tests::go::{self, Mode, Toolchain};
use gostray_tests::lines::PATIENCE;
use gostray_tests::target::Target;
use gostray_tests::{need_root_and_releases, skip, usage};
use serde_json::Value;

const MIB: u64 = 1 << 20;
/// Goroutines lost a second, and what each holds.
const RATE: f64 = 20.0;
const HELD: f64 = 65_536.0;

fn own(target: &mut Target) -> Result<Value> {
    Ok(serde_json::from_str(&target.ask("memory")?)?)
}

fn number(value: &Value, name: &str) -> Result<f64> {
    value[name]
        .as_f64()
        .with_context(|| format!("{name} is null: {}", value["unknown"][name]))
}

/// Within a factor of `factor`.
fn is_near(found: f64, expected: f64, factor: f64) -> bool {
    found > 0.0 && found < expected * factor && expected < found * factor
}

/// The heap that the agent sees is between what the program says before and after it.
fn heap_is_right(toolchain: &Toolchain, mode: Mode) -> Result<()> {
    let mut target = Target::of("memory", toolchain, mode)?;
    let agent = Agent::attach(
        target.pid(),
        &[
            "--interval",
            "200ms",
            "--no-probes",
            "--budget",
            "unlimited",
        ],
    )?;
    agent.attached()?;
    for step in 0..3 {
        // 24 MiB more each time.
        target.ask("hold 1 25165824")?;
        let deadline = Instant::now() + Duration::from_secs(20);
        let held = 24 * MIB * (step + 1);
        while number(&own(&mut target)?, "heap_alloc")? < held as f64 {
            ensure!(Instant::now() < deadline, "the program allocates nothing");
            std::thread::sleep(Duration::from_millis(50));
        }
        target.ask("collect")?;
        let before = own(&mut target)?;
        let moment = agent.wait_for("status", |_| true)?;
        let status = agent.wait_for("status", |_| true)?;
        let after = own(&mut target)?;
        ensure!(moment["time"] != status["time"], "the same status twice");
        let seen = number(&status["process"], "heap_bytes")?;
        let (least, most) = (
            number(&before, "heap_alloc")?,
            number(&after, "heap_alloc")?,
        );
        // The collector counts what is in spans of a processor's own as allocated before it is.
        let slack = 2.0 * MIB as f64;
        ensure!(
            seen > least - slack && seen < most + slack,
            "{seen} is not between {least} and {most}"
        );
        let resident = number(&status["process"], "rss_bytes")?;
        let own = usage::memory(target.pid(), "VmRSS")? as f64;
        ensure!(is_near(resident, own, 1.5), "RSS is {own}, not {resident}");
        ensure!(resident >= held as f64, "RSS of {resident} holds {held}");
    }
    agent.stop_cleanly()?;
    Ok(())
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_heap_is_what_the_program_says() {
    let releases = need_root_and_releases!();
    for toolchain in &go::oldest_and_newest(releases) {
        for mode in Mode::FOR_SNAPSHOTS {
            heap_is_right(toolchain, mode)
                .unwrap_or_else(|error| panic!("{} {mode:?}: {error:#}", toolchain.version));
        }
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_heap_is_found_in_every_stripped_release() {
    for toolchain in &need_root_and_releases!() {
        let target = Target::of("memory", toolchain, Mode::Stripped).unwrap();
        let agent = Agent::attach(target.pid(), &["--interval", "200ms", "--no-probes"]).unwrap();
        let status = agent.wait_for("status", |_| true).unwrap();
        let heap = number(&status["process"], "heap_bytes")
            .unwrap_or_else(|error| panic!("{}: {error:#}", toolchain.version));
        assert!(heap > 10_000.0, "{}: {heap}", toolchain.version);
        agent.stop_cleanly().unwrap();
    }
}

/// A leak in a cgroup with a limit above it, in a program that makes so many bytes of garbage a second:
/// correlations, rates, and when it is full.
fn leak_in(group: &LimitedGroup, limit: u64, toolchain: &Toolchain, garbage: u64) -> Result<()> {
    let exe = go::build("memory", toolchain, Mode::Stripped)?;
    let mut target = Target::spawn(group.command(&exe))?;
    let agent = Agent::attach(target.pid(), &["--interval", "1s"])?;
    agent.attached()?;
    if garbage > 0 {
        target.ask(&format!("garbage {garbage}"))?;
    }
    target.ask("leak 20 65536")?;
    let began = (Instant::now(), group.used()?);
    let deadline = Instant::now() + PATIENCE;
    let (_, leak) = agent.wait_before(deadline, "leak", |_| true)?;
    let impact = &leak["impact"];
    ensure!(impact["rank"] == 1, "{impact}");
    ensure!(impact["limit_bytes"] == limit, "{impact}");
    // Twenty seconds give the estimates something to rest on.
    let enough = began.0 + Duration::from_secs(20);
    let (when, status) = agent.wait_before(deadline, "status", |status| {
        Instant::now() > enough
            && status["leaks"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
    })?;
    let used = group.used()?;
    let open = &status["leaks"][0];
    ensure!(open["id"] == leak["site"]["id"], "{open}");
    ensure!(number(open, "rss_correlation")? > 0.8, "{open}");
    // With garbage the heap goes up and down as it grows.
    let least = if garbage > 0 { 0.5 } else { 0.8 };
    ensure!(number(open, "heap_correlation")? > least, "{open}");
    ensure!(open["bytes_from"] == "rss", "{open}");
    ensure!(
        is_near(number(open, "goroutines_per_hour")?, RATE * 3600.0, 1.2),
        "{open}"
    );
    // The collector lets garbage grow to as much as lives.
    let factor = if garbage > 0 { 2.5 } else { 1.5 };
    ensure!(
        is_near(number(open, "bytes_per_goroutine")?, HELD, factor),
        "{open}"
    );
    ensure!(open["limit_kind"] == group.kind, "{open}");
    let path = open["limit_path"].as_str().context("no path")?;
    ensure!(path.ends_with(&group.name()), "{path}");
    // From what the kernel counts alone.
    let passed = when.duration_since(began.0).as_secs_f64();
    let rate = used.saturating_sub(began.1) as f64 / passed;
    let left = limit.saturating_sub(used) as f64 / rate;
    let said = number(open, "seconds_to_limit")?;
    println!("{left:.0} s left, {said:.0} s said; {open}");
    ensure!(
        is_near(said, left, 2.0),
        "{left} s are left, not {said}: {open}"
    );
    let process = &status["process"];
    ensure!(process["memory_limit_bytes"] == limit, "{process}");
    ensure!(
        is_near(number(process, "created_per_second")?, RATE, 1.5),
        "{process}"
    );
    ensure!(
        is_near(number(process, "memory_used_bytes")?, used as f64, 1.2),
        "{process}"
    );
    agent.stop_cleanly()?;
    Ok(())
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_leak_says_when_the_cgroup_is_full() {
    let releases = need_root_and_releases!();
    let limit = 256 * MIB;
    let ends = go::oldest_and_newest(releases);
    for (toolchain, garbage) in ends.iter().zip([0, 20_000_000]) {
        let group = match LimitedGroup::new("impact", limit) {
            Ok(group) => group,
            Err(error) => {
                skip::report(module_path!(), &format!("no cgroup: {error:#}"));
                return;
            }
        };
        leak_in(&group, limit, toolchain, garbage)
            .unwrap_or_else(|error| panic!("{}: {error:#}", toolchain.version));
    }
}
