//! A program with ten thousand `go` statements, one of which leaks.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use gostray_tests::agent::Agent;
use gostray_tests::many_sites::{self, SITES};
use gostray_tests::need_root_and_releases;
use gostray_tests::target::Target;
use serde_json::Value;

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn one_leak_among_ten_thousand_sites() {
    need_root_and_releases!();
    let exe = many_sites::build().unwrap();
    let target = Target::start(&exe, &[], &[]).unwrap();
    // Every creation of every site, at any price.
    let agent = Agent::attach(
        target.pid(),
        &[
            "--interval",
            "2s",
            "--budget",
            "unlimited",
            "--memory",
            "256MB",
        ],
    );
    let agent = agent.unwrap();
    let number = |status: &Value| status["sites"].as_array().unwrap().len();
    let all = agent.wait_for("status", |status| number(status) >= SITES);
    is_within_bounds(&all.unwrap());
    agent.stop_cleanly().unwrap();
    // Within the budget, where those that live for a moment are not seen.
    let within = ["--interval", "15s", "--budget", "2%"];
    let agent = Agent::attach(target.pid(), &within).unwrap();
    let likely = |leak: &Value| leak["verdict"] == "likely";
    let leak = agent.wait_for("leak", likely).unwrap();
    eprintln!("told after {:.0?}", agent.started.elapsed());
    assert_eq!(
        leak["site"]["created_at"]["function"], "main.leak",
        "{leak}"
    );
    let status = agent.wait_for("status", |_| true).unwrap();
    assert!(number(&status) > SITES / 2, "{} sites", number(&status));
    is_within_bounds(&status);
    let end = agent.stop_cleanly().unwrap();
    let others = end.events.iter().filter(|event| {
        event["event"] == "leak" && event["site"]["created_at"]["function"] != "main.leak"
    });
    assert_eq!(others.count(), 0);
}

fn is_within_bounds(status: &Value) {
    let overhead = &status["overhead"];
    eprintln!("{overhead}");
    let bytes = |field| overhead[field].as_u64().unwrap();
    assert!(bytes("memory_bytes") <= bytes("memory_budget_bytes"));
    assert_eq!(status["drops"]["site_map_full"], 0);
}
