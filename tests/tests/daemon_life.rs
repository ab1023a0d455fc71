//! A daemon from its start to its end: signals, a configuration that changes, the stop file.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use gostray_tests::go::{self, Mode};
use gostray_tests::node::Node;
use gostray_tests::target::Target;
use gostray_tests::{agent, http, need, probes, skip};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Programs in a directory of their own, which the rules tell by their paths.
struct House {
    directory: tempfile::TempDir,
    lodger: PathBuf,
}

impl House {
    fn new() -> Self {
        let lodger = go::build("lodger", &go::newest().unwrap(), Mode::Stripped).unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            lodger,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// One that creates goroutines all the time, so that probes are worth it.
    fn start(&self, name: &str) -> Target {
        let path = self.path(name);
        std::fs::copy(&self.lodger, &path).unwrap();
        let mut target = Target::start(&path, &[], &[]).unwrap();
        target.ask("create 50").unwrap();
        target
    }

    /// The configuration that watches all of them, as closely as can be, and `more`.
    fn configuration(&self, more: &str) -> String {
        let directory = self.directory.path().display();
        format!(
            "[node]\nbudget = \"unlimited\"\ninterval = \"200ms\"\nhistory_file = \"{directory}/history.db\"\n\
             stop_file = \"{directory}/stop\"\n[stdout]\nevents = \"all\"\n\
             [[watch]]\nexe = \"{directory}/**\"\n{more}"
        )
    }
}

fn is_probed(target: &Value) -> bool {
    target["mode"].as_str().is_some_and(|mode| mode != "census")
}

/// All of these are watched with probes, and nobody else is watched at all.
fn until_probed(node: &mut Node, pids: &[u32]) {
    node.until(|watched| {
        ensure!(
            watched.keys().eq(sorted(pids).iter()),
            "{:?}",
            watched.keys()
        );
        let modes = || watched.values().map(|target| &target["mode"]);
        ensure!(
            watched.values().all(is_probed),
            "{:?}",
            modes().collect::<Vec<_>>()
        );
        Ok(())
    })
    .unwrap();
}

fn until_watched(node: &mut Node, pids: &[u32]) {
    node.until(|watched| {
        ensure!(
            watched.keys().eq(sorted(pids).iter()),
            "{:?}",
            watched.keys()
        );
        Ok(())
    })
    .unwrap();
}

fn sorted(pids: &[u32]) -> Vec<u32> {
    let mut pids = pids.to_vec();
    pids.sort_unstable();
    pids
}

/// Asks until the daemon says so of itself.
fn until_agent(node: &mut Node, fits: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let agent = node.status().unwrap()["agent"].take();
        if fits(&agent) {
            return agent;
        }
        assert!(began.elapsed() < gostray_tests::lines::PATIENCE, "{agent}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn detached(events: &[Value], reason: &str) -> Vec<u64> {
    let mut pids: Vec<u64> = events
        .iter()
        .filter(|event| event["event"] == "detached" && event["reason"] == reason)
        .filter_map(|event| event["pid"].as_u64())
        .collect();
    pids.sort_unstable();
    pids
}

fn leak_of(target: &Value) -> Result<&Value> {
    let leaks = target["leaks"].as_array().context("no leaks")?;
    let is_it = |leak: &&Value| leak["site"].to_string().contains("main.leak");
    leaks.iter().find(is_it).context("the leak is not found")
}

/// What it gives itself for letting go.
const STOPPING: Duration = Duration::from_secs(10);

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn sigterm_lets_go_of_all_at_once() {
    need!(skip::is_root(), "needs root");
    let house = House::new();
    let targets = ["a", "b", "c"].map(|name| house.start(name));
    let pids = targets.each_ref().map(Target::pid);
    let mut node = Node::start(&house.configuration("")).unwrap();
    until_probed(&mut node, &pids);
    for pid in pids {
        assert!(
            !probes::changed_bytes(pid).unwrap().is_empty(),
            "{pid} has probes"
        );
    }
    let began = Instant::now();
    let end = node.stop().unwrap();
    let took = began.elapsed();
    assert!(took < STOPPING, "it took {took:?}");
    for pid in pids {
        probes::wait_until_gone(pid).unwrap();
    }
    let told = detached(&end.events, "interrupted");
    assert_eq!(
        told,
        sorted(&pids).into_iter().map(u64::from).collect::<Vec<_>>()
    );
    println!("ended after {took:?}");
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn who_is_killed_goes_on_when_started_again() {
    need!(skip::is_root(), "needs root");
    let house = House::new();
    let mut target = house.start("a");
    let mut node = Node::start(&house.configuration("")).unwrap();
    until_probed(&mut node, &[target.pid()]);
    node.agent.signal(Signal::SIGKILL).unwrap();
    let Node { agent, .. } = node;
    assert_eq!(agent.end().unwrap().code, None);
    // The kernel detaches when it tears the dead daemon down.
    probes::wait_until_gone(target.pid()).unwrap();
    target.ask("idle 3").unwrap();
    let mut node = Node::start(&house.configuration("")).unwrap();
    until_probed(&mut node, &[target.pid()]);
    node.stop().unwrap();
    probes::wait_until_gone(target.pid()).unwrap();
    assert!(target.is_running().unwrap());
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn a_reload_changes_what_changed_and_nothing_else() {
    need!(skip::is_root(), "needs root");
    let house = House::new();
    let mut a = house.start("a");
    let mut b = house.start("b");
    let (pid_a, pid_b) = (a.pid(), b.pid());
    a.ask("leak 10").unwrap();
    let mut node = Node::start(&house.configuration("")).unwrap();
    until_probed(&mut node, &[pid_a, pid_b]);
    node.until(|watched| leak_of(&watched[&pid_a]).map(drop))
        .unwrap();
    let before = node.watched().unwrap().remove(&pid_a).unwrap();

    // A rule lets one go; the other is watched as before.
    let ignores = format!("[[ignore]]\nexe = \"{}\"\n", house.path("b").display());
    assert!(node.reload(&house.configuration(&ignores)).unwrap());
    let gone = |event: &Value| event["pid"] == pid_b && event["reason"] == "interrupted";
    node.agent.wait_for("detached", gone).unwrap();
    probes::wait_until_gone(pid_b).unwrap();
    until_agent(&mut node, |agent| {
        agent["processes"]["left_alone"].as_u64() >= Some(1)
    });
    until_probed(&mut node, &[pid_a]);
    let goes_on = |node: &mut Node| {
        let now = node.watched().unwrap().remove(&pid_a).unwrap();
        assert_eq!(now["began"], before["began"]);
        leak_of(&now).unwrap();
        let told = |target: &Value| target["leaks_told"].clone();
        assert!(told(&now).as_array().unwrap().len() == 3);
        for verdict in 0..3 {
            assert!(told(&now)[verdict].as_u64() >= told(&before)[verdict].as_u64());
        }
        assert!(now["sites"].as_u64() >= before["sites"].as_u64());
    };
    goes_on(&mut node);

    // What is wrong changes nothing.
    let wrong = house.configuration(&format!("{ignores}[[ignore]]\nexe = 7\n"));
    assert!(!node.reload(&wrong).unwrap());
    node.agent
        .says("the configuration stays as it was")
        .unwrap();
    until_watched(&mut node, &[pid_a]);
    goes_on(&mut node);

    // The rule is taken back, a leak is known now, and the budget is another.
    let known = "[[suppress]]\nsite = \"main.leak\"\nreason = \"it is meant to\"\n";
    let other = house.configuration(known).replace("unlimited", "50%");
    assert!(node.reload(&other).unwrap());
    until_watched(&mut node, &[pid_a, pid_b]);
    let agent = until_agent(&mut node, |agent| agent["budget_ratio"] == 0.5);
    assert_eq!(agent["reloads"], 2);
    assert_eq!(agent["errors"]["reload"], 1);
    goes_on(&mut node);
    b.ask("leak 10").unwrap();
    let of_b = |event: &Value| event["pid"] == pid_b;
    let leak = node.agent.wait_for("leak", of_b).unwrap();
    assert_eq!(leak["suppressed"], "it is meant to", "{leak}");

    node.stop().unwrap();
    for pid in [pid_a, pid_b] {
        probes::wait_until_gone(pid).unwrap();
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_listener_moves() {
    need!(skip::is_root(), "needs root");
    let house = House::new();
    let mut node = Node::start(&house.configuration("")).unwrap();
    let old = node.listen.clone();
    let listen = |port: u16, more: &str| {
        house.configuration(&format!("[listen]\naddress = \"127.0.0.1:{port}\"\n{more}"))
    };
    let write = |node: &Node, text: &str| {
        std::fs::write(node.configuration.path(), text).unwrap();
        node.agent.signal(Signal::SIGHUP).unwrap();
    };
    let port = http::free_port().unwrap();
    write(&node, &listen(port, ""));
    node.moved_to(&format!("127.0.0.1:{port}")).unwrap();
    until_agent(&mut node, |agent| agent["reloads"] == 1);
    http::Connection::open(&old).map(drop).unwrap_err();

    // Another section, the same address: the daemon is not in its own way. The connection ends.
    let moved = node.listen.clone();
    write(&node, &listen(port, "connections = 4\n"));
    std::thread::sleep(Duration::from_millis(100));
    node.moved_to(&moved).unwrap();
    until_agent(&mut node, |agent| agent["reloads"] == 2);

    // An address that somebody else has: it stays where it is.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    write(&node, &listen(taken.local_addr().unwrap().port(), ""));
    node.agent
        .says("the configuration stays as it was: cannot listen on")
        .unwrap();
    node.moved_to(&moved).unwrap();
    let agent = until_agent(&mut node, |agent| agent["errors"]["reload"] == 1);
    assert_eq!(agent["reloads"], 2);
    node.stop().unwrap();
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_stop_file_lets_all_go_while_it_is_there() {
    need!(skip::is_root(), "needs root");
    let house = House::new();
    let targets = ["a", "b"].map(|name| house.start(name));
    let pids = targets.each_ref().map(Target::pid);
    let mut node = Node::start(&house.configuration("")).unwrap();
    until_probed(&mut node, &pids);
    std::fs::write(house.path("stop"), "").unwrap();
    for _ in pids {
        let is_it = |event: &Value| event["reason"] == "stop_file";
        node.agent.wait_for("detached", is_it).unwrap();
    }
    for pid in pids {
        probes::wait_until_gone(pid).unwrap();
    }
    let agent = until_agent(&mut node, |agent| agent["processes"]["failed"] == 2);
    let failures = agent["failures"].to_string();
    assert!(failures.contains("stop file"), "{failures}");
    std::fs::remove_file(house.path("stop")).unwrap();
    until_probed(&mut node, &pids);
    node.stop().unwrap();
}

/// What the daemon says and how it ends where it does not even begin; its file is called FILE.
fn refusal(configuration: &str, by: &[&str]) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, configuration.as_bytes()).unwrap();
    refusal_of(file.path(), by)
}

fn refusal_of(file: &Path, by: &[&str]) -> String {
    let binary = agent::binary().unwrap();
    let mut command = match by {
        [] => Command::new(binary),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(binary);
            command
        }
    };
    let output = command
        .args(["daemon", "--config"])
        .arg(file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let said = String::from_utf8(output.stderr).unwrap();
    said.trim_end().replace(&file.display().to_string(), "FILE")
}

#[test]
#[ignore = "needs root"]
fn what_is_wrong_is_said_at_the_start() {
    need!(skip::is_root(), "needs root");
    let missing = tempfile::tempdir().unwrap().path().join("gostray.toml");
    assert_eq!(
        refusal_of(&missing, &[]),
        "gostray: configuration FILE: No such file or directory (os error 2); `gostray daemon \
         --example-config` writes one to begin with, `--config` names another"
    );
    assert_eq!(
        refusal("[node]\nbudget = \"2\n", &[]),
        "gostray: configuration FILE: line 2: node.budget: invalid basic string, expected `\"`"
    );
    assert_eq!(
        refusal("[node]\nbudget = \"2\"\n", &[]),
        "gostray: configuration FILE: line 2: node.budget: a share of one core is wanted, such as 2%, \
         or `unlimited`"
    );
    assert_eq!(
        refusal("[stdout]\n[listen]\nport = 80\n", &[]),
        "gostray: configuration FILE: line 3: listen.port: unknown field `port`, expected one of `enabled`, \
         `address`, `allow_remote`, `hosts`, `connections`, `sites`, `sites_of_all`"
    );
    assert_eq!(
        refusal("[listen]\naddress = \"0.0.0.0:9464\"\n", &[]),
        "gostray: configuration FILE: line 1: [listen] address 0.0.0.0:9464 can be reached from other \
         machines, and there is no password: use 127.0.0.1 or [::1], or say `allow_remote = true` if they \
         may read which programs run here and what their goroutines do"
    );
    // Another daemon, or anybody else.
    let first = Node::start("[[watch]]\nname = \"nobody\"\n").unwrap();
    let second = format!("[listen]\naddress = \"{}\"\n", first.listen);
    assert_eq!(
        refusal(&second, &[]).replace(&first.listen, "ADDRESS"),
        "gostray: cannot listen on ADDRESS: Address already in use (os error 98); choose another address in \
         [listen], or `enabled = false`"
    );
    first.stop().unwrap();
}

#[test]
#[ignore = "needs root, to become somebody else"]
fn an_ordinary_user_is_told_what_is_missing() {
    need!(skip::is_root(), "needs root");
    // Root without any capability may still run what is here, and read the file.
    let nobody = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"];
    assert_eq!(
        refusal("[listen]\naddress = \"127.0.0.1:0\"\n", &nobody),
        "gostray: the daemon may not watch the programs of others: it has no CAP_SYS_PTRACE and no \
         CAP_SYS_ADMIN; start it as root or by its systemd unit, or grant these (`gostray doctor` says what \
         each is for)"
    );
}
