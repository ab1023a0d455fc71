//! Targets and agents that end in the midst of things: a clean end, and nothing left attached.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::Instant;

use gostray_tests::agent::Agent;
use gostray_tests::go::{self, Mode};
use gostray_tests::target::Target;
use gostray_tests::{need, probes, skip};
use nix::sys::signal::Signal;

fn exits() -> Target {
    Target::of("exits", &go::newest().unwrap(), Mode::Stripped).unwrap()
}

fn watched(target: &Target) -> Agent {
    let agent = Agent::attach(
        target.pid(),
        &["--interval", "200ms", "--budget", "unlimited"],
    )
    .unwrap();
    agent.wait_for("status", |_| true).unwrap();
    agent
}

fn churned(target: &mut Target) -> u64 {
    target.ask("churned").unwrap().parse().unwrap()
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_target_ends_while_watched() {
    need!(skip::is_root(), "needs root");
    for (command, reason) in [
        ("exit 0", "exited"),
        ("exit 3", "exited"),
        ("panic", "exited"),
        ("kill", "exited"),
        ("exec /bin/cat", "exec"),
    ] {
        let mut target = exits();
        let agent = watched(&target);
        target.tell(command).unwrap();
        let end = agent.end().unwrap();
        assert_eq!(end.code, Some(0), "{command}: {}", end.stderr);
        assert_eq!(end.reason(), Some(reason), "{command}");
        if reason == "exec" {
            assert!(
                target.is_running().unwrap(),
                "the program that was started instead is well"
            );
            assert_eq!(
                probes::changed_bytes(target.pid()).unwrap(),
                Vec::<u64>::new()
            );
        }
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_target_ends_while_being_attached_to() {
    need!(skip::is_root(), "needs root");
    for round in 0..20 {
        let mut target = exits();
        let agent = Agent::attach(
            target.pid(),
            &["--interval", "200ms", "--budget", "unlimited"],
        )
        .unwrap();
        // Somewhere between the agent's start and its first report: later with each round.
        for _ in 0..round * 10 {
            churned(&mut target);
        }
        match round % 3 {
            0 => target.kill().unwrap(),
            1 => target.tell("exit 0").unwrap(),
            _ => target.tell("exec /bin/cat").unwrap(),
        }
        if round % 3 != 2 {
            target.wait().unwrap();
        }
        let end = agent.end().unwrap();
        let clean = match end.code {
            Some(0) => end.reason().is_some(),
            Some(1) => !end.message().is_empty(),
            _ => false,
        };
        assert!(
            clean,
            "round {round}: {:?} {} {:?}",
            end.code, end.stderr, end.events
        );
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn children_of_the_target_are_left_alone() {
    need!(skip::is_root(), "needs root");
    let mut target = exits();
    let agent = watched(&target);
    target.ask("forks 200").unwrap();
    agent.stop_cleanly().unwrap();
    target.ask("forks 10").unwrap();
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_killed_agent_leaves_a_healthy_target() {
    need!(skip::is_root(), "needs root");
    let mut target = exits();
    let agent = watched(&target);
    assert!(
        !probes::changed_bytes(target.pid()).unwrap().is_empty(),
        "the check sees probes that are on"
    );
    agent.signal(Signal::SIGKILL).unwrap();
    let end = agent.end().unwrap();
    assert_eq!(end.code, None);
    // The kernel detaches when it tears the dead agent down, which is not before its parent knows.
    let deadline = Instant::now() + gostray_tests::lines::PATIENCE;
    while !probes::changed_bytes(target.pid()).unwrap().is_empty() {
        assert!(
            Instant::now() < deadline,
            "the probes of a dead agent are still there"
        );
        churned(&mut target);
    }
    let before = churned(&mut target);
    target.ask("forks 5").unwrap();
    assert!(churned(&mut target) > before, "the target works");
    watched(&target).stop_cleanly().unwrap();
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn two_agents_watch_one_target() {
    need!(skip::is_root(), "needs root");
    let target = exits();
    let (first, second) = (watched(&target), watched(&target));
    first.stop_cleanly().unwrap();
    second.wait_for("status", |_| true).unwrap();
    second.stop_cleanly().unwrap();
    assert_eq!(
        probes::changed_bytes(target.pid()).unwrap(),
        Vec::<u64>::new()
    );
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_full_map_is_counted_and_said() {
    need!(skip::is_root(), "needs root");
    let exe = go::build("counters", &go::newest().unwrap(), Mode::Plain).unwrap();
    for limit in [["--max-sites", "4"], ["--max-goroutines", "100"]] {
        let mut target = Target::start(&exe, &[], &[]).unwrap();
        let agent = Agent::attach(
            target.pid(),
            &[
                "--interval",
                "200ms",
                "--budget",
                "unlimited",
                limit[0],
                limit[1],
            ],
        )
        .unwrap();
        agent.attached().unwrap();
        target.ask("short 1000").unwrap();
        target.ask("leak 1000").unwrap();
        let status = agent
            .wait_for("status", |s| {
                s["drops"]
                    .as_object()
                    .is_some_and(|d| d.values().any(|n| n.as_u64() > Some(0)))
            })
            .unwrap();
        assert!(
            status["coverage"].as_f64().unwrap() < 1.0,
            "{limit:?}: {status}"
        );
        agent.stop_cleanly().unwrap();
        target.ask("release").unwrap();
    }
}
