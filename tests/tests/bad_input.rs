//! What is no target: a clear line on stderr, an exact exit status, and nothing left attached.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gostray_tests::agent::{self, Agent, End};
use gostray_tests::go::{self, Mode};
use gostray_tests::target::Target;
use gostray_tests::{need, probes, skip};

/// Attaches, and expects one error line that holds all of `words` and leads to exit status 1.
#[track_caller]
fn refused(pid: u32, words: &[&str]) -> End {
    let end = Agent::attach(pid, &[]).unwrap().end().unwrap();
    expect_refusal(&end, words);
    end
}

#[track_caller]
fn expect_refusal(end: &End, words: &[&str]) {
    assert_eq!(end.code, Some(1), "{}", end.stderr);
    assert!(end.events.is_empty(), "{:?}", end.events);
    assert_eq!(
        end.stderr
            .lines()
            .filter(|l| l.starts_with("gostray: "))
            .count(),
        1,
        "{}",
        end.stderr
    );
    for word in words {
        assert!(
            end.message().contains(word),
            "no {word:?} in: {}",
            end.message()
        );
    }
}

/// A copy of a built program with one version string replaced by another of the same length.
fn with_version(exe: &Path, from: &str, to: &str, directory: &Path) -> PathBuf {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(exe).unwrap();
    let mut at = 0;
    while let Some(found) = bytes[at..]
        .windows(from.len())
        .position(|w| w == from.as_bytes())
    {
        at += found;
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    assert!(at > 0, "{from} does not occur");
    let copy = directory.join(to);
    std::fs::write(&copy, bytes).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn no_such_process() {
    need!(skip::is_root(), "needs root");
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    refused(child.id(), &[&child.id().to_string(), "no process has pid"]);
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn bad_usage_is_status_2() {
    for arguments in [
        vec!["attach"],
        vec!["attach", "notanumber"],
        vec!["attach", "1", "--interval", "never"],
    ] {
        let end = Agent::run(&arguments).unwrap().end().unwrap();
        assert_eq!(end.code, Some(2), "{arguments:?}: {}", end.stderr);
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_thread_id_names_its_process() {
    need!(skip::is_root(), "needs root");
    let target = Target::of("exits", &go::newest().unwrap(), Mode::Plain).unwrap();
    let pid = target.pid();
    let tid = std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .find(|&t: &u32| t != pid)
        .expect("Go programs have several threads");
    refused(tid, &["thread", &pid.to_string()]);
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn not_a_go_program() {
    need!(skip::is_root(), "needs root");
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    refused(child.id(), &["not a Go program"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_program_for_32_bits() {
    need!(skip::is_root(), "needs root");
    let exe = go::build_with(
        "exits",
        &go::newest().unwrap(),
        Mode::Plain,
        &[("GOARCH", "386")],
    )
    .unwrap();
    let target = Target::start(&exe, &[], &[]).unwrap();
    refused(target.pid(), &["32-bit"]);
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn releases_outside_the_window() {
    need!(skip::is_root(), "needs root");
    let toolchain = go::newest().unwrap();
    let exe = go::build("exits", &toolchain, Mode::Plain).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let minor = toolchain.minor().to_string();
    for other in ["17", "99"] {
        let version = toolchain.version.replacen(&minor, other, 1);
        let copy = with_version(&exe, &toolchain.version, &version, directory.path());
        let target = Target::start(&copy, &[], &[]).unwrap();
        refused(target.pid(), &[&version, "1.18", "1.27"]);
        assert_eq!(
            probes::changed_bytes(target.pid()).unwrap(),
            Vec::<u64>::new()
        );
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn without_privileges_it_says_what_to_do() {
    need!(skip::is_root(), "needs root to become somebody else");
    let exe = go::build("exits", &go::newest().unwrap(), Mode::Plain).unwrap();
    // Somebody else must be able to reach both programs: build directories may be private.
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (own, agent) = (
        directory.path().join("exits"),
        directory.path().join("gostray"),
    );
    std::fs::copy(exe, &own).unwrap();
    std::fs::copy(agent::binary().unwrap(), &agent).unwrap();
    let nobody = 65534;
    let mut command = Command::new(own);
    command.uid(nobody).gid(nobody);
    for target in [
        Target::spawn(command).unwrap(),
        Target::start(&directory.path().join("exits"), &[], &[]).unwrap(),
    ] {
        let mut command = Command::new(&agent);
        command
            .args(["attach", &target.pid().to_string(), "--format", "json"])
            .uid(nobody)
            .gid(nobody);
        let end = Agent::spawn(command).unwrap().end().unwrap();
        expect_refusal(&end, &["CAP_"]);
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_deleted_or_replaced_binary_is_attached_as_it_runs() {
    need!(skip::is_root(), "needs root");
    let exe = go::build("exits", &go::newest().unwrap(), Mode::Plain).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("program");
    for replacement in [None, Some(&b"\x7fELF\x02\x01\x01 truncated"[..])] {
        std::fs::copy(&exe, &copy).unwrap();
        let target = Target::start(&copy, &[], &[]).unwrap();
        std::fs::remove_file(&copy).unwrap();
        if let Some(bytes) = replacement {
            std::fs::write(&copy, bytes).unwrap();
        }
        let agent = Agent::attach(
            target.pid(),
            &["--interval", "200ms", "--budget", "unlimited"],
        )
        .unwrap();
        agent
            .wait_for("status", |s| {
                s["sites"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|e| e["exited"].as_u64() > Some(0)))
            })
            .unwrap();
        agent.stop_cleanly().unwrap();
    }
}
