//! Snapshots of processes in a bad way: stopped, traced, ended, ending, becoming another program, with
//! memory that cannot be read. Either a right answer or a clear error, never nonsense.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use gostray::binary::BinaryCache;
use gostray::memory::LiveMemory;
use gostray::report::Snapshot;
use gostray::session::{Inspected, SnapshotOptions, Subject, snapshot};
use gostray_tests::go::{self, Mode};
use gostray_tests::rest;
use gostray_tests::target::Target;
use gostray_tests::{agent, need, need_root_and_releases, skip};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

fn cli(pid: Pid) -> Output {
    agent::output(&["snapshot", &pid.to_string(), "--format", "json"]).unwrap()
}

/// One line on stderr with all of `words`, nothing on stdout, exit status 1.
#[track_caller]
fn expect_error(output: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in: {stderr}");
    }
}

fn pid_of(target: &Target) -> Pid {
    Pid::from_raw(target.pid().cast_signed())
}

/// A program at rest, how many goroutines it has beside the first, and its snapshot while it moves
/// freely.
fn at_rest() -> (Target, BTreeMap<u64, serde_json::Value>) {
    let mut target = Target::of("atrest", &go::newest().unwrap(), Mode::Stripped).unwrap();
    target.ask("start").unwrap();
    let seen = rest::each(&rest::snapshot(target.pid()).unwrap()).unwrap();
    (target, seen)
}

/// While it cannot move, it is seen as it was.
#[track_caller]
fn expect_the_same(target: &Target, before: &BTreeMap<u64, serde_json::Value>) {
    let snapshot = rest::snapshot(target.pid()).unwrap();
    assert_eq!(snapshot["defects"], serde_json::json!({}));
    let now = rest::each(&snapshot).unwrap();
    for (goid, was) in before.iter().filter(|(_, was)| was["system"] == false) {
        let is = now.get(goid).unwrap_or(&serde_json::Value::Null);
        for key in ["state", "wait_reason", "created_at", "start", "stack"] {
            assert_eq!(is[key], was[key], "{key} of {goid}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_stopped_process() {
    need!(skip::is_root(), "needs root");
    let (mut target, before) = at_rest();
    let pid = pid_of(&target);
    kill(pid, Signal::SIGSTOP).unwrap();
    let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(pid, Signal::SIGSTOP));
    expect_the_same(&target, &before);
    kill(pid, Signal::SIGCONT).unwrap();
    target.ask("truth").unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_process_under_a_debugger() {
    need!(skip::is_root(), "needs root");
    let (mut target, before) = at_rest();
    let tasks: Vec<Pid> = std::fs::read_dir(format!("/proc/{}/task", target.pid()))
        .unwrap()
        .map(|entry| {
            Pid::from_raw(
                entry
                    .unwrap()
                    .file_name()
                    .to_str()
                    .unwrap()
                    .parse()
                    .unwrap(),
            )
        })
        .collect();
    for task in &tasks {
        ptrace::seize(*task, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(*task).unwrap();
        let stopped = waitpid(*task, Some(WaitPidFlag::__WALL)).unwrap();
        assert!(
            matches!(stopped, WaitStatus::PtraceEvent(..)),
            "{stopped:?}"
        );
    }
    expect_the_same(&target, &before);
    for task in &tasks {
        ptrace::detach(*task, None).unwrap();
    }
    target.ask("truth").unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_zombie() {
    need!(skip::is_root(), "needs root");
    let mut target = Target::of("exits", &go::newest().unwrap(), Mode::Plain).unwrap();
    let pid = pid_of(&target);
    target.kill().unwrap();
    // Ended, and left for its parent, this test, to reap.
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
    expect_error(&cli(pid), &[&pid.to_string(), "has ended", "reaped"]);
    target.wait().unwrap();
    expect_error(&cli(pid), &[&pid.to_string(), "no process has pid"]);
}

/// A snapshot, if there can be one: what is shown must hang together, whatever became of the process
/// meanwhile.
#[track_caller]
fn sensible(inspected: &Inspected, memory: &LiveMemory) -> anyhow::Result<Snapshot> {
    let snapshot = snapshot(
        Subject::from(inspected),
        memory,
        &SnapshotOptions::default(),
    )?;
    let defects: u64 = snapshot.defects.values().sum();
    let shown: u64 = snapshot.groups.iter().map(|group| group.count).sum();
    assert!(shown > 0, "nothing at all: {snapshot:?}");
    assert!(shown + defects >= snapshot.goroutines, "{snapshot:?}");
    for group in &snapshot.groups {
        let places = group.created_at.iter().chain([&group.start]);
        for place in places.chain(group.stack.iter().flatten()) {
            assert!(!place.function.starts_with("unknown"), "{group:?}");
        }
        assert_ne!(group.state, "unknown", "{group:?}");
        assert_eq!(
            group.state == "waiting",
            group.wait_reason.is_some(),
            "{group:?}"
        );
        assert!(group.goids.iter().all(|goid| *goid > 0), "{group:?}");
    }
    Ok(snapshot)
}

#[test]
#[ignore = "needs root"]
fn a_process_that_becomes_another_program_all_the_time() {
    need!(skip::is_root(), "needs root");
    let toolchains = go::toolchains().unwrap();
    let [oldest, .., newest] = &toolchains[..] else {
        return skip::report("execs", "GOSTRAY_GO_ROOTS names fewer than two Go releases");
    };
    let one = go::build("exits", oldest, Mode::Stripped).unwrap();
    let other = go::build("exits", newest, Mode::Pie).unwrap();
    let mut target = Target::start(&one, &["alternate", other.to_str().unwrap()], &[]).unwrap();
    let binaries = BinaryCache::new();
    let (mut right, mut refused) = (BTreeMap::<String, u32>::new(), 0);
    // Until each program was caught at least a few times.
    while right.len() < 2 || right.values().any(|times| *times < 20) {
        assert!(refused < 100_000, "{right:?}");
        let Ok(inspected) = Inspected::new(target.pid().cast_signed(), &binaries) else {
            refused += 1;
            continue;
        };
        let memory = LiveMemory::new(inspected.process.pid());
        match sensible(&inspected, &memory) {
            Ok(snapshot) => {
                *right.entry(snapshot.process.go_version).or_default() += 1;
            }
            Err(_) => refused += 1,
        }
    }
    eprintln!("right answers: {right:?}, errors: {refused}");
    for _ in 0..20 {
        let output = cli(pid_of(&target));
        if output.status.success() {
            serde_json::from_slice::<Snapshot>(&output.stdout).unwrap();
        } else {
            expect_error(&output, &[&target.pid().to_string()]);
        }
    }
    assert!(target.is_running().unwrap());
}

/// It is killed at ever other moments of being read.
#[test]
#[ignore = "needs root"]
fn a_process_that_ends_while_it_is_read() {
    need!(skip::is_root(), "needs root");
    let exe = go::build("busy", &go::newest().unwrap(), Mode::Stripped).unwrap();
    let mut cut_short = 0;
    for _ in 0..40 {
        let target = Target::start(&exe, &[], &[]).unwrap();
        let pid = pid_of(&target);
        let inspected = Inspected::new(pid.as_raw(), &BinaryCache::new()).unwrap();
        let memory = LiveMemory::new(pid.as_raw());
        let reading = AtomicBool::new(false);
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !reading.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                kill(pid, Signal::SIGKILL).unwrap();
            });
            loop {
                reading.store(true, Ordering::Release);
                match sensible(&inspected, &memory) {
                    // One that is not whole says so.
                    Ok(snapshot) => {
                        let ended = |reason: &str| reason.contains("ended");
                        cut_short += u32::from(snapshot.defects.keys().any(|r| ended(r)));
                    }
                    Err(error) => break error.to_string(),
                }
            }
        });
        assert!(error.contains("ended"), "{error}");
        expect_error(&cli(pid), &[&pid.to_string()]);
    }
    eprintln!("{cut_short} snapshots ended with the process");
}

/// A page of a stack that nobody may read: all else is shown, and that it is not.
#[test]
#[ignore = "needs root"]
fn memory_that_cannot_be_read() {
    let toolchains = need_root_and_releases!();
    for toolchain in &toolchains {
        check_unreadable(Target::of("atrest", toolchain, Mode::Plain).unwrap());
    }
}

fn check_unreadable(mut target: Target) {
    target.ask("protect").unwrap();
    let output = cli(pid_of(&target));
    assert!(output.status.success(), "{output:?}");
    let partial: Snapshot = serde_json::from_slice(&output.stdout).unwrap();
    let calls = |snapshot: &Snapshot| {
        let stacks = snapshot.groups.iter().flat_map(|group| &group.stack);
        let frames = stacks.map(|s| s.iter().filter(|f| f.function == "main.bottom").count());
        frames.max().unwrap_or(0)
    };
    let reasons: Vec<_> = partial.defects.keys().collect();
    assert_eq!(partial.defects.values().sum::<u64>(), 1, "{reasons:?}");
    assert!(calls(&partial) < 61, "it was read");
    let others = |snapshot: &Snapshot| {
        let receive = |s: &Snapshot| {
            let groups = s
                .groups
                .iter()
                .filter(|g| g.start.function == "main.receiveInt");
            groups.map(|g| g.count).sum::<u64>()
        };
        (receive(snapshot), snapshot.goroutines)
    };
    target.ask("unprotect").unwrap();
    let output = cli(pid_of(&target));
    let whole: Snapshot = serde_json::from_slice(&output.stdout).unwrap();
    assert!(whole.defects.is_empty(), "{:?}", whole.defects);
    assert_eq!(calls(&whole), 61);
    assert_eq!(others(&whole), others(&partial));
}

/// An experiment of the toolchain moves fields of channels and of the scheduler, and a stripped binary
/// does not tell where to: goroutines are right all the same, and what they wait on is left out.
#[test]
#[ignore = "needs root"]
fn a_toolchain_with_experiments() {
    need!(skip::is_root(), "needs root");
    let experiment = [("GOEXPERIMENT", "staticlockranking")];
    let toolchain = go::newest().unwrap();
    let exe = go::build_with("counters", &toolchain, Mode::Stripped, &experiment).unwrap();
    let mut target = Target::start(&exe, &[], &[]).unwrap();
    target.ask("leak 1000").unwrap();
    let own: u64 = target.ask("goroutines").unwrap().trim().parse().unwrap();
    let output = cli(pid_of(&target));
    assert!(output.status.success(), "{output:?}");
    let whole: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let version = whole["process"]["go_version"].as_str().unwrap();
    assert!(version.contains("X:staticlockranking"), "{version}");
    let groups = whole["groups"].as_array().unwrap();
    let programs = groups.iter().filter(|group| group["system"] == false);
    let count: u64 = programs.map(|group| group["count"].as_u64().unwrap()).sum();
    assert_eq!(count, own);
    let on_channels: Vec<_> = groups
        .iter()
        .filter(|group| group["wait_reason"] == "chan send")
        .collect();
    assert!(!on_channels.is_empty());
    for group in on_channels {
        assert_eq!(group["waits_on"], serde_json::json!([]), "{group}");
        assert!(group["unknown"]["waits_on"].is_string(), "{group}");
    }
}
