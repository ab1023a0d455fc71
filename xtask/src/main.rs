//! `cargo xtask`: set-up, demo, tests, lint, benches and evaluation, one command each.

mod bench;
mod demo;
mod eval;
mod fuzz;
mod layouts;
mod lint;
mod paths;
mod setup;
mod shell;
mod test;

/// The same file that `agent/build.rs` asks: both must see the same compilers.
#[path = "../../agent/build/toolchain.rs"]
mod toolchain;

use clap::{Parser, Subcommand};
use setup::{GoNeed, Needs, NeedsRoot};
use std::process::ExitCode;

/// Exit status of a command that only root could have finished.
const NEEDS_ROOT: u8 = 3;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Set-up, demo, tests, lint and benches of gostray"
)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install whatever the other commands need and this machine lacks
    Setup,
    /// Build gostray, start a Go server that leaks, and watch the leak being found
    Demo,
    /// Run all tests; as an ordinary user, those that need no privileges
    Test {
        /// Unit tests only: no fuzzing, nothing privileged
        #[arg(long)]
        quick: bool,
        /// Only tests whose name contains this; no fuzzing
        filter: Option<String>,
    },
    /// Check formatting, lints and documentation
    Lint,
    /// Run one bench of the `tests` crate
    Bench {
        /// Its name: `probes`, `attach`, `idle`, `census`, `stall`, `overhead`, `prove` or `watchdog`
        name: String,
        /// Passed on to it; `overhead` takes a part of the names of the loads to measure,
        /// `prove` takes `--fire SECONDS` or `--random PROGRAMS`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Judge the verdicts on programs that leak, and on healthy ones that look like it
    Eval(eval::Options),
    /// Write the table of the Go runtime's struct layouts anew
    Layouts {
        /// Write nothing; fail if the table is not what the Go releases say
        #[arg(long)]
        check: bool,
    },
    /// Run the fuzz targets
    Fuzz {
        /// Seconds for all of them together
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Only this one
        target: Option<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<NeedsRoot>() {
                ExitCode::from(NEEDS_ROOT)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Setup => setup::ensure(&Needs::everything()).map(|_| ()),
        Task::Demo => demo::run(),
        Task::Test { quick, filter } => test::run(quick, filter.as_deref()),
        Task::Lint => lint::run(),
        Task::Bench { name, arguments } => bench::run(&name, &arguments),
        Task::Eval(options) => eval::run(&options),
        Task::Layouts { check } => {
            let go = setup::ensure(&Needs {
                ebpf: false,
                go: GoNeed::All,
                servers: false,
                rivals: false,
            })?;
            layouts::run(&go.labelled_roots(), check)
        }
        Task::Fuzz { seconds, target } => fuzz::run(seconds, target.as_deref()).and_then(|runs| {
            let failed = runs.iter().filter(|run| !run.passed).count();
            anyhow::ensure!(failed == 0, "{failed} fuzz targets failed");
            Ok(())
        }),
    }
}
