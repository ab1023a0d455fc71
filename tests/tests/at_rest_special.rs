//! What cannot rest together with everything else: goroutines that are ready to run, and finalizers
//! that do not come to an end.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use anyhow::{Result, ensure};
use gostray_tests::cells::{self, Differences};
use gostray_tests::go::{Mode, Toolchain};
use gostray_tests::need_root_and_releases;
use gostray_tests::rest::{self, Rest};
use gostray_tests::target::Target;
use serde_json::Value;

/// Fresh ones, one woken from a channel and one whose processor was taken from it: all of them have
/// the stack that the program's own dump shows.
fn ready_to_run(toolchain: &Toolchain, mode: Mode) -> Result<Vec<String>> {
    let mut target = Target::of("atrest", toolchain, mode)?;
    let main = 1;
    // It is answered by the dump; nothing moves until the next line.
    let dump = rest::by_number(&target.ask("runnable")?, main)?;
    let seen = rest::each(&rest::snapshot(target.pid())?)?;
    ensure!(target.ask("")? == "ok runnable");
    ensure!(dump.values().filter(|one| one.state == "runnable").count() == 4);
    let mut differences = Vec::new();
    for (goid, dumped) in &dump {
        let own = dumped.stack.as_deref().unwrap_or_default();
        let innermost = own.first().map(|frame| frame.function.as_str());
        let name = innermost.unwrap_or_default();
        let Some(seen) = seen.get(goid) else {
            differences.push(format!("{name}: not in the snapshot"));
            continue;
        };
        let waits = seen["state"] == "waiting";
        let state = &seen[if waits { "wait_reason" } else { "state" }];
        if state != dumped.state.as_str() || waits == seen["wait_reason"].is_null() {
            differences.push(format!("{name}: {state}, the dump says {}", dumped.state));
        }
        // Where there is nothing to show but a wrapper, Go shows it and what called it.
        let own: Vec<_> = own
            .iter()
            .filter(|f| f.function != "runtime.goexit")
            .cloned()
            .collect();
        let mut stack = rest::stack(seen).unwrap_or_default();
        // Before Go 1.21 a dump takes the pc at which a goroutine was interrupted for one that a call
        // returns to, and may give the line before.
        if toolchain.minor() < 21 && name == "main.spin" && stack.len() == own.len() {
            stack[0].line = own[0].line;
        }
        if own != stack {
            let (stack, own) = (rest::show(&stack), rest::show(&own));
            differences.push(format!(
                "{name}: other frames{stack}\n      the dump has{own}"
            ));
        }
    }
    let seen = seen.get(&main).unwrap_or(&Value::Null);
    if seen["state"] != "running" || !seen["stack"].is_null() {
        differences.push(format!(
            "main runs, seen is {} in {}",
            seen["state"], seen["stack"]
        ));
    }
    Ok(differences)
}

/// Runs `check` for all releases and modes.
#[track_caller]
fn for_all(check: impl Fn(&Toolchain, Mode) -> Result<Vec<String>> + Sync) {
    let toolchains = need_root_and_releases!();
    let mut all = Differences::default();
    for (cell, result) in cells::for_all(&toolchains, &Mode::FOR_SNAPSHOTS, |toolchain, mode| {
        (
            format!("{} {mode:?}", toolchain.version),
            check(toolchain, mode),
        )
    }) {
        match result {
            Ok(differences) => differences.into_iter().for_each(|d| all.add(&cell, d)),
            Err(error) => all.add(&cell, format!("{error:#}")),
        }
    }
    all.none();
}

#[test]
#[ignore = "needs root"]
fn goroutines_that_are_ready_to_run() {
    for_all(ready_to_run);
}

/// The runtime counts its finalizer goroutine as the program's while it runs a finalizer.
#[test]
#[ignore = "needs root"]
fn finalizers_and_cleanups() {
    for_all(|toolchain, mode| {
        let rest = Rest::new(toolchain, mode, &["finalizers"])?;
        // Besides them there is one that an init function started.
        let expected = if toolchain.minor() < 25 { 2 } else { 3 };
        ensure!(
            rest.dump.len() == expected,
            "{} in the dump",
            rest.dump.len()
        );
        let mut differences = Vec::new();
        for (name, dumped, seen) in rest.pairs() {
            let (own, stack) = (
                dumped.stack.as_deref().unwrap_or_default(),
                rest::stack(seen),
            );
            if !dumped.has_stack(stack.as_deref().unwrap_or_default()) {
                let (stack, own) = (rest::show(&stack.unwrap_or_default()), rest::show(own));
                differences.push(format!(
                    "{name}: other frames{stack}\n      the dump has{own}"
                ));
            }
            if seen["system"] != false {
                differences.push(format!("{name}: a system goroutine, not in the dump"));
            }
        }
        Ok(differences)
    });
}
