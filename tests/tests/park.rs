//! `--park`: why goroutines park, by creation site, in the runtime's own words; and `--name`.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use gostray_tests::agent::Agent;
use gostray_tests::go::{self, Mode};
use gostray_tests::target::Target;
use gostray_tests::{need, need_root_and_releases, skip};
use serde_json::{Value, json};

/// A goroutine that waits for one of these once, for ever, parks once.
const REASONS: [&str; 4] = [
    "chan receive",
    "chan send",
    "select",
    "chan receive (nil chan)",
];

/// Whether all goroutines of some site are alive, and each has parked once for `reason`. On their
/// way there some have also waited for the program's own lock around its counters.
fn has_parked_once(status: &Value, reason: &str) -> bool {
    let parked = json!({"wait_reason": reason, "count": 100});
    let sites = status["sites"].as_array().unwrap();
    sites.iter().any(|site| {
        let parks = site["parks"].as_array().unwrap();
        site["live"] == 100 && parks.contains(&parked)
    })
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn every_release_counts_parks_by_site_and_reason() {
    let toolchains = need_root_and_releases!();
    for toolchain in &toolchains {
        let mut target = Target::of("counters", toolchain, Mode::Stripped).unwrap();
        let agent = Agent::attach(
            target.pid(),
            &["--interval", "200ms", "--budget", "unlimited", "--park"],
        )
        .unwrap();
        let attached = agent.attached().unwrap();
        assert_eq!(attached["mode"], "full");
        target.ask("leak 1000").unwrap();
        for reason in REASONS {
            agent
                .wait_for("status", |status| has_parked_once(status, reason))
                .unwrap_or_else(|error| panic!("{} {reason}: {error:#}", toolchain.version));
        }
        agent.stop_cleanly().unwrap();
        // Still in order after the probes are gone.
        target.ask("short 100").unwrap();
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_process_is_found_by_its_name() {
    need!(skip::is_root(), "needs root");
    let built = go::build("counters", &go::newest().unwrap(), Mode::Stripped).unwrap();
    // A name no other test's process has.
    let directory = tempfile::tempdir().unwrap();
    let exe = directory.path().join("named-by-park");
    std::fs::copy(built, &exe).unwrap();
    let target = Target::start(&exe, &[], &[]).unwrap();
    let arguments = [
        "attach",
        "--name",
        "named-by-park",
        "--format",
        "json",
        "--no-history",
    ];
    let agent = Agent::run(&arguments).unwrap();
    assert_eq!(agent.attached().unwrap()["pid"], target.pid());
    agent.stop_cleanly().unwrap();
}
