//! A thousand snapshots of a program in which everything moves: no goroutine that cannot be.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use gostray::binary::BinaryCache;
use gostray::memory::LiveMemory;
use gostray::report::{Group, Place, Snapshot};
use gostray::session::{Inspected, SnapshotOptions, Subject, snapshot};
use gostray_tests::cells::Differences;
use gostray_tests::go::Mode;
use gostray_tests::target::Target;
use gostray_tests::{moving, need_root_and_releases};

/// Passes over the newest release; the others have a share of them, to keep the time short.
const PASSES: u32 = 1000;
const PASSES_OF_OTHERS: u32 = 300;

/// What a goroutine can be waiting for in the program, its collector included.
const REASONS: [&str; 26] = [
    "GC assist marking",
    "GC assist wait",
    "GC background sweeper wait",
    "GC scavenge wait",
    "GC sweep wait",
    "GC weak to strong wait",
    "GC worker (active)",
    "GC worker (idle)",
    "GC worker init",
    "GOMAXPROCS updater (idle)",
    "IO wait",
    "chan receive",
    "chan send",
    "cleanup wait",
    "debug call",
    "finalizer wait",
    "force gc (idle)",
    "garbage collection",
    "garbage collection scan",
    "mark wait (idle)",
    "preempted",
    "select",
    "semacquire",
    "sleep",
    "sync.Mutex.Lock",
    "sync.WaitGroup.Wait",
];
/// Words of later releases for collections, which come and go with them.
const REASON_PREFIXES: [&str; 5] = [
    "GC ",
    "wait for GC cycle",
    "wait until GC ends",
    "stopping the world",
    "flushing proc caches",
];

/// What can be in the program, by its own account.
struct Possible {
    /// Place of a `go` statement, and what it starts.
    sites: HashSet<(String, String)>,
    starts: HashSet<String>,
}

impl Possible {
    fn ask(target: &mut Target) -> Result<Self> {
        let sites: serde_json::Value = serde_json::from_str(&target.ask("sites")?)?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let sites = sites.as_array().context("no sites")?.iter();
        let sites: Option<HashSet<_>> = sites
            .map(|site| Some((text(&site["created"])?, text(&site["start"])?)))
            .collect();
        let sites = sites.context("a site without a place")?;
        let starts = sites.iter().map(|(_, start)| start.clone()).collect();
        Ok(Self { sites, starts })
    }

    fn check(&self, snapshot: &Snapshot) -> Result<()> {
        let mut goids = BTreeSet::new();
        let mut number = 0;
        for group in &snapshot.groups {
            number += group.count;
            self.check_group(group).with_context(|| describe(group))?;
            for goid in &group.goids {
                ensure!(*goid > 0, "number 0: {}", describe(group));
                ensure!(goids.insert(*goid), "a number twice: {}", describe(group));
            }
        }
        ensure!(
            number + moving::unseen(snapshot)? == snapshot.goroutines,
            "not all alive are shown"
        );
        Ok(())
    }

    fn check_group(&self, group: &Group) -> Result<()> {
        let state = group.state.as_ref();
        ensure!(
            [
                "waiting",
                "syscall",
                "runnable",
                "running",
                "copystack",
                "preempted"
            ]
            .contains(&state),
            "state {state}"
        );
        let start = group.start.function.as_str();
        ensure!(is_known(&group.start), "an unknown start");
        ensure!(group.stack_bytes > 0, "without a stack");
        if let Some(reason) = &group.wait_reason {
            let possible = REASONS.contains(&reason.as_str())
                || REASON_PREFIXES
                    .iter()
                    .any(|prefix| reason.starts_with(prefix));
            ensure!(possible, "waits for {reason}");
        }
        ensure!(
            (state == "waiting") == group.wait_reason.is_some(),
            "reason"
        );
        if group.system {
            ensure!(start.starts_with("runtime."), "the runtime's");
        } else {
            let site = group.created_at.as_ref().map(|place| {
                let (file, line) = (place.file.as_deref(), place.line.unwrap_or(0));
                (
                    format!("{}:{line}", file.unwrap_or_default()),
                    start.to_owned(),
                )
            });
            let possible = site.map_or(start == "runtime.main", |s| self.sites.contains(&s));
            ensure!(possible, "no such go statement");
        }
        if let Some(stack) = &group.stack {
            ensure!(stack.iter().all(is_known), "an unknown frame");
            // The runtime's own frames are not shown; its own goroutines may have none but those.
            if !group.system {
                let interrupted = ["runnable", "preempted"].contains(&state);
                let Some(outermost) = stack.last().map(|place| &place.function) else {
                    // Its function has returned: in `runtime.goexit1` it can be interrupted still.
                    ensure!(interrupted, "no frame");
                    return Ok(());
                };
                // One that has just begun may be in the compiler's wrapper of `go f(x)`, which is
                // named after the function that has the statement.
                let creator = group.created_at.as_ref().map(|place| &place.function);
                if interrupted
                    && stack.len() == 1
                    && creator.is_some_and(|f| outermost.starts_with(f.as_str()))
                {
                    return Ok(());
                }
                let possible = self.starts.contains(outermost) || outermost == "main.main";
                ensure!(possible, "the outermost frame starts nothing");
                ensure!(
                    start == outermost || start == "runtime.main",
                    "another start"
                );
            }
        }
        Ok(())
    }
}

fn is_known(place: &Place) -> bool {
    !place.function.is_empty() && !place.function.starts_with("unknown function")
}

#[test]
#[ignore = "needs root"]
fn no_impossible_goroutine_in_a_thousand_passes() {
    let toolchains = need_root_and_releases!();
    let mut failures = Differences::default();
    for toolchain in &toolchains {
        let mut target = Target::of("busy", toolchain, Mode::Stripped).unwrap();
        let possible = Possible::ask(&mut target).unwrap();
        let made = |target: &mut Target| target.ask("made").unwrap().parse::<u64>().unwrap();
        let before = made(&mut target);
        let inspected = Inspected::new(target.pid().cast_signed(), &BinaryCache::new()).unwrap();
        let memory = LiveMemory::new(inspected.process.pid());
        let (mut most, mut moved, mut all, mut bad) = (0, 0, 0, 0);
        let started = Instant::now();
        let is_newest = Some(toolchain) == toolchains.last();
        for pass in 0..if is_newest { PASSES } else { PASSES_OF_OTHERS } {
            // Each for itself now and then, so that every number is seen; that takes its time.
            let options = SnapshotOptions {
                full: pass % 20 == 0,
                ..SnapshotOptions::default()
            };
            let snapshot = snapshot(Subject::from(&inspected), &memory, &options).unwrap();
            if let Err(error) = possible.check(&snapshot) {
                bad += 1;
                failures.add(&toolchain.version, format!("{error:#}"));
            }
            let goids = snapshot.groups.iter().flat_map(|group| &group.goids);
            most = goids.copied().max().unwrap_or(0).max(most);
            moved += snapshot.defects.values().sum::<u64>();
            all += snapshot.goroutines;
        }
        let version = &toolchain.version;
        eprintln!(
            "{version}: {bad} bad passes, {all} goroutines, {moved} of them moved, in {:.1?}",
            started.elapsed()
        );
        // Numbers are handed out without gaps, to each processor some in advance; those of the
        // largest bursts may have been created and not yet have begun.
        let made = made(&mut target);
        assert!(made > before + 10_000, "the program is busy");
        assert!(most < made + 10_000, "number {most} of {made} goroutines");
        assert!(moved * 100 < all, "{moved} of {all} moved");
    }
    failures.none();
}

fn describe(group: &Group) -> String {
    let stack = group.stack.as_ref().map(|stack| {
        let functions: Vec<_> = stack.iter().map(|place| place.function.as_str()).collect();
        functions.join(" < ")
    });
    format!(
        "{} {:?}, started {} at {:?}, in {stack:?}",
        group.state,
        group.wait_reason,
        group.start.function,
        group.created_at.as_ref().and_then(|place| place.line)
    )
}
