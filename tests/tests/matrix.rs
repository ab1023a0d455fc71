//! Exact counts: every release, every way to link, one and two processors.
//!
//! A million short goroutines and ten thousand leaked ones later, what the agent says of every
//! creation site equals what the program counted itself.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use gostray_tests::agent::Agent;
use gostray_tests::counts;
use gostray_tests::go::{self, Mode, Toolchain};
use gostray_tests::lines::PATIENCE;
use gostray_tests::target::Target;
use gostray_tests::{need_root_and_releases, probes};
use std::time::{Instant, SystemTime};

/// One release, one way to link, one number of processors.
struct Cell {
    toolchain: Toolchain,
    mode: Mode,
    procs: u32,
}

impl Cell {
    fn name(&self) -> String {
        format!(
            "{} {:?} GOMAXPROCS={}",
            self.toolchain.version, self.mode, self.procs
        )
    }

    fn check(&self) -> Result<()> {
        let exe = go::build("counters", &self.toolchain, self.mode)?;
        let mut target = Target::start(&exe, &[], &[("GOMAXPROCS", &self.procs.to_string())])?;
        let agent = Agent::attach(
            target.pid(),
            &["--interval", "200ms", "--budget", "unlimited"],
        )?;
        agent.attached()?;
        target.ask("short 1000000")?;
        target.ask("leak 10000")?;
        let own = counts::parse(&target.ask("counts")?)?;
        let status = wait_for_equality(&agent, &own)?;
        check_coverage(&status)?;
        check_names(&own, &status)?;
        let end = agent.stop_cleanly()?;
        ensure!(
            end.reason() == Some("interrupted"),
            "detached for {:?}",
            end.reason()
        );
        let left = probes::changed_bytes(target.pid())?;
        ensure!(
            left.is_empty() || !end.was_clean(),
            "breakpoints at {left:x?} after an end that was called clean"
        );
        probes::wait_until_gone(target.pid())?;
        // The program is as well as before, and ends what it leaked.
        target.ask("release")?;
        target.ask("short 1000")?;
        Ok(())
    }
}

/// The program is quiet when this is called: the first status made after that must be right.
/// Those of the busy time are still in the queue; their times say so.
fn wait_for_equality(agent: &Agent, own: &[counts::Site]) -> Result<serde_json::Value> {
    let quiet_since = gostray::report::timestamp(SystemTime::now());
    let (_, status) = agent.wait_before(Instant::now() + PATIENCE, "status", |status| {
        status["time"].as_str() > Some(&quiet_since)
    })?;
    let differences = counts::differences(own, &status);
    ensure!(
        differences.is_empty(),
        "counts differ:\n{}",
        differences.join("\n")
    );
    Ok(status)
}

fn check_coverage(status: &serde_json::Value) -> Result<()> {
    ensure!(
        status["coverage"] == 1.0,
        "coverage is {}",
        status["coverage"]
    );
    // Nothing was lost, so the census has never found anything else than the probes.
    ensure!(
        status["disagreement"]["repaired"] == 0,
        "probes and census disagree: {}",
        status["disagreement"]
    );
    for (name, dropped) in status["drops"].as_object().context("no drops")? {
        ensure!(
            dropped.as_u64() == Some(0),
            "{dropped} drops of kind {name}"
        );
    }
    Ok(())
}

fn check_names(own: &[counts::Site], status: &serde_json::Value) -> Result<()> {
    for site in own {
        let name = counts::start_at(status, &site.file, site.line)
            .with_context(|| format!("{}: the started function has no name", site.name))?;
        // time.AfterFunc and iter.Pull start a function value through code of the library: the
        // traceback inlines or elides what the `go` statement itself names.
        if site.file.contains("targets/counters/") {
            ensure!(
                counts::same_function(&site.start, name),
                "{}: started function is {}, the agent says {name}",
                site.name,
                site.start
            );
        }
    }
    Ok(())
}

fn run_all(cells: Vec<Cell>) {
    let total = cells.len();
    let queue = Mutex::new(cells);
    let failures = Mutex::new(Vec::new());
    // As many at a time as there are processors: each keeps about one busy.
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get().min(4));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(cell) = queue.lock().unwrap().pop() else {
                        return;
                    };
                    let started = Instant::now();
                    let result = cell.check();
                    eprintln!(
                        "{}: {} ({:.1?})",
                        cell.name(),
                        if result.is_ok() { "exact" } else { "WRONG" },
                        started.elapsed()
                    );
                    if let Err(e) = result {
                        failures
                            .lock()
                            .unwrap()
                            .push(format!("{}: {e:#}", cell.name()));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {total} cells failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn counts_are_exact_for_every_release_and_link_mode() {
    let toolchains = need_root_and_releases!();
    let mut cells = Vec::new();
    for toolchain in toolchains {
        for mode in Mode::ALL {
            for procs in [1, 2] {
                cells.push(Cell {
                    toolchain: toolchain.clone(),
                    mode,
                    procs,
                });
            }
        }
    }
    run_all(cells);
}
