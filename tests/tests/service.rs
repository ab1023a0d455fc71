//! The daemon as `dist/gostray.service` has it run: with so many capabilities, and under a service manager.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::ensure;
use gostray::report::timestamp;
use gostray_tests::agent::{self, Agent};
use gostray_tests::go::{self, Mode};
use gostray_tests::lines::PATIENCE;
use gostray_tests::node::Node;
use gostray_tests::target::Target;
use gostray_tests::{need, skip};
use nix::sys::signal::Signal;
use serde_json::Value;

const UNIT: &str = include_str!("../../dist/gostray.service");
/// Somebody who owns nothing.
const OTHER: u32 = 65534;
/// What the unit's `ProtectSystem=strict` and `ProtectKernelTunables=yes` do, as far as it concerns us: nothing can
/// be written to.
const READ_ONLY: &str =
    "mount -o remount,bind,ro /sys && mount -o remount,bind,ro / && exec \"$@\"";

/// The values of a key of the unit, as it stands there.
fn of_unit(key: &str) -> Vec<&'static str> {
    let lines = UNIT.lines().filter_map(|line| line.split_once('='));
    let mut values = lines.filter(|(name, _)| *name == key);
    let (_, value) = values
        .next()
        .unwrap_or_else(|| panic!("{key} is not in the unit"));
    assert_eq!(values.next(), None, "{key} is there twice");
    value.split_whitespace().collect()
}

/// `program` with these capabilities and no more, as the unit's user.
fn with(capabilities: &[&str], program: &Path) -> Command {
    assert_eq!(of_unit("User"), ["root"]);
    assert_eq!(of_unit("AmbientCapabilities"), Vec::<&str>::new());
    assert_eq!(of_unit("NoNewPrivileges"), ["yes"]);
    let names = capabilities.iter().map(|name| {
        let name = name.strip_prefix("CAP_").unwrap();
        format!(",+{}", name.to_ascii_lowercase())
    });
    let set = format!("-all{}", names.collect::<String>());
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", READ_ONLY, "sh", "setpriv"]);
    command.args([
        "--bounding-set",
        &set,
        "--inh-caps",
        "-all",
        "--no-new-privs",
    ]);
    command.arg(program);
    command
}

fn without(one: &str) -> Vec<&'static str> {
    let all = of_unit("CapabilityBoundingSet");
    all.into_iter().filter(|name| *name != one).collect()
}

/// A program of root, and one of somebody else that only he may read, in a mount namespace of its own.
struct Programs {
    directory: tempfile::TempDir,
    roots: Target,
    others: Target,
    /// The pid of the latter, which is a child of what has been started.
    others_pid: u32,
}

impl Programs {
    fn start() -> Self {
        let counters = go::build("counters", &go::newest().unwrap(), Mode::Stripped).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let permit = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        permit(directory.path(), 0o755);
        let copy = |name: &str, mode| -> PathBuf {
            let path = directory.path().join(name);
            std::fs::copy(&counters, &path).unwrap();
            permit(&path, mode);
            path
        };
        let roots = Target::start(&copy("roots", 0o755), &[], &[service("roots")]).unwrap();
        let path = copy("others", 0o700);
        chown(&path, Some(OTHER), Some(OTHER)).unwrap();
        let id = OTHER.to_string();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "setpriv"]);
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        command.arg(path).envs([service("others")]);
        let others = Target::spawn(command).unwrap();
        let children = format!("/proc/{0}/task/{0}/children", others.pid());
        let child = std::fs::read_to_string(children).unwrap();
        Self {
            directory,
            others_pid: child.trim().parse().unwrap(),
            roots,
            others,
        }
    }

    fn configuration(&self) -> String {
        let directory = self.directory.path().display();
        format!(
            "[node]\nbudget = \"unlimited\"\ninterval = \"200ms\"\nhistory = false\n\
             stop_file = \"{directory}/stop\"\n[stdout]\nevents = \"all\"\nstatus = \"1s\"\n\
             [[watch]]\nexe = \"{directory}/**\"\n"
        )
    }

    fn pids(&self) -> [u32; 2] {
        [self.roots.pid(), self.others_pid]
    }
}

fn service(name: &'static str) -> (&'static str, &'static str) {
    ("OTEL_SERVICE_NAME", name)
}

/// What the program itself has counted.
fn created_by(target: &mut Target) -> u64 {
    let counts: Vec<Value> = serde_json::from_str(&target.ask("counts").unwrap()).unwrap();
    counts
        .iter()
        .map(|site| site["created"].as_u64().unwrap())
        .sum()
}

/// What the daemon has counted.
fn created(status: &Value) -> u64 {
    let sites = status["sites"].as_array().unwrap();
    sites
        .iter()
        .map(|site| site["created"].as_u64().unwrap())
        .sum()
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_units_capabilities_suffice() {
    need!(skip::is_root(), "needs root");
    let mut programs = Programs::start();
    let capabilities = of_unit("CapabilityBoundingSet");
    let command = with(&capabilities, &agent::binary().unwrap());
    let mut node = Node::run(&programs.configuration(), command).unwrap();
    let pids = programs.pids();
    let own = std::fs::read_link("/proc/self/ns/mnt").unwrap();
    let theirs = std::fs::read_link(format!("/proc/{}/ns/mnt", pids[1])).unwrap();
    assert_ne!(own, theirs);
    let effective = procfs_line(node.agent.pid(), "CapEff:");
    assert_eq!(u64::from_str_radix(&effective, 16).unwrap().count_ones(), 3);

    // Probes are attached to whoever creates goroutines.
    node.until(|watched| {
        ensure!(
            pids.iter().all(|pid| watched.contains_key(pid)),
            "{:?}",
            watched.keys()
        );
        for target in [&mut programs.roots, &mut programs.others] {
            target.ask("short 20")?;
        }
        let modes: Vec<_> = watched.values().map(|target| &target["mode"]).collect();
        ensure!(modes.iter().all(|mode| *mode != "census"), "{modes:?}");
        Ok(())
    })
    .unwrap();
    let watched = node.watched().unwrap();
    for (pid, name) in pids.into_iter().zip(["roots", "others"]) {
        assert_eq!(watched[&pid]["identity"]["service"]["name"], name);
    }
    for (pid, target) in pids
        .into_iter()
        .zip([&mut programs.roots, &mut programs.others])
    {
        target.ask("settle").unwrap();
        let status = |node: &Node| {
            node.agent
                .wait_for("status", |status| status["pid"] == pid)
                .unwrap()
        };
        // What was told until now nobody has read yet.
        let now = timestamp(SystemTime::now());
        let since = |status: &Value| status["time"].as_str() > Some(now.as_str());
        let before = node
            .agent
            .wait_for("status", |status| status["pid"] == pid && since(status))
            .unwrap();
        let before = created(&before);
        let own = created_by(target);
        target.ask("short 1000").unwrap();
        let expected = before + created_by(target) - own;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = status(&node);
            let now = created(&status);
            assert!(now <= expected, "{now} of {expected}: {status}");
            if now == expected {
                break;
            }
            assert!(Instant::now() < deadline, "{now} of {expected}: {status}");
        }
    }
    // Whoever is started is seen, whatever program it is.
    let seen = |agent: &Value| agent["processes"]["seen"].as_u64();
    let before = seen(&node.status().unwrap()["agent"]);
    assert!(Command::new("/bin/true").status().unwrap().success());
    node.agent_until("a program that is started is seen", |agent| {
        seen(agent) > before
    })
    .unwrap();
    let status = node.status().unwrap();
    // Others' processes may end while they are looked at.
    let errors = status["agent"]["errors"].as_object().unwrap();
    assert!(errors.keys().all(|kind| kind == "discovery"), "{errors:?}");
    node.stop().unwrap();
}

fn procfs_line(pid: u32, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix(name))
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn each_of_them_is_needed() {
    need!(skip::is_root(), "needs root");
    let programs = Programs::start();
    let needed = ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"];
    let mut all = of_unit("CapabilityBoundingSet");
    all.sort_unstable();
    let mut sorted = needed;
    sorted.sort_unstable();
    assert_eq!(all, sorted);
    let binary = agent::binary().unwrap();

    // The kernel attaches no probe without the first, whatever else there is, and reads no memory without
    // the second; the daemon does not even begin then.
    for (capability, instead, said) in [
        (
            "CAP_SYS_ADMIN",
            &["CAP_BPF", "CAP_PERFMON"][..],
            "the kernel denied attaching a uprobe",
        ),
        ("CAP_SYS_PTRACE", &[], "was denied"),
    ] {
        let mut command = with(&[&without(capability), instead].concat(), &binary);
        command.args(["attach", &programs.pids()[1].to_string(), "--no-history"]);
        let end = Agent::spawn(command).unwrap().end().unwrap();
        assert_eq!(end.code, Some(1), "{capability}: {}", end.stderr);
        assert!(end.stderr.contains(said), "{capability}: {}", end.stderr);
        let command = with(&without(capability), &binary);
        let (_file, daemon) = Node::begin(&programs.configuration(), command).unwrap();
        let end = daemon.end().unwrap();
        assert_eq!(end.code, Some(1), "{capability}: {}", end.stderr);
        let said = format!("it has no {capability};");
        assert!(
            end.message().contains(&said),
            "{capability}: {}",
            end.stderr
        );
    }

    // Without the third, what only its owner may read is not found, and that is counted.
    let command = with(&without("CAP_DAC_READ_SEARCH"), &binary);
    let mut node = Node::run(&programs.configuration(), command).unwrap();
    let [roots, others] = programs.pids();
    node.until(|watched| {
        ensure!(watched.contains_key(&roots), "{:?}", watched.keys());
        Ok(())
    })
    .unwrap();
    assert!(!node.watched().unwrap().contains_key(&others));
    node.agent_until("what is not found is counted", |agent| {
        agent["errors"]["discovery"].as_u64() > Some(0)
    })
    .unwrap();
    node.stop().unwrap();
}

#[test]
#[ignore = "runs systemd-analyze"]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let is_there = Command::new("systemd-analyze").arg("--version").output();
    need!(is_there.is_ok(), "there is no systemd-analyze here");
    // It looks whether the program is there, too.
    let directory = tempfile::tempdir().unwrap();
    let unit = directory.path().join("gostray.service");
    let binary = agent::binary().unwrap();
    let binary = binary.canonicalize().unwrap();
    let text = UNIT.replace("/usr/local/bin/gostray", binary.to_str().unwrap());
    assert_ne!(text, UNIT);
    std::fs::write(&unit, text).unwrap();
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .arg(&unit)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{said}");
    assert!(!said.contains("gostray.service"), "{said}");
}

/// What stands in for the service manager.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            path,
            _directory: directory,
        }
    }

    /// The next message, and when it came.
    fn next(&self) -> (Instant, BTreeMap<String, String>) {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).unwrap();
        let text = String::from_utf8(bytes[..length].to_vec()).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        (Instant::now(), pairs.collect())
    }

    /// The next message that is neither a sign of life nor a line for people.
    fn next_state(&self) -> BTreeMap<String, String> {
        loop {
            let (_, message) = self.next();
            if !message.contains_key("WATCHDOG") && !message.contains_key("STATUS") {
                return message;
            }
        }
    }
}

#[test]
#[ignore = "needs root and a kernel with uprobes"]
fn the_service_manager_is_told() {
    const WITHIN: Duration = Duration::from_secs(6);
    need!(skip::is_root(), "needs root");
    let programs = Programs::start();
    let manager = Manager::new();
    let mut command = Command::new(agent::binary().unwrap());
    command.env("NOTIFY_SOCKET", &manager.path);
    command.env("WATCHDOG_USEC", WITHIN.as_micros().to_string());
    let mut node = Node::run(&programs.configuration(), command).unwrap();
    // Both were there before, so both are watched when it is ready.
    let ready = manager.next_state();
    assert_eq!(ready["READY"], "1");
    let status = node.status().unwrap();
    assert_eq!(
        status["agent"]["processes"]["watched"], 2,
        "{}",
        status["agent"]
    );

    // It is alive, and says so at least twice as often as is asked for.
    let alive = || loop {
        let (when, message) = manager.next();
        if message.contains_key("WATCHDOG") {
            return when;
        }
    };
    // What has been waiting to be read is of no use.
    let drained = Instant::now() + WITHIN;
    while alive() < drained {}
    let times = [(); 5].map(|()| alive());
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] <= WITHIN / 2, "{times:?}");
    }

    assert!(node.reload(&programs.configuration()).unwrap());
    let reloading = manager.next_state();
    assert_eq!(reloading["RELOADING"], "1");
    assert!(reloading["MONOTONIC_USEC"].parse::<u64>().unwrap() > 0);
    assert_eq!(manager.next_state()["READY"], "1");
    node.agent.signal(Signal::SIGTERM).unwrap();
    assert_eq!(manager.next_state()["STOPPING"], "1");
    assert_eq!(node.agent.end().unwrap().code, Some(0));
}
