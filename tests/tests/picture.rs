//! Probes and censuses as one picture: leaks older than the agent, lost events, and no probes at all.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::time::{Instant, SystemTime};

use gostray_tests::agent::Agent;
use gostray_tests::go::{self, Mode};
use gostray_tests::lines::PATIENCE;
use gostray_tests::target::Target;
use gostray_tests::{counts, need, need_root_and_releases, skip};
use serde_json::Value;

/// Goroutines leaked at each kind of site.
const LEAKED: u64 = 1500;

fn target(toolchain: &go::Toolchain) -> Target {
    Target::of("counters", toolchain, Mode::Stripped).unwrap()
}

/// A status of what is so now.
fn status_from_now(agent: &Agent, mut fits: impl FnMut(&Value) -> bool) -> Value {
    let now = gostray::report::timestamp(SystemTime::now());
    let is_new = |status: &Value| status["time"].as_str() > Some(now.as_str());
    agent
        .wait_for("status", |status| is_new(status) && fits(status))
        .unwrap()
}

fn site<'a>(status: &'a Value, own: &counts::Site) -> Option<&'a Value> {
    let sites = status["sites"].as_array().unwrap();
    sites.iter().find(|entry| {
        let place = &entry["site"]["created_at"];
        place["file"] == own.file && place["line"] == own.line
    })
}

/// What leaked before the agent came is counted, and called suspect where it waits for others.
#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn leaks_older_than_the_agent_are_found() {
    let releases = need_root_and_releases!();
    let with_probes = &["--interval", "1s"][..];
    let without = &["--interval", "1s", "--no-probes"][..];
    // Each watches for a while.
    std::thread::scope(|scope| {
        for toolchain in go::oldest_and_newest(releases) {
            for arguments in [with_probes, without] {
                let toolchain = toolchain.clone();
                scope.spawn(move || finds_older_leaks(&toolchain, arguments));
            }
        }
    });
}

fn finds_older_leaks(toolchain: &go::Toolchain, arguments: &[&str]) {
    let mut target = target(toolchain);
    target.ask(&format!("leak {}", 10 * LEAKED)).unwrap();
    let own = counts::parse(&target.ask("counts").unwrap()).unwrap();
    let agent = Agent::attach(target.pid(), arguments).unwrap();
    agent.attached().unwrap();
    // Once nothing has happened between two passes, the number is exact.
    status_from_now(&agent, |status| {
        own.iter().filter(|own| own.live > 0).all(|own| {
            site(status, own).is_some_and(|seen| seen["live"] == 0 && seen["older"] == own.live)
        })
    });
    let leak = agent
        .wait_for("leak", |leak| leak["wait_reason"] == "chan send")
        .unwrap();
    assert_eq!(leak["verdict"], "suspect");
    assert_eq!(leak["rule"], "standing");
    assert!(leak["older"].as_u64().unwrap() >= 1000, "{leak}");
    assert_ne!(leak["stack"], Value::Null, "{leak}");
    agent.stop_cleanly().unwrap();
}

/// The kernel side has room for a few sites only: the census puts right what it does not count.
#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn lost_events_are_put_right() {
    for toolchain in go::oldest_and_newest(need_root_and_releases!()) {
        let mut target = target(&toolchain);
        let arguments = [
            "--interval",
            "200ms",
            "--budget",
            "unlimited",
            "--max-sites",
            "3",
        ];
        let agent = Agent::attach(target.pid(), &arguments).unwrap();
        agent.attached().unwrap();
        // Before the first census nothing can be missed.
        status_from_now(&agent, |status| status["disagreement"] != Value::Null);
        target.ask("leak 1000").unwrap();
        let own = counts::parse(&target.ask("counts").unwrap()).unwrap();
        let is_right = |status: &Value, own: &[counts::Site]| {
            own.iter().filter(|own| own.live > 0).all(|own| {
                site(status, own).is_some_and(|seen| seen["live"] == own.live && seen["older"] == 0)
            })
        };
        let status = status_from_now(&agent, |status| is_right(status, &own));
        assert!(status["drops"]["site_map_full"].as_u64() > Some(0));
        assert!(status["disagreement"]["repaired"].as_u64() > Some(0));
        let sites = status["sites"].as_array().unwrap();
        assert!(sites.iter().any(|site| site["accuracy"] == "repaired"));
        // And when they end.
        target.ask("release").unwrap();
        target.ask("settle").unwrap();
        status_from_now(&agent, |status| {
            let sites = status["sites"].as_array().unwrap();
            let alive = |own: &counts::Site| {
                let place = sites
                    .iter()
                    .find(|s| s["site"]["created_at"]["line"] == own.line);
                place.map_or(0, |site| site["live"].as_u64().unwrap())
            };
            let own = counts::parse(&target.ask("counts").unwrap()).unwrap();
            own.iter().all(|own| alive(own) == own.live)
        });
        agent.stop_cleanly().unwrap();
    }
}

/// Without a probe a growing leak is found all the same, and nothing is attached.
#[test]
#[ignore = "needs root"]
fn a_leak_is_found_without_probes() {
    need!(skip::is_root(), "needs root");
    let mut target = target(&go::newest().unwrap());
    let agent = Agent::attach(target.pid(), &["--no-probes", "--interval", "1s"]).unwrap();
    let attached = agent.attached().unwrap();
    assert_eq!(attached["mode"], "census");
    assert_eq!(attached["probes"], Value::Array(Vec::new()));
    let deadline = Instant::now() + PATIENCE;
    let leak = loop {
        // Each status leaks a little more, at the pace of the agent.
        target.ask("leak 100").unwrap();
        let (_, event) = agent.event(deadline).unwrap().expect("the agent runs");
        if event["verdict"] == "likely" {
            break event;
        }
        assert_ne!(event["event"], "detached");
        if event["event"] == "status" {
            assert_eq!(event["probes"], 0);
            let sites = event["sites"].as_array().unwrap();
            assert!(sites.iter().all(|site| site["accuracy"] == "sampled"));
        }
    };
    assert_eq!(leak["rule"], "accumulation");
    agent.stop_cleanly().unwrap();
}
