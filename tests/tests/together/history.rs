//! What is remembered over restarts and builds, with a real program and its builds.

use std::path::Path;

use gostray_tests::agent::{self, Agent, End};
use gostray_tests::go::{self, Mode};
use gostray_tests::target::Target;
use gostray_tests::{need, skip};
use serde_json::Value;

/// Builds of one program; the flags go to `go build`.
const LEAKS: &str = "-buildvcs=false";
const MOVED: &str = "-buildvcs=false -tags=moved";
const MENDED: &str = "-buildvcs=false -ldflags=-X=main.mended=yes";

fn start(flags: &str) -> Target {
    let releases = go::newest().unwrap();
    let exe = go::build_with("mended", &releases, Mode::Plain, &[("GOFLAGS", flags)]);
    Target::start(&exe.unwrap(), &[], &[]).unwrap()
}

fn watch(target: &Target, file: &Path, more: &[&str]) -> Agent {
    let mut arguments = vec!["--history", file.to_str().unwrap(), "--interval", "1s"];
    arguments.extend(more);
    Agent::attach(target.pid(), &arguments).unwrap()
}

/// Watches a build until its leak is so sure, and ends; the program with it.
fn leak(flags: &str, file: &Path, verdict: &str) -> Value {
    let target = start(flags);
    let agent = watch(&target, file, &[]);
    let attached = agent.attached().unwrap();
    assert_eq!(attached["history"], file.to_str().unwrap());
    let leak = agent
        .wait_for("leak", |leak| leak["verdict"] == verdict)
        .unwrap();
    agent.stop_cleanly().unwrap();
    leak
}

fn history(file: &Path, more: &[&str]) -> Value {
    let file = file.to_str().unwrap();
    let mut arguments = vec!["history", "--history", file, "--format", "json"];
    arguments.extend(more);
    serde_json::from_slice(&agent::answer(&arguments).unwrap()).unwrap()
}

fn only(file: &Path) -> Value {
    let history = history(file, &["--all"]);
    let incidents = history["incidents"].as_array().unwrap();
    assert_eq!(incidents.len(), 1, "{history:#}");
    incidents[0].clone()
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_leak_over_restarts_and_builds_until_it_is_mended_and_returns() {
    need!(skip::is_root(), "needs root");
    need!(!go::toolchains().unwrap().is_empty(), "no Go release");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.db");

    // Only what is likely has to be shown to be gone.
    let first = leak(LEAKS, &file, "likely");
    assert_eq!(first["history"]["state"], "open");
    assert_eq!(first["history"]["runs"], 1);
    let incident = only(&file);
    assert_eq!(incident["state"], "open");
    assert_eq!(incident["created_at"]["line"], 9);
    assert_eq!(incident["ordinal"], 1, "the second that starts deliver");

    // A restart resolves nothing.
    let second = leak(LEAKS, &file, "suspect");
    assert_eq!(second["history"]["runs"], 2, "{second:#}");
    assert_eq!(second["history"]["builds"], 1);
    let earlier = &second["history"]["earlier_growth_per_minute"];
    assert!(earlier.as_f64().unwrap() > 100.0, "{second:#}");
    let incident = only(&file);
    assert_eq!(
        (&incident["state"], &incident["runs"]),
        (&"open".into(), &2.into())
    );

    // Another build, with the statement elsewhere: the same leak.
    let third = leak(MOVED, &file, "suspect");
    assert_eq!(third["history"]["builds"], 2, "{third:#}");
    let incident = only(&file);
    assert_eq!(incident["created_at"]["line"], 16);
    assert_eq!(incident["state"], "open");

    // Too short a look at a build without the leak shows nothing.
    let target = start(MENDED);
    let end = watch(&target, &file, &["--duration", "4s"]).end().unwrap();
    assert_eq!(verified(&end), None);
    let incident = only(&file);
    assert_eq!(incident["state"], "open");
    assert_eq!(
        incident["builds"][2]["fate"], "not_seen_yet",
        "{incident:#}"
    );

    // A longer one, in a process that has been restarted, does.
    drop(target);
    let target = start(MENDED);
    let end = watch(&target, &file, &["--duration", "110s"])
        .end()
        .unwrap();
    let event = verified(&end).unwrap();
    assert_eq!(event["site"]["start"]["function"], "main.deliver");
    let incident = only(&file);
    assert_eq!(incident["state"], "verified", "{incident:#}");
    assert_eq!(incident["builds"][2]["fate"], "verified");
    assert_eq!(incident["builds"][2]["runs"], 2);
    assert_eq!(history(&file, &[])["hidden"], 1);
    drop(target);

    // And the old build again.
    let again = leak(LEAKS, &file, "suspect");
    assert_eq!(again["history"]["state"], "returned");
    assert_eq!(only(&file)["state"], "returned");
}

fn verified(end: &End) -> Option<&Value> {
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let mut events = end.events.iter();
    events.find(|event| event["event"] == "resolved" && event["state"] == "verified")
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn an_agent_that_is_killed_leaves_what_it_found() {
    need!(skip::is_root(), "needs root");
    need!(!go::toolchains().unwrap().is_empty(), "no Go release");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.db");
    let target = start(LEAKS);
    let agent = watch(&target, &file, &[]);
    agent.wait_for("leak", |_| true).unwrap();
    // The database is read while the agent writes.
    let found = |()| {
        !history(&file, &[])["incidents"]
            .as_array()
            .unwrap()
            .is_empty()
    };
    while !found(()) {
        agent.wait_for("status", |_| true).unwrap();
    }
    agent.signal(nix::sys::signal::Signal::SIGKILL).unwrap();
    drop(agent);
    assert_eq!(only(&file)["state"], "open");
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn watching_goes_on_without_a_database_that_cannot_be_used() {
    need!(skip::is_root(), "needs root");
    need!(!go::toolchains().unwrap().is_empty(), "no Go release");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.db");
    std::fs::write(&file, "my diary").unwrap();
    let target = start(LEAKS);
    let agent = watch(&target, &file, &[]);
    let attached = agent.attached().unwrap();
    assert_eq!(attached["history"], Value::Null);
    let reason = attached["unknown"]["history"].as_str().unwrap();
    assert!(reason.contains("no SQLite database"), "{reason}");
    let leak = agent.wait_for("leak", |_| true).unwrap();
    assert_eq!(leak["history"], Value::Null);
    assert!(leak["unknown"]["history"].is_string());
    let end = agent.stop_cleanly().unwrap();
    assert_eq!(
        end.stderr.matches("remembered").count(),
        1,
        "{}",
        end.stderr
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"my diary");
    let history = agent::output(&["history", "--history", file.to_str().unwrap()]).unwrap();
    assert_eq!(history.status.code(), Some(1));
}
