//! What `gostray snapshot` writes, given to those that read it: pprof, a browser, a program.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use gostray_tests::agent::{self, Agent};
use gostray_tests::go::{self, Mode, Toolchain};
use gostray_tests::lines::PATIENCE;
use gostray_tests::pprof::{self, Sample};
use gostray_tests::target::Target;
use gostray_tests::{need, skip};
use nix::sys::signal::Signal;
use serde_json::Value;

fn snapshot(pid: u32, arguments: &[&str]) -> Result<Vec<u8>> {
    agent::answer(&[&["snapshot", &pid.to_string()], arguments].concat())
}

fn json(pid: u32, arguments: &[&str]) -> Value {
    let arguments = [&["--format", "json"], arguments].concat();
    serde_json::from_slice(&snapshot(pid, &arguments).unwrap()).unwrap()
}

/// Goroutines of the groups, as far as `counts` wants them.
fn sum(snapshot: &Value, counts: impl Fn(&Value) -> bool) -> u64 {
    let groups = snapshot["groups"].as_array().unwrap().iter();
    groups
        .filter(|group| counts(group))
        .map(|group| group["count"].as_u64().unwrap())
        .sum()
}

/// A program with goroutines at many places, 30 of them with labels.
fn target(toolchain: &Toolchain) -> Target {
    let mut target = Target::of("counters", toolchain, Mode::Stripped).unwrap();
    target.ask("leak 500").unwrap();
    target.ask("labelled 30").unwrap();
    // They exist by now, but not all may have got to where they wait.
    let deadline = Instant::now() + PATIENCE;
    let moves = |group: &Value| {
        let start = group["start"]["function"].as_str();
        group["system"] == false && start != Some("main.sleepForever")
    };
    while sum(&json(target.pid(), &["--state", "runnable"]), moves) > 0 {
        assert!(Instant::now() < deadline, "they do not come to rest");
    }
    target
}

/// The program, gostray's profile of it, and its own.
fn profiles(
    toolchain: &Toolchain,
    reader: &Toolchain,
    directory: &Path,
) -> Result<(Target, [Samples; 2])> {
    let mut target = target(toolchain);
    let [outside, own] = ["outside.pb.gz", "own.pb.gz"].map(|name| directory.join(name));
    target.ask(&format!("profile {}", own.display()))?;
    std::fs::write(&outside, snapshot(target.pid(), &["--format", "pprof"])?)?;
    let samples = [
        pprof::samples(reader, &outside)?,
        pprof::samples(reader, &own)?,
    ];
    Ok((target, samples))
}

type Samples = BTreeMap<Sample, u64>;

/// Without what is not to be compared: functions of the runtime in which goroutines wait, which
/// gostray leaves out as Go's tracebacks do; where sleepers are, which wake each second; and the main goroutine, which writes the profile in one
/// and waits for a command in the other. It is known by the system call it is in too: of Go 1.18,
/// whose `syscall.Syscall` has no frame, gostray does not see the functions above that.
fn comparable(samples: &Samples, labels: bool) -> Samples {
    let mut comparable = Samples::new();
    for (sample, count) in samples {
        let of_main = |frame: &String| {
            frame.starts_with("main.main ") || frame.starts_with("syscall.Syscall ")
        };
        if sample.frames.iter().any(of_main) {
            continue;
        }
        let mut sample = sample.clone();
        let inner = sample
            .frames
            .iter()
            .take_while(|f| f.starts_with("runtime."));
        let inner = inner.count();
        sample.frames.drain(..inner);
        if let Some(last) = sample.frames.last()
            && last.starts_with("main.sleepForever ")
        {
            sample.frames = vec!["main.sleepForever".into()];
        }
        if !labels {
            sample.labels.clear();
        }
        *comparable.entry(sample).or_default() += count;
    }
    comparable
}

#[test]
#[ignore = "needs root"]
fn pprof_opens_the_profile_and_it_says_what_the_program_says() {
    need!(skip::is_root(), "needs root");
    let reader = go::newest().unwrap();
    for toolchain in go::toolchains().unwrap() {
        let directory = tempfile::tempdir().unwrap();
        let (target, [outside, own]) = profiles(&toolchain, &reader, directory.path()).unwrap();
        let what = &toolchain.version;
        assert_eq!(
            comparable(&outside, false),
            comparable(&own, false),
            "{what}"
        );
        let json = json(target.pid(), &[]);
        let number = sum(&json, |group| group["system"] == false);
        assert_eq!(outside.values().sum::<u64>(), number, "{what}");
        assert_eq!(own.values().sum::<u64>(), number, "{what}");

        let profile = directory.path().join("outside.pb.gz");
        let top = pprof::report(&reader, &["-top"], &profile).unwrap();
        assert!(top.contains("Type: goroutine"), "{what}: {top}");
        assert!(top.contains(&format!("of {number} total")), "{what}: {top}");
        let build_id = json["process"]["build_id"].as_str().unwrap();
        assert!(top.contains(build_id), "{what}: no {build_id} in {top}");
        let raw = pprof::report(&reader, &["-raw"], &profile).unwrap();
        for head in [
            "PeriodType: goroutine count",
            "Period: 1",
            "goroutine/count",
        ] {
            assert!(raw.contains(head), "{what}: {raw}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn labels_of_the_profile_are_those_of_the_program() {
    need!(skip::is_root(), "needs root");
    let reader = go::newest().unwrap();
    for toolchain in go::toolchains().unwrap() {
        let directory = tempfile::tempdir().unwrap();
        let (_, [outside, own]) = profiles(&toolchain, &reader, directory.path()).unwrap();
        let labelled = own.keys().filter(|sample| !sample.labels.is_empty());
        assert_eq!(labelled.count(), 3, "one for each tenant");
        assert_eq!(
            comparable(&outside, true),
            comparable(&own, true),
            "{}",
            toolchain.version
        );
    }
}

#[test]
#[ignore = "needs root"]
fn groups_are_as_asked_and_none_is_lost() {
    need!(skip::is_root(), "needs root");
    let target = target(&go::newest().unwrap());
    let pid = target.pid();
    let all = json(pid, &[])["goroutines"].as_u64().unwrap();
    let full = json(pid, &["--full"]);
    assert_eq!(sum(&full, |_| true), all);
    for group in full["groups"].as_array().unwrap() {
        assert_eq!(group["count"], 1, "{group}");
        assert_eq!(group["goids"].as_array().unwrap().len(), 1, "{group}");
    }
    for (by, field) in [("site", "created_at"), ("stack", "stack")] {
        let grouped = json(pid, &["--group-by", by]);
        assert_eq!(sum(&grouped, |_| true), all, "{by}");
        let mut seen = Vec::new();
        for group in grouped["groups"].as_array().unwrap() {
            let key = &group[field];
            assert!(key.is_null() || !seen.contains(&key), "{key} twice");
            seen.push(key);
        }
    }
    let states = json(pid, &["--group-by", "state"]);
    assert_eq!(sum(&states, |_| true), all);
    // 50 of the leaks, and those with labels.
    assert_eq!(
        sum(&states, |group| group["wait_reason"] == "chan receive"),
        80
    );
    let labels = json(pid, &["--group-by", "label:tenant"]);
    assert_eq!(sum(&labels, |_| true), all);
    // Each goroutine has labels of its own, and there are three kinds of them.
    for groups in [&labels, &json(pid, &[])] {
        for tenant in ["0", "1", "2"] {
            let groups = groups["groups"].as_array().unwrap().iter();
            let of_tenant: Vec<_> = groups.filter(|g| g["labels"]["tenant"] == tenant).collect();
            let [group] = of_tenant[..] else {
                panic!("{tenant}: {of_tenant:?}")
            };
            assert_eq!(group["count"], 10, "{group}");
            assert_eq!(group["labels"]["endpoint"], "/search", "{group}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn a_flame_graph_shows_every_goroutine() {
    need!(skip::is_root(), "needs root");
    let target = target(&go::newest().unwrap());
    let all = json(target.pid(), &[])["goroutines"].as_u64().unwrap();
    let svg = snapshot(target.pid(), &["--format", "svg"]).unwrap();
    let svg = String::from_utf8(svg).unwrap();
    assert!(svg.starts_with("<?xml") && svg.trim_end().ends_with("</svg>"));
    for text in [
        format!("pid {}: {all} goroutines", target.pid()),
        format!("<title>all ({all} goroutines, 100%)</title>"),
        "<title>main.lockForever (50 goroutines".into(),
        "<title>main.waitLabelled (30 goroutines".into(),
    ] {
        assert!(svg.contains(&text), "no {text:?}");
    }
}

/// `--diff-after` an hour, once it waits.
fn comparing(pid: u32) -> Result<Agent> {
    let pid = pid.to_string();
    let agent = Agent::run(&["snapshot", &pid, "--diff-after", "1h", "--format", "json"])?;
    agent
        .says("the second snapshot in")
        .context("it does not wait")?;
    Ok(agent)
}

#[test]
#[ignore = "needs root"]
fn what_grew_meanwhile_is_shown() {
    need!(skip::is_root(), "needs root");
    let mut target = target(&go::newest().unwrap());
    let started = Instant::now();
    let agent = comparing(target.pid()).unwrap();
    target.ask("leak 70").unwrap();
    // Ctrl-C does not end it: it takes the second snapshot.
    let end = agent.stop_cleanly().unwrap();
    let waited = started.elapsed().as_secs_f64();
    let diff = &end.events[0];
    let before = diff["before"]["goroutines"].as_u64().unwrap();
    assert_eq!(diff["after"]["goroutines"].as_u64().unwrap(), before + 70);
    assert!(diff["seconds"].as_f64().unwrap() < waited, "{diff}");
    let grew = diff["grew"].as_array().unwrap();
    let leaks = grew.iter().filter(|change| {
        let file = change["created_at"]["file"].as_str();
        file.is_some_and(|file| file.ends_with("leak.go"))
    });
    let growth = |change: &Value| {
        let numbers = ["before", "after", "growth"].map(|key| change[key].as_u64().unwrap());
        assert_eq!(numbers[0] + numbers[2], numbers[1], "{change}");
        assert!(
            change["growth_per_minute"].as_f64().unwrap() > 0.0,
            "{change}"
        );
        numbers[2]
    };
    assert_eq!(leaks.map(growth).sum::<u64>(), 70, "{diff}");
}

#[test]
#[ignore = "needs root"]
fn a_program_that_is_gone_is_not_compared() {
    need!(skip::is_root(), "needs root");
    let exe = go::build("exits", &go::newest().unwrap(), Mode::Stripped).unwrap();
    let start = || Target::start(&exe, &[], &[]).unwrap();

    let mut ends = start();
    let agent = comparing(ends.pid()).unwrap();
    ends.kill().unwrap();
    ends.wait().unwrap();
    let end = agent.end().unwrap();
    assert_eq!(end.code, Some(1), "{}", end.stderr);
    assert!(end.message().contains("ended before the second"), "{end:?}");

    let mut execs = start();
    let agent = comparing(execs.pid()).unwrap();
    execs.tell("exec /bin/cat").unwrap();
    let end = agent.end().unwrap();
    assert_eq!(end.code, Some(1), "{}", end.stderr);
    assert!(end.message().contains("another program"), "{end:?}");

    let terminated = start();
    let agent = comparing(terminated.pid()).unwrap();
    agent.signal(Signal::SIGTERM).unwrap();
    let end = agent.end().unwrap();
    assert_eq!(end.code, Some(1), "{}", end.stderr);
    assert!(end.events.is_empty(), "{end:?}");
}
