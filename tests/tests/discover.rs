//! Programs are found as they are started.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use gostray::{
    binary::BinaryCache,
    discover::{Discovery, Seen, identify},
    report::node::{Engine, Identity},
    session::Inspected,
};
use gostray_tests::go::{self, Mode};
use gostray_tests::target::Target;
use gostray_tests::{need, skip};
use nix::time::{ClockId, clock_gettime};

/// A scan would take so long to find it.
const LONG: Duration = Duration::from_secs(10);

fn pid(target: &Target) -> i32 {
    target.pid().try_into().unwrap()
}

/// Polls as a daemon would, until a program of `pid` is told of; how long that took.
fn wait_for(discovery: &mut Discovery, pid: i32) -> (Seen, Duration) {
    let began = Instant::now();
    while began.elapsed() < LONG {
        let seen = discovery.poll(Instant::now());
        if let Some(seen) = seen.into_iter().find(|seen| seen.process.pid == pid) {
            return (seen, began.elapsed());
        }
        std::thread::sleep(discovery.next().saturating_duration_since(Instant::now()));
    }
    panic!("process {pid} was not seen within {LONG:?}");
}

fn started() -> Discovery {
    let mut discovery = Discovery::start();
    assert_eq!(discovery.why_scanning(), None);
    discovery.poll(Instant::now());
    discovery
}

#[test]
#[ignore = "needs root"]
fn what_runs_already_and_what_is_started() {
    need!(skip::is_root(), "needs root");
    let toolchain = go::newest().unwrap();
    let exe = go::build("exits", &toolchain, Mode::Stripped).unwrap();
    let before = Target::start(&exe, &[], &[]).unwrap();
    let mut discovery = Discovery::start();
    assert_eq!(discovery.why_scanning(), None);
    let (first, _) = wait_for(&mut discovery, pid(&before));
    assert!(!first.is_replaced);
    // Some machines have a process that not even root may look at; it is given up after some tries.
    for _ in 0..20 {
        discovery.poll(Instant::now());
        std::thread::sleep(Duration::from_millis(10));
    }
    let errors = discovery.errors();

    let began = Instant::now();
    let mut target = Target::start(&exe, &[], &[]).unwrap();
    let ready = began.elapsed();
    let (seen, took) = wait_for(&mut discovery, pid(&target));
    println!("ready after {ready:?}, seen {took:?} later");
    assert!(!seen.is_replaced);

    // Itself once more, then another program.
    target.tell(&format!("exec {}", exe.display())).unwrap();
    let (again, _) = wait_for(&mut discovery, pid(&target));
    assert!(again.is_replaced);
    assert_eq!(again.process, seen.process);
    target.tell("exec /bin/cat").unwrap();
    target.tell("hello").unwrap();
    let count = discovery.seen();
    while discovery.seen() == count {
        let seen = discovery.poll(Instant::now());
        assert!(seen.iter().all(|seen| seen.process.pid != pid(&target)));
    }
    assert_eq!((discovery.drops(), discovery.errors()), (0, errors));
}

fn own_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

#[test]
#[ignore = "needs root"]
fn a_machine_that_starts_programs_all_the_time() {
    need!(skip::is_root(), "needs root");
    const PROGRAMS: u32 = 2000;
    let mut discovery = started();
    let before = (discovery.seen(), own_time());
    std::thread::scope(|scope| {
        let starter = scope.spawn(|| {
            for _ in 0..PROGRAMS {
                assert!(Command::new("true").status().unwrap().success());
            }
        });
        while !starter.is_finished() {
            discovery.poll(Instant::now());
            std::thread::sleep(discovery.next().saturating_duration_since(Instant::now()));
        }
    });
    discovery.poll(Instant::now());
    let seen = discovery.seen() - before.0;
    let spent = own_time() - before.1;
    println!(
        "{:.2} µs a program, all polls and a scan included, of {seen}",
        spent.as_secs_f64() * 1e6 / seen as f64
    );
    assert!(seen >= u64::from(PROGRAMS));
    assert_eq!(discovery.drops(), 0);
    // Those that live while they are looked at: scans of this machine.
    let before = own_time();
    let rounds = 50;
    for round in 1..=rounds {
        discovery.poll(Instant::now() + Duration::from_secs(60 * round));
    }
    let all = std::fs::read_dir("/proc").unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().parse::<i32>().is_ok()
    });
    let each = (own_time() - before).as_secs_f64() * 1e6 / (rounds as f64 * all.count() as f64);
    println!("{each:.2} µs a process in a scan");
}

#[test]
#[ignore = "needs root"]
fn what_was_lost_is_counted_and_found() {
    need!(skip::is_root(), "needs root");
    let toolchain = go::newest().unwrap();
    let mut discovery = started();
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "i=0; while [ $i -lt 9000 ]; do /bin/true; i=$((i+1)); done",
    ]);
    assert!(shell.status().unwrap().success());
    let target = Target::of("exits", &toolchain, Mode::Stripped).unwrap();
    let (seen, _) = wait_for(&mut discovery, pid(&target));
    println!("{} of {} events lost", discovery.drops(), discovery.seen());
    assert!(discovery.drops() > 0);
    assert!(discovery.seen() > 9000);
    assert!(!seen.is_replaced);
}

/// Run by the next test in a pid namespace of its own.
#[test]
#[ignore = "run by `in_another_pid_namespace`"]
fn inside_a_pid_namespace() {
    if std::env::var_os("GOSTRAY_TESTS_INSIDE").is_none() {
        return;
    }
    let mut discovery = Discovery::start();
    assert!(discovery.why_scanning().unwrap().contains("hostPID"));
    discovery.poll(Instant::now());
    let target = Target::of("exits", &go::newest().unwrap(), Mode::Stripped).unwrap();
    let (seen, took) = wait_for(&mut discovery, pid(&target));
    assert!(!seen.is_replaced);
    println!("seen by scans after {took:?}");
}

#[test]
#[ignore = "needs root"]
fn in_another_pid_namespace() {
    need!(skip::is_root(), "needs root");
    let output = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "inside_a_pid_namespace",
            "--include-ignored",
            "--nocapture",
        ])
        .env("GOSTRAY_TESTS_INSIDE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("seen by scans"), "{said}");
}

const UID: &str = "1f2e3d4c-5b6a-4789-8abc-def012345678";
const ID: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

/// A cgroup named as containerd names a pod's container; removed when dropped.
struct PodsGroup(PathBuf);

/// Of version 2, or of version 1's memory controller.
fn hierarchy() -> Option<&'static Path> {
    let all = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"];
    let mut all = all.into_iter().map(Path::new);
    all.find(|root| root.join("cgroup.procs").exists())
}

impl PodsGroup {
    fn new() -> Self {
        let uid = UID.replace('-', "_");
        let slice = format!("gostray-tests-{}-pod{uid}.slice", std::process::id());
        let group = hierarchy().unwrap().join(slice);
        let group = group.join(format!("cri-containerd-{ID}.scope"));
        fs::create_dir_all(&group).unwrap();
        Self(group)
    }
}

impl Drop for PodsGroup {
    fn drop(&mut self) {
        // What ran in it is gone when its parent has reaped it.
        for group in [Some(&*self.0), self.0.parent()].into_iter().flatten() {
            let _ = fs::remove_dir(group);
        }
    }
}

/// A folder with what a pod's container has: `/var/run` leads to `/run`, tokens lie behind links.
fn container_root(exe: &Path) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let account = path("run/secrets/kubernetes.io/serviceaccount");
    fs::create_dir_all(account.join("..2026_11_18")).unwrap();
    fs::create_dir_all(path("etc")).unwrap();
    fs::create_dir_all(path("var")).unwrap();
    symlink("/run", path("var/run")).unwrap();
    symlink("..2026_11_18", account.join("..data")).unwrap();
    symlink("..data/namespace", account.join("namespace")).unwrap();
    fs::write(account.join("..data/namespace"), "shop").unwrap();
    fs::write(path("etc/hostname"), "search-5d4f\n").unwrap();
    fs::copy(exe, path("server")).unwrap();
    root
}

/// Who a program is that runs in `root`, in namespaces of its own, in a pod's cgroup.
fn contained(root: &Path) -> Identity {
    let group = PodsGroup::new();
    let mut command = Command::new("sh");
    // The shell goes into the cgroup, its children are in it from their start.
    command
        .args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""])
        .arg(&group.0);
    command.args([
        "unshare",
        "--uts",
        "--pid",
        "--mount",
        "--fork",
        "--kill-child",
    ]);
    command.arg("--root").arg(root).arg("/server");
    command.env(
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.name=search,service.version=1.4",
    );
    let target = Target::spawn(command).unwrap();
    let children = format!("/proc/{0}/task/{0}/children", target.pid());
    let pid: i32 = fs::read_to_string(children)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let mut discovery = Discovery::start();
    wait_for(&mut discovery, pid);
    let inspected = Inspected::new(pid, &BinaryCache::new()).unwrap();
    let identity = identify(&inspected.process, inspected.info(), None);
    drop(target);
    // The program ends with `unshare`, but a moment later.
    while !fs::read_to_string(group.0.join("cgroup.procs"))
        .unwrap()
        .is_empty()
    {
        std::thread::yield_now();
    }
    identity
}

#[test]
#[ignore = "needs root and cgroups"]
fn a_program_in_a_pod() {
    need!(skip::is_root(), "needs root");
    need!(hierarchy().is_some(), "needs cgroups");
    let exe = go::build("exits", &go::newest().unwrap(), Mode::Stripped).unwrap();
    let root = container_root(&exe);
    let identity = contained(root.path());
    assert_eq!(identity.namespace_pid, Some(1));
    assert_eq!(identity.name, "server");
    // A folder is not a mount: the kernel tells the path from our own root.
    assert!(identity.process.exe.ends_with("/server"));
    let container = identity.container.unwrap();
    assert_eq!(
        (container.id.as_str(), container.engine),
        (ID, Some(Engine::Containerd))
    );
    let pod = identity.pod.unwrap();
    assert_eq!(pod.uid, UID);
    assert_eq!(pod.name.as_deref(), Some("search-5d4f"));
    assert_eq!(pod.namespace.as_deref(), Some("shop"));
    assert_eq!(identity.service.name.as_deref(), Some("search"));
    assert_eq!(identity.service.attributes["service.version"], "1.4");

    // Whoever owns the container would like to know what the machine is called.
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), "outside").unwrap();
    fs::remove_file(root.path().join("etc/hostname")).unwrap();
    symlink(outside.path(), root.path().join("etc/hostname")).unwrap();
    fs::remove_file(root.path().join("var/run")).unwrap();
    let folder = outside.path().parent().unwrap();
    symlink(
        format!("../../../../..{}", folder.display()),
        root.path().join("var/run"),
    )
    .unwrap();
    let pod = contained(root.path()).pod.unwrap();
    assert_eq!((pod.name, pod.namespace), (None, None));
}
