//! How much is watched follows what it costs: on real programs whose load is stepped up and down.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::os::unix::fs::chown;
use std::process::{Command, Stdio};
use std::time::Instant;

use gostray_tests::agent::{self, Agent};
use gostray_tests::go::{self, Mode};
use gostray_tests::lines::PATIENCE;
use gostray_tests::target::Target;
use gostray_tests::{need, need_root_and_releases, probes, skip};
use nix::sys::signal::Signal;
use serde_json::Value;

fn mode_becomes(agent: &Agent, mode: &str) -> Value {
    agent
        .wait_for("mode", |event| event["mode"] == mode)
        .unwrap()
}

/// What a site's program line says of it in a status.
fn site<'a>(status: &'a Value, function: &str) -> Option<&'a Value> {
    let sites = status["sites"].as_array()?;
    sites
        .iter()
        .find(|site| site["site"]["created_at"]["function"] == function)
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_mode_follows_the_load() {
    let releases = need_root_and_releases!();
    std::thread::scope(|scope| {
        for toolchain in go::oldest_and_newest(releases) {
            scope.spawn(move || follows_the_load(&toolchain));
        }
    });
}

fn follows_the_load(toolchain: &go::Toolchain) {
    let mut target = Target::of("churn", toolchain, Mode::Stripped).unwrap();
    target.ask("rate 200").unwrap();
    let agent = Agent::attach(target.pid(), &["--interval", "500ms"]).unwrap();
    let attached = agent.attached().unwrap();
    assert_eq!(attached["mode"], "lifetimes", "{attached}");
    let cost = &attached["cost_of_hits"];
    let [emulated, stepped, refused] = ["emulated", "stepped", "refused"]
        .map(|kind| cost[format!("{kind}_seconds")].as_f64().unwrap());
    assert!(0.0 < refused && refused <= emulated, "{cost}");
    assert!(emulated < stepped, "a trap costs less than two: {cost}");
    let status = agent
        .wait_for("status", |status| {
            site(status, "main.background").is_some_and(|site| site["exited"].as_u64() > Some(300))
        })
        .unwrap();
    assert_eq!(
        site(&status, "main.background").unwrap()["accuracy"],
        "exact"
    );
    assert!(status["overhead"]["target_cpu_ratio"].as_f64().unwrap() > 0.0);

    // As many as possible: the kernel side stops at once, and nothing is left in the program.
    target.ask("rate 0").unwrap();
    let change = mode_becomes(&agent, "census");
    assert_eq!(change["previous"], "lifetimes");
    assert_eq!(change["probes"], 0);
    // The watchdog was first, or the account.
    let reason = change["reason"].as_str().unwrap();
    let reasons = ["more than twice the budget of 5%", "the budget is 5%"];
    assert!(
        reasons.iter().any(|known| reason.contains(known)),
        "{change}"
    );
    probes::wait_until_gone(target.pid()).unwrap();
    let status = agent
        .wait_for("status", |status| status["mode"] == "census")
        .unwrap();
    assert_eq!(status["probes"], 0);
    assert!(
        status["overhead"]["refused_hits"].as_u64() > Some(0),
        "{status}"
    );
    assert!(status["coverage"].as_f64().unwrap() < 1.0);
    for site in status["sites"].as_array().unwrap() {
        assert_eq!(site["accuracy"], "sampled");
    }
    let before = site(&status, "main.background").unwrap()["created"]
        .as_u64()
        .unwrap();

    // And when it is calm again, everything is counted again.
    target.ask("rate 200").unwrap();
    let change = mode_becomes(&agent, "lifetimes");
    assert_eq!(change["previous"], "census");
    agent
        .wait_for("status", |status| {
            let site = site(status, "main.background").unwrap();
            let [created, exited, live] =
                ["created", "exited", "live"].map(|count| site[count].as_u64().unwrap());
            assert_eq!(created, exited + live, "{site}");
            created > before + 300
        })
        .unwrap();
    agent.stop_cleanly().unwrap();
}

/// How often goroutines park cannot be read from memory beforehand: it is tried, for a moment.
#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn parks_are_not_counted_where_there_are_too_many() {
    need!(skip::is_root(), "needs root");
    let mut target = Target::of("load", &go::newest().unwrap(), Mode::Stripped).unwrap();
    target.ask("pingpong 2").unwrap();
    let agent = Agent::attach(target.pid(), &["--interval", "500ms", "--park"]).unwrap();
    agent.attached().unwrap();
    mode_becomes(&agent, "census");
    let change = agent
        .wait_for("mode", |event| event["previous"] == "census")
        .unwrap();
    assert_eq!(change["mode"], "lifetimes", "{change}");
    agent
        .wait_for("status", |status| {
            let spent = status["overhead"]["total_ratio"].as_f64();
            status["mode"] == "lifetimes" && spent.is_some_and(|spent| spent < 0.05)
        })
        .unwrap();
    agent.stop_cleanly().unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_program_that_is_too_busy_gets_no_probe_at_all() {
    need!(skip::is_root(), "needs root");
    let mut target = Target::of("churn", &go::newest().unwrap(), Mode::Stripped).unwrap();
    target.ask("rate 0").unwrap();
    let agent = Agent::attach(target.pid(), &["--interval", "200ms"]).unwrap();
    let attached = agent.attached().unwrap();
    assert_eq!(attached["mode"], "census");
    assert_eq!(attached["probes"], Value::Array(Vec::new()));
    let reason = attached["mode_reason"].as_str().unwrap();
    assert!(reason.contains("creations a second would cost"), "{reason}");
    assert_eq!(probes::changed_bytes(target.pid()).unwrap(), [0_u64; 0]);
    // But it is seen.
    agent
        .wait_for("status", |status| status["goroutines"].as_u64() > Some(1))
        .unwrap();
    agent.stop_cleanly().unwrap();
}

/// Ctrl-Z stops the watchdog as well, so there must be nothing left to watch.
#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_stopped_agent_has_no_probes() {
    need!(skip::is_root(), "needs root");
    let mut target = Target::of("churn", &go::newest().unwrap(), Mode::Stripped).unwrap();
    target.ask("rate 100").unwrap();
    let agent = Agent::attach(target.pid(), &["--interval", "200ms"]).unwrap();
    agent.attached().unwrap();
    agent.signal(Signal::SIGTSTP).unwrap();
    let change = mode_becomes(&agent, "census");
    assert_eq!(change["reason"], "gostray is being stopped (SIGTSTP)");
    let deadline = Instant::now() + PATIENCE;
    let is_stopped = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", agent.pid())).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('T')
    };
    while !is_stopped() {
        assert!(Instant::now() < deadline, "it does not stop");
        std::thread::yield_now();
    }
    assert_eq!(probes::changed_bytes(target.pid()).unwrap(), [0_u64; 0]);
    agent.signal(Signal::SIGCONT).unwrap();
    agent
        .wait_for("status", |status| status["mode"] == "census")
        .unwrap();
    mode_becomes(&agent, "lifetimes");
    agent.stop_cleanly().unwrap();
}

/// The probes are taken away even if the agent is stuck because nobody reads what it says.
#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_watchdog_does_not_wait_for_the_agent() {
    need!(skip::is_root(), "needs root");
    let mut target = Target::of("churn", &go::newest().unwrap(), Mode::Stripped).unwrap();
    let mut agent = Command::new(agent::binary().unwrap())
        .args(["attach", &target.pid().to_string()])
        .args(["--format", "json", "--interval", "100ms", "--no-history"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // In write(2), whose number is 1, to stdout.
    let stuck = format!("/proc/{}/syscall", agent.id());
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(&stuck)
        .unwrap()
        .starts_with("1 0x1 ")
    {
        assert!(Instant::now() < deadline, "it never gets stuck");
        std::thread::yield_now();
    }
    assert_ne!(probes::changed_bytes(target.pid()).unwrap(), [0_u64; 0]);
    target.ask("rate 0").unwrap();
    probes::wait_until_gone(target.pid()).unwrap();
    let still = std::fs::read_to_string(&stuck).unwrap();
    assert!(still.starts_with("1 0x1 "), "not stuck any more: {still}");
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn sites_under_suspicion_are_counted_where_the_program_is_too_busy_for_more() {
    let releases = need_root_and_releases!();
    std::thread::scope(|scope| {
        for toolchain in go::oldest_and_newest(releases) {
            scope.spawn(move || focuses(&toolchain));
        }
    });
}

fn focuses(toolchain: &go::Toolchain) {
    let mut target = Target::of("load", toolchain, Mode::Stripped).unwrap();
    target.ask("create 100000").unwrap();
    target.ask("leak 20").unwrap();
    let agent = Agent::attach(target.pid(), &["--interval", "500ms"]).unwrap();
    assert_eq!(agent.attached().unwrap()["mode"], "census");
    let change = mode_becomes(&agent, "focused");
    assert_eq!(change["previous"], "census");
    assert!(change["probes"].as_u64() > Some(0), "{change}");
    let status = agent
        .wait_for("status", |status| {
            status["overhead"]["probe_hits"].as_u64() > Some(100)
        })
        .unwrap();
    assert_eq!(status["mode"], "focused");
    // Only the statement itself pays: the others create five thousand times as many.
    let hits = status["overhead"]["probe_hits"].as_u64().unwrap();
    let leaked = site(&status, "main.leak").unwrap();
    assert!(hits <= leaked["created"].as_u64().unwrap() + 20, "{status}");
    // What it loses was found all the same.
    target.ask("leak 0").unwrap();
    agent.stop_cleanly().unwrap();
    probes::wait_until_gone(target.pid()).unwrap();
}

/// The calls of all `go` statements that a program has executed are where they should be.
#[test]
#[ignore = "needs root"]
fn every_release_has_its_statements() {
    use gostray::{binary::GoBinary, binary::LinkAddress, probes::Plan};

    for toolchain in need_root_and_releases!() {
        for mode in [Mode::Stripped, Mode::Pie] {
            let exe = go::build("counters", &toolchain, mode).unwrap();
            let mut target = Target::start(&exe, &[], &[]).unwrap();
            target.ask("leak 100").unwrap();
            let agent =
                Agent::attach(target.pid(), &["--no-probes", "--interval", "200ms"]).unwrap();
            let status = agent
                .wait_for("status", |status| status["goroutines"].as_u64() > Some(100))
                .unwrap();
            agent.stop_cleanly().unwrap();
            let sites = status["sites"].as_array().unwrap().iter();
            let behind: Vec<LinkAddress> = sites
                .filter(|site| site["system"] == false)
                .map(|site| site["site"]["id"].as_str().unwrap())
                .map(|id| LinkAddress(u64::from_str_radix(&id[2..], 16).unwrap()))
                .collect();
            assert!(behind.len() > 5, "{status}");
            let binary = GoBinary::open(&exe).unwrap();
            let plan = Plan::statements(&binary, &behind)
                .unwrap_or_else(|error| panic!("{} {mode:?}: {error}", toolchain.version));
            assert_eq!(plan.probes.len(), behind.len());
            // One byte off is another place.
            let wrong = LinkAddress(behind[0].0 + 1);
            assert!(Plan::statements(&binary, &[wrong]).is_err());
        }
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_stop_file_makes_every_agent_let_go() {
    need!(skip::is_root(), "needs root");
    let target = Target::of("churn", &go::newest().unwrap(), Mode::Stripped).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stop = folder.path().join("stop");
    let path = stop.to_str().unwrap();
    let arguments = ["--interval", "200ms", "--stop-file", path];
    let agents = [&arguments[..], &[&arguments[..], &["--no-probes"]].concat()]
        .map(|arguments| Agent::attach(target.pid(), arguments).unwrap());
    for agent in &agents {
        agent.attached().unwrap();
    }
    // Somebody else's does not count.
    let staging = folder.path().join("staging");
    std::fs::write(&staging, "").unwrap();
    chown(&staging, Some(65534), None).unwrap();
    std::fs::rename(&staging, &stop).unwrap();
    for agent in &agents {
        for _ in 0..10 {
            agent.wait_for("status", |_| true).unwrap();
        }
    }
    let refused = Agent::attach(target.pid(), &arguments).unwrap();
    refused.says("is not owned by root").unwrap();
    refused.attached().unwrap();
    refused.stop_cleanly().unwrap();

    chown(&stop, Some(0), None).unwrap();
    for agent in agents {
        let end = agent.end().unwrap();
        assert_eq!((end.code, end.reason()), (Some(0), Some("stop_file")));
    }
    probes::wait_until_gone(target.pid()).unwrap();
    let end = Agent::attach(target.pid(), &arguments)
        .unwrap()
        .end()
        .unwrap();
    assert_eq!(end.code, Some(1));
    assert_eq!(
        end.message(),
        format!(
            "gostray: {path} is there, and while it is no gostray watches anything; remove it to \
             watch again"
        )
    );
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn memory_is_kept_within_its_budget() {
    need!(skip::is_root(), "needs root");
    let mut target = Target::of("counters", &go::newest().unwrap(), Mode::Stripped).unwrap();
    let arguments = ["--interval", "200ms", "--memory", "32MB"];
    let agent = Agent::attach(
        target.pid(),
        &[&arguments[..], &["--budget", "unlimited"]].concat(),
    )
    .unwrap();
    agent.attached().unwrap();
    // More than there is room for: counted as lost, and the census knows better.
    target.ask("leak 50000").unwrap();
    let status = agent
        .wait_for("status", |status| {
            status["drops"]["goroutine_map_full"].as_u64() > Some(0)
        })
        .unwrap();
    let overhead = &status["overhead"];
    let [used, budget] =
        ["memory_bytes", "memory_budget_bytes"].map(|field| overhead[field].as_u64().unwrap());
    assert_eq!(budget, 32_000_000);
    assert!(used <= budget, "{used} bytes");
    agent.stop_cleanly().unwrap();
}
