//! `gostray snapshot` against what programs know of themselves: every release, stripped too.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use gostray_tests::go::{Mode, Toolchain};
use gostray_tests::target::Target;
use gostray_tests::{agent, counts, need_root_and_releases};
use serde_json::Value;

/// What the leaked goroutines wait for, in the words that all releases share.
const REASONS: [&str; 5] = [
    "chan receive",
    "chan send",
    "select",
    "sleep",
    "chan receive (nil chan)",
];

fn snapshot(pid: u32) -> Result<Value> {
    let arguments = ["snapshot", &pid.to_string(), "--format", "json"];
    Ok(serde_json::from_slice(&agent::answer(&arguments)?)?)
}

fn check(toolchain: &Toolchain, mode: Mode) -> Result<()> {
    let mut target = Target::of("counters", toolchain, mode)?;
    target.ask("short 1000")?;
    target.ask("leak 1000")?;
    let own = counts::parse(&target.ask("counts")?)?;
    let snapshot = snapshot(target.pid())?;
    // No goroutine comes or goes between the two answers.
    let number: u64 = target.ask("goroutines")?.trim().parse()?;
    ensure!(
        snapshot["defects"]
            .as_object()
            .is_some_and(|d| d.is_empty()),
        "defects: {}",
        snapshot["defects"]
    );
    let mut live: BTreeMap<(String, u64), u64> = BTreeMap::new();
    let mut of_the_program = 0;
    let mut reasons = BTreeSet::new();
    for group in snapshot["groups"].as_array().context("no groups")? {
        let count = group["count"].as_u64().context("no count")?;
        let place = &group["created_at"];
        if let (Some(file), Some(line)) = (place["file"].as_str(), place["line"].as_u64()) {
            *live.entry((file.into(), line)).or_default() += count;
        }
        if group["system"] == false {
            of_the_program += count;
        }
        reasons.extend(group["wait_reason"].as_str().map(str::to_owned));
    }
    for site in &own {
        let seen = live.get(&(site.file.clone(), site.line.into()));
        ensure!(
            seen.copied().unwrap_or(0) == site.live,
            "{}: {} live, the snapshot says {seen:?}",
            site.name,
            site.live
        );
    }
    ensure!(
        of_the_program == number,
        "runtime.NumGoroutine() is {number}, the snapshot says {of_the_program}"
    );
    for reason in REASONS {
        ensure!(reasons.contains(reason), "nobody waits for {reason}");
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_snapshot_equals_what_the_program_counts() {
    let toolchains = need_root_and_releases!();
    let mut failures = Vec::new();
    for toolchain in &toolchains {
        for mode in Mode::FOR_SNAPSHOTS {
            if let Err(error) = check(toolchain, mode) {
                failures.push(format!("{} {mode:?}: {error:#}", toolchain.version));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
