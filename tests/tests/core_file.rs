//! `gostray snapshot --core` against the same process while it lived.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use gostray_tests::go::{self, Mode, Toolchain};
use gostray_tests::lines::PATIENCE;
use gostray_tests::target::Target;
use gostray_tests::{agent, need, need_root_and_releases};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

fn run(arguments: &[&str]) -> Result<Output> {
    agent::output(&[&["snapshot"], arguments, &["--format", "json"]].concat())
}

fn snapshot(arguments: &[&str]) -> Result<Value> {
    let output = run(arguments)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    ensure!(errors.is_empty(), "a warning: {errors}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn of_core(core: &Path, exe: &Path) -> Result<Value> {
    let snapshot = snapshot(&["--core", utf8(core), "--exe", utf8(exe)])?;
    ensure!(
        snapshot["process"]["exe"] == utf8(exe),
        "{}",
        snapshot["process"]
    );
    ensure!(no_defects(&snapshot), "defects: {}", snapshot["defects"]);
    Ok(snapshot)
}

fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn no_defects(snapshot: &Value) -> bool {
    snapshot["defects"]
        .as_object()
        .is_some_and(|defects| defects.is_empty())
}

/// Whether the goroutine that reads the commands is what the group is of, or one of the runtime's
/// own. They may be at another place when the core file is written.
fn may_move(group: &Value) -> bool {
    group["system"] == true || group["start"]["function"] == "runtime.main"
}

/// The members of a group: how many, which, and the size of their stacks together.
type Members = (u64, Value, Value);

/// Everything that does not depend on the moment, of the groups that stay where they are, by what
/// the members have in common.
fn resting(snapshot: &Value) -> Result<BTreeMap<String, Members>> {
    let groups = snapshot["groups"].as_array().context("no groups")?;
    let mut resting = BTreeMap::new();
    for group in groups.iter().filter(|group| !may_move(group)) {
        let shared = ["created_at", "start", "state", "wait_reason", "stack"];
        let shared: Vec<&Value> = shared.iter().map(|field| &group[*field]).collect();
        let count = group["count"].as_u64().context("no count")?;
        let members = (count, group["goids"].clone(), group["stack_bytes"].clone());
        let before = resting.insert(serde_json::to_string(&shared)?, members);
        ensure!(before.is_none(), "two groups are alike: {group}");
    }
    Ok(resting)
}

fn compare(live: &Value, core: &Value) -> Result<()> {
    ensure!(
        live["goroutines"] == core["goroutines"],
        "{} {}",
        live["goroutines"],
        core["goroutines"]
    );
    ensure!(live["pid"] == core["pid"], "pid {}", core["pid"]);
    for field in [
        "build_id",
        "go_version",
        "main_module",
        "architecture",
        "layout",
    ] {
        let (live, core) = (&live["process"][field], &core["process"][field]);
        ensure!(live == core, "{field}: {live} {core}");
    }
    let (live, core) = (resting(live)?, resting(core)?);
    ensure!(live.len() >= 10, "only {} groups", live.len());
    for (shape, members) in &live {
        let found = core.get(shape);
        ensure!(
            found == Some(members),
            "{shape}: {members:?}, in the core file {found:?}"
        );
    }
    ensure!(
        live.len() == core.len(),
        "{} groups, in the core file {}",
        live.len(),
        core.len()
    );
    Ok(())
}

/// A program with leaked goroutines, in a directory of its own, that may leave a core file there.
fn leaky(exe: &Path, directory: &Path) -> Result<Target> {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -c unlimited && exec \"$0\""])
        .arg(exe)
        .current_dir(directory)
        .env("GOTRACEBACK", "crash")
        .stderr(File::create(directory.join("stderr"))?);
    let mut target = Target::spawn(command)?;
    target.ask("short 1000")?;
    target.ask("leak 1000")?;
    target.ask("settle")?;
    Ok(target)
}

/// The process, once all of its goroutines have come to rest.
fn of_process(target: &Target) -> Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let snapshot = snapshot(&[&target.pid().to_string()])?;
        ensure!(no_defects(&snapshot), "defects: {}", snapshot["defects"]);
        let groups = snapshot["groups"].as_array().context("no groups")?;
        let rests = |group: &Value| group["stack"].is_array() || may_move(group);
        if groups.iter().all(rests) {
            return Ok(snapshot);
        }
        ensure!(Instant::now() < deadline, "never at rest: {snapshot}");
    }
}

/// gdb's own core file of a running program.
fn gcore(target: &Target, directory: &Path) -> Result<PathBuf> {
    let output = Command::new("gcore")
        .arg("-o")
        .arg(directory.join("gcore"))
        .arg(target.pid().to_string())
        .output()?;
    let core = directory.join(format!("gcore.{}", target.pid()));
    ensure!(
        core.is_file(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(core)
}

fn has_gdb() -> bool {
    Command::new("gdb").arg("--version").output().is_ok()
}

/// Why no core file of the kernel would come into the program's directory; empty if one would.
fn elsewhere() -> String {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let pattern = pattern.trim();
    if pattern.is_empty() || pattern.contains(['|', '/', '%']) {
        format!("kernel.core_pattern is `{pattern}`, not a plain name such as `core`")
    } else {
        String::new()
    }
}

/// The kernel's core file of the program, which is ended by `signal`.
fn crash(mut target: Target, signal: Signal, directory: &Path) -> Result<PathBuf> {
    kill(Pid::from_raw(i32::try_from(target.pid())?), signal)?;
    let status = target.wait()?;
    ensure!(status.core_dumped(), "no core file: {status}");
    let mut files = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.file_name() != Some("stderr".as_ref()));
    ensure!(files.len() == 1, "{files:?}");
    files.pop().context("no core file")
}

fn collect(failures: Vec<(String, Result<()>)>) {
    let failures: Vec<String> = failures
        .into_iter()
        .filter_map(|(what, result)| Some(format!("{what}: {:#}", result.err()?)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
#[ignore = "needs root"]
fn a_core_file_of_gcore_equals_the_process() {
    let releases = go::oldest_and_newest(need_root_and_releases!());
    need!(has_gdb(), "gdb is missing: `cargo xtask setup` installs it");
    let check = |toolchain: &Toolchain, mode: Mode| -> Result<()> {
        let directory = tempfile::tempdir()?;
        let exe = go::build("counters", toolchain, mode)?;
        let target = leaky(&exe, directory.path())?;
        let live = of_process(&target)?;
        let core = gcore(&target, directory.path())?;
        compare(&live, &of_core(&core, &exe)?)?;
        // Its notes, which say where the program was loaded, come last.
        cut_short(&live, &core, &exe)
    };
    let mut results = Vec::new();
    for toolchain in &releases {
        for mode in Mode::FOR_SNAPSHOTS {
            let what = format!("{} {mode:?}", toolchain.version);
            results.push((what, check(toolchain, mode)));
        }
    }
    collect(results);
}

#[test]
#[ignore = "needs root"]
fn a_core_file_of_the_kernel_equals_the_process() {
    let releases = go::oldest_and_newest(need_root_and_releases!());
    need!(elsewhere().is_empty(), elsewhere());
    // What the kernel writes: by default; without ELF headers; all.
    let filters = ["0x33", "0x23", "0xff"];
    let check = |toolchain: &Toolchain, mode: Mode, filter: &str| -> Result<()> {
        for signal in [Signal::SIGQUIT, Signal::SIGABRT] {
            let directory = tempfile::tempdir()?;
            let exe = go::build("counters", toolchain, mode)?;
            let target = leaky(&exe, directory.path())?;
            fs::write(format!("/proc/{}/coredump_filter", target.pid()), filter)?;
            let live = of_process(&target)?;
            let core = crash(target, signal, directory.path())?;
            compare(&live, &of_core(&core, &exe)?)?;
            cut_short(&live, &core, &exe)?;
        }
        Ok(())
    };
    let mut results = Vec::new();
    for toolchain in &releases {
        for mode in Mode::FOR_SNAPSHOTS {
            for filter in filters {
                let what = format!("{} {mode:?} {filter}", toolchain.version);
                results.push((what, check(toolchain, mode, filter)));
            }
        }
    }
    collect(results);
}

/// Cuts the core file to ever less: what is missing is said, and what is shown is true.
fn cut_short(live: &Value, core: &Path, exe: &Path) -> Result<()> {
    let length = fs::metadata(core)?.len();
    let file = File::options().write(true).open(core)?;
    let all = resting(live)?;
    let number = live["goroutines"].as_u64().context("no number")?;
    let arguments = ["--core", utf8(core), "--exe", utf8(exe)];
    let mut refused = 0;
    let ever_less = (4..8).rev().map(|eighths| length / 8 * eighths);
    for cut in ever_less
        .chain((2..20).map(|times| length >> times))
        .chain([0])
    {
        file.set_len(cut)?;
        let output = run(&arguments)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let lines = errors.lines().count();
        if !output.status.success() {
            refused += 1;
            let plain = errors.contains("cut short") || cut == 0 && errors.contains("empty");
            ensure!(output.status.code() == Some(1) && plain, "{cut}: {errors}");
            continue;
        }
        ensure!(
            lines == 1 && errors.contains("cut short"),
            "{cut}: {errors}"
        );
        let snapshot: Value = serde_json::from_slice(&output.stdout)?;
        let defects = snapshot["defects"].as_object().context("no defects")?;
        ensure!(
            defects.keys().any(|reason| reason.contains("cut short")),
            "{cut}: {defects:?}"
        );
        let missing: u64 = defects.values().filter_map(Value::as_u64).sum();
        let shown = snapshot["goroutines"].as_u64().context("no number")?;
        ensure!(
            shown + missing >= number,
            "{cut}: {shown}, and {missing} missing"
        );
        for (shape, (count, ..)) in resting(&snapshot)? {
            // One whose stack is behind the cut is like all that differ by their stacks only.
            let known = shape.strip_suffix("null]").unwrap_or(&shape);
            let whole = all.iter().filter(|(other, _)| other.starts_with(known));
            let whole: u64 = whole.map(|(_, (count, ..))| count).sum();
            ensure!(count <= whole, "{cut}: {count} of {whole}: {shape}");
        }
    }
    ensure!(refused > 0, "an empty file was read");
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn another_executable_is_refused() {
    let releases = go::oldest_and_newest(need_root_and_releases!());
    need!(elsewhere().is_empty(), elsewhere());
    let newest = releases.last().unwrap();
    let oldest = releases.first().unwrap();
    // Without the headers in the core file, there is no build id to compare.
    for (mode, filter) in [
        (Mode::Plain, "0x33"),
        (Mode::Plain, "0x23"),
        (Mode::Pie, "0x23"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let exe = go::build("counters", newest, mode).unwrap();
        let target = leaky(&exe, directory.path()).unwrap();
        fs::write(format!("/proc/{}/coredump_filter", target.pid()), filter).unwrap();
        let core = crash(target, Signal::SIGQUIT, directory.path()).unwrap();
        let others = [
            go::build("exits", newest, mode).unwrap(),
            go::build("counters", oldest, mode).unwrap(),
            go::build("counters", newest, Mode::Cgo).unwrap(),
        ];
        for other in &others {
            let output = run(&["--core", utf8(&core), "--exe", utf8(other)]).unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{other:?}: {errors}");
            assert!(output.stdout.is_empty());
            for words in ["was not made by", "give the very file that ran", utf8(&exe)] {
                assert!(errors.contains(words), "{other:?}: {errors}");
            }
        }
        // A build of the same layout is told from it by its build id only.
        if filter == "0x33" {
            let stripped = go::build("counters", newest, Mode::Stripped).unwrap();
            let output = run(&["--core", utf8(&core), "--exe", utf8(&stripped)]).unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(errors.contains("its build id is"), "{errors}");
        }
    }
}
