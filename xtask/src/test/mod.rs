//! All tests: units, fuzz targets, and the agent against real programs.

mod results;

use crate::{
    fuzz, paths,
    setup::{self, GoNeed, GoRoots, Needs, NeedsRoot, apt::is_root},
    shell,
};
use anyhow::{Context as _, Result, bail};
use results::{Reader, Results};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

/// Seconds for all fuzz targets together.
const FUZZ_SECONDS: u64 = 60;

/// The directory of the crate whose tests run the agent against real programs.
const END_TO_END: &str = "tests";
/// Those of its tests that wait more than they work, and run at the same time.
const TOGETHER: &str = "together";

/// What every test run shares.
struct Setting<'a> {
    go: GoRoots,
    filter: Option<&'a str>,
    /// Whether the agent is built with its eBPF object.
    ebpf: bool,
    /// Whether tests that need root run too.
    privileged: bool,
}

/// Runs the tests and closes with the line `N passed, N failed, N skipped`.
pub(crate) fn run(quick: bool, filter: Option<&str>) -> Result<()> {
    let mut total = Results::default();
    let setting = prepare(quick, filter, &mut total)?;

    shell::step("building everything");
    let build = ["build", "--workspace", "--all-targets", "--locked"];
    if let Err(error) = shell::run(setting.apply(&mut shell::cargo(build))) {
        bail!("{error:#}; no test was run");
    }
    shell::step("unit tests");
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut units = vec!["--lib".to_owned(), "--bins".to_owned()];
    units.extend(tests_of("agent")?);
    total.add(setting.libtest(&units, Some(processors))?);
    if filter.is_none() {
        shell::step("examples in the documentation");
        // Apart: --include-ignored would compile examples that are not meant to be.
        total.add(setting.libtest(&["--doc".to_owned()], None)?);
    }
    if quick {
        skip(
            &mut total,
            "fuzz targets and end-to-end tests",
            "--quick was given",
        );
    } else {
        if filter.is_none() {
            fuzz_targets(&mut total);
        }
        shell::step("end-to-end tests");
        // They measure and load the machine; one would be the other's noise.
        total.add(setting.libtest(&tests_of(END_TO_END)?, Some(1))?);
        shell::step("end-to-end tests that mostly wait");
        total.add(setting.libtest(&[test(TOGETHER)], Some(8))?);
    }
    close(&total)
}

/// Set-up, as far as this user may.
fn prepare<'a>(quick: bool, filter: Option<&'a str>, total: &mut Results) -> Result<Setting<'a>> {
    let privileged = is_root() && !quick;
    let mut setting = Setting {
        go: GoRoots::default(),
        filter,
        ebpf: true,
        privileged,
    };
    let mut needs = Needs {
        ebpf: true,
        go: GoNeed::All,
        servers: privileged,
        rivals: false,
    };
    loop {
        match setup::ensure(&needs) {
            Ok(go) => {
                setting.go = go;
                setting.ebpf = needs.ebpf;
                return Ok(setting);
            }
            // Without root: go on with less, and say so at the end.
            Err(error) if error.is::<NeedsRoot>() && needs.ebpf => {
                println!("note: {error}\n");
                skip(
                    total,
                    "the eBPF object",
                    "its tools are missing and only root can install them",
                );
                needs.ebpf = false;
            }
            Err(error) if error.is::<NeedsRoot>() => {
                skip(
                    total,
                    "tests on real Go binaries",
                    "there is no Go and only root can install one",
                );
                return Ok(Setting {
                    ebpf: false,
                    ..setting
                });
            }
            Err(error) => return Err(error),
        }
    }
}

impl Setting<'_> {
    /// The environment of every build and test, always the same so that nothing is built twice.
    fn apply<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        if !self.ebpf {
            command.env("GOSTRAY_SKIP_EBPF", "1");
        }
        command
            .env("GOSTRAY_GO_ROOTS", self.go.variable())
            .env("GOSTRAY_BIN", paths::target().join("debug/gostray"))
            .env("GOSTRAY_TARGETS_DIR", paths::target().join("go"))
    }

    /// Runs tests of these targets and counts them: so many at a time, those that need privileges
    /// too; or examples, which are all alike.
    fn libtest(&self, targets: &[String], at_a_time: Option<usize>) -> Result<Results> {
        // Always the workspace: what a package alone asks of its dependencies would build them again.
        let mut command = shell::cargo(["test", "--workspace", "--locked", "--no-fail-fast"]);
        command.args(targets).args(["--", "--show-output"]);
        if let Some(number) = at_a_time {
            command.arg(format!("--test-threads={number}"));
            if self.privileged {
                command.arg("--include-ignored");
            }
        }
        command.args(self.filter);
        self.apply(&mut command);
        println!("    {}", shell::display(&command));
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start cargo test")?;
        let stdout = child.stdout.take().context("cargo test has no output")?;
        let mut reader = Reader::default();
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("cannot read from cargo test")?;
            let line = String::from_utf8_lossy(&line);
            if reader.line(&line) {
                println!("{line}");
            }
        }
        let status = child.wait().context("cannot wait for cargo test")?;
        let mut results = reader.results();
        if !status.success() && results.failed == 0 {
            // It did not compile, or a test killed its whole process.
            results.fail(format!("{} ({status})", shell::display(&command)));
        }
        Ok(results)
    }
}

/// What selects the tests of the crate in `directory`: each file is a test target.
fn tests_of(directory: &str) -> Result<Vec<String>> {
    let directory = paths::root().join(directory).join("tests");
    let files = fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    let mut targets = Vec::new();
    for file in files {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            targets.extend(path.file_stem().map(|name| test(&name.to_string_lossy())));
        }
    }
    targets.sort();
    Ok(targets)
}

fn test(name: &str) -> String {
    format!("--test={name}")
}

fn fuzz_targets(total: &mut Results) {
    match fuzz::run(FUZZ_SECONDS, None) {
        Ok(runs) if runs.is_empty() => {}
        Ok(runs) => {
            for run in runs {
                if run.passed {
                    total.passed += 1;
                } else {
                    total.fail(format!("fuzz target {}", run.target));
                }
            }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            total.fail("the fuzz targets");
        }
    }
}

/// Notes that a whole part was left out; it counts as one.
fn skip(total: &mut Results, what: &str, reason: &str) {
    total.skipped += 1;
    total.reasons.push((what.to_owned(), reason.to_owned()));
}

fn close(total: &Results) -> Result<()> {
    shell::step("summary");
    for (name, reason) in &total.reasons {
        println!("skipped {name}: {reason}");
    }
    for name in &total.failures {
        println!("FAILED  {name}");
    }
    println!(
        "{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    if total.failed > 0 {
        bail!("{} tests failed", total.failed);
    }
    if total.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}
