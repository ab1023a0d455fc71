//! What can be said on the command line.

mod prove;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum, error::ErrorKind};

use crate::{
    config::{Config, Interval, duration},
    governor::{Budget, MemoryBudget},
    listen,
    probes::StopFile,
    report::GroupBy,
    store,
    target::{TargetError, find_by_name},
};

pub use prove::ProveArguments;
pub(super) use prove::ProveFormat;

/// Finds leaked goroutines in running Go programs, from outside.
#[derive(Clone, Debug, Parser)]
#[command(name = "gostray", version, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Say more on stderr; twice for details, three times for everything.
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 100)]
    pub verbose: u8,
}

impl Arguments {
    /// As the command line has them. Ends the process with help or, for bad usage, status 2.
    #[must_use]
    pub fn from_command_line() -> Self {
        let arguments = Self::parse();
        let conflict = match &arguments.command {
            Command::Snapshot(snapshot) => snapshot.conflict().map(|why| ("snapshot", why)),
            Command::Prove(prove) => prove.conflict().map(|why| ("prove", why)),
            _ => None,
        };
        if let Some((command, conflict)) = conflict {
            let mut all = Self::command();
            all.build();
            let command = all.find_subcommand_mut(command);
            let command = command.expect("it was just parsed");
            command.error(ErrorKind::ArgumentConflict, conflict).exit();
        }
        arguments
    }
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Watch a running Go program and report the `go` statements that leak.
    ///
    /// Ends with Ctrl-C, after --duration, or with the process. Nothing of the program is stopped,
    /// restarted or written to.
    Attach(AttachArguments),
    /// Show all goroutines of a running Go program now, or of one that crashed, grouped by where
    /// they were created, what they wait for and where.
    ///
    /// Reads the program's memory while it runs: no probe, no pause. Or the core file it left. Two
    /// snapshots can be compared.
    Snapshot(SnapshotArguments),
    /// Prove which goroutines of a running Go program can never wake again, and what memory they
    /// retain.
    ///
    /// Looks several times through the program's heap while it runs: no probe, no pause. What waits
    /// on something that nothing living leads to any more is leaked, whatever happens. Of a goroutine
    /// that is not proven, --why says what keeps it alive.
    Prove(ProveArguments),
    /// Watch all Go programs of this machine, and tell their leaks and metrics to whoever is configured:
    /// OpenTelemetry, Prometheus, webhooks, standard output.
    ///
    /// Finds programs as they start, in containers too, and shares one budget among them. SIGHUP reads
    /// the configuration again, SIGTERM ends it.
    Daemon(DaemonArguments),
    /// List the leaks that are remembered, and what became of them over restarts and builds.
    ///
    /// Reads what `gostray attach` has written, also while one writes.
    History(HistoryArguments),
    /// Show what the running daemon watches, what it costs, and what it could not deliver.
    Status(StatusArguments),
    /// Say what this kernel, these privileges and that program allow, and how to mend what is
    /// missing.
    Doctor(DoctorArguments),
}

/// `gostray daemon`.
#[derive(Clone, Debug, Args)]
pub struct DaemonArguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = Config::DEFAULT)]
    pub config: PathBuf,
    /// Print a configuration with all keys, each explained, and end.
    #[arg(long)]
    pub example_config: bool,
    /// Only check the configuration, and end.
    #[arg(long, conflicts_with = "example_config")]
    pub check: bool,
}

/// `gostray attach`.
#[derive(Clone, Debug, Args)]
pub struct AttachArguments {
    /// The process.
    #[command(flatten)]
    pub target: Target,
    /// End after this long, such as 30s, 5m or 1h.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub duration: Option<Duration>,
    /// Time between two status reports (100ms to 1h).
    #[arg(long, value_parser = interval, value_name = "TIME", default_value = "5s")]
    pub interval: Duration,
    /// How to write: text for people, json for programs (one object a line). Without it text on
    /// a terminal and json elsewhere.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Attach no probe: look at the program's memory only, again and again. Costs the program
    /// nothing; goroutines that live and die between two looks are not seen.
    #[arg(long, conflicts_with = "park")]
    pub no_probes: bool,
    /// Count parks for each site too. Programs park far more often than they create goroutines:
    /// this costs the target more.
    #[arg(long)]
    pub park: bool,
    /// Processor time that gostray and its probes may take together, as a share of one core, from
    /// 0.1% to 10%. What does not fit is not watched, and that is said. `unlimited` watches
    /// everything at any price.
    #[arg(long, value_name = "SHARE", default_value_t = Budget::DEFAULT)]
    pub budget: Budget,
    /// Memory that gostray and the kernel's maps may take together, such as 64MB; 32MB at least.
    #[arg(long, value_name = "SIZE", default_value_t = MemoryBudget::DEFAULT)]
    pub memory: MemoryBudget,
    /// The configuration file; without it /etc/gostray/gostray.toml, where that is there.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// While this file is there, and root's, no gostray watches anything: all let go at once.
    #[arg(long, value_name = "FILE", default_value = StopFile::DEFAULT, hide_short_help = true)]
    pub stop_file: PathBuf,
    /// The database that remembers what is normal and what leaked, over restarts and builds; made if it
    /// is not there.
    #[arg(long, value_name = "FILE", default_value = store::DEFAULT_PATH, hide_short_help = true)]
    pub history: PathBuf,
    /// Remember nothing, and know nothing of the past.
    #[arg(long, conflicts_with = "history", hide_short_help = true)]
    pub no_history: bool,
    /// Creation sites the kernel side has room for; without it what the memory allows.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), hide_short_help = true)]
    pub max_sites: Option<u32>,
    /// Living goroutines the kernel side has room for, at 72 bytes each; without it what the memory
    /// allows.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000), hide_short_help = true)]
    pub max_goroutines: Option<u32>,
    /// Where in the functions the probes go. `entry` is what attaching to symbols would use; its
    /// counts are wrong, it exists to measure what the choice is worth.
    #[arg(long, value_enum, default_value_t = Sites::SingleTrap, hide = true)]
    pub sites: Sites,
}

/// `gostray snapshot`.
#[derive(Clone, Debug, Args)]
pub struct SnapshotArguments {
    /// Where the goroutines are.
    #[command(flatten)]
    pub source: Source,
    /// The executable that made the core file: the very file, not another build.
    #[arg(long, value_name = "FILE", requires = "core")]
    pub exe: Option<PathBuf>,
    /// How to write.
    #[arg(long, value_enum, default_value_t = SnapshotFormat::Text)]
    pub format: SnapshotFormat,
    /// List each goroutine for itself.
    #[arg(long, conflicts_with_all = ["group_by", "diff", "diff_after"])]
    pub full: bool,
    /// Put goroutines together that have this in common, whatever else they differ in: site, stack,
    /// state or label:KEY. Without it those that have creation site, state, stack and labels in
    /// common.
    #[arg(long, value_name = "WHAT")]
    pub group_by: Option<GroupBy>,
    /// Take a second snapshot after this long, such as 15m, and show what changed. Ctrl-C takes it
    /// at once.
    #[arg(long, value_parser = duration, value_name = "TIME", conflicts_with_all = ["core", "diff"])]
    pub diff_after: Option<Duration>,
    /// Only goroutines in this state, such as waiting, syscall, runnable or running.
    #[arg(long)]
    pub state: Option<String>,
    /// Only goroutines that wait for something whose name contains this, such as `chan`.
    #[arg(long, value_name = "REASON")]
    pub wait: Option<String>,
    /// Only goroutines known to have waited at least so long, such as 10m.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub min_age: Option<Duration>,
}

/// Where goroutines are read from: exactly one of these.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Source {
    /// Process id.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Option<i32>,
    /// The one process of this name.
    #[arg(long)]
    pub name: Option<String>,
    /// The core file of a program that crashed, or that gcore made; with --exe.
    #[arg(long, value_name = "FILE", requires = "exe")]
    pub core: Option<PathBuf>,
    /// Show what changed between two snapshots that were saved as JSON, the older one first; `-` is
    /// stdin.
    #[arg(long, num_args = 2, value_names = ["BEFORE", "AFTER"])]
    pub diff: Option<Vec<PathBuf>>,
}

impl Source {
    /// The process.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            pid: self.pid,
            name: self.name.clone(),
        }
    }
}

/// Formats of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SnapshotFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// A line for each stack, with its count, for flame graph tools.
    Folded,
    /// A flame graph for a browser.
    Svg,
    /// For `go tool pprof`, as the program's own goroutine profile: without the runtime's goroutines.
    Pprof,
}

impl SnapshotArguments {
    /// What does not go together.
    fn conflict(&self) -> Option<&'static str> {
        let compares = self.source.diff.is_some() || self.diff_after.is_some();
        match self.format {
            SnapshotFormat::Text | SnapshotFormat::Json => None,
            _ if compares => Some("a comparison is written as text or json only"),
            _ if self.group_by.is_some() => Some(
                "--group-by is for text and json; the other formats put goroutines together by their stacks",
            ),
            _ => None,
        }
    }
}

/// Which process: its pid, or its name.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Target {
    /// Process id.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Option<i32>,
    /// The one process of this name.
    #[arg(long)]
    pub name: Option<String>,
}

impl Target {
    /// The process id.
    ///
    /// # Errors
    /// No process has the name, or several have.
    pub fn resolve(&self) -> Result<i32, TargetError> {
        match (self.pid, &self.name) {
            (Some(pid), _) => Ok(pid),
            (None, name) => find_by_name(name.as_deref().unwrap_or_default()),
        }
    }
}

/// `gostray history`.
#[derive(Clone, Debug, Args)]
pub struct HistoryArguments {
    /// The database.
    #[arg(long, value_name = "FILE", default_value = store::DEFAULT_PATH)]
    pub history: PathBuf,
    /// How to write.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Only leaks of this program: the path of its main package, or the last part of it.
    #[arg(long, value_name = "NAME")]
    pub program: Option<String>,
    /// Those that were resolved, and those whose fix was verified, too.
    #[arg(long)]
    pub all: bool,
}

/// `gostray status`.
#[derive(Clone, Debug, Args)]
pub struct StatusArguments {
    /// Where the daemon listens: `address` of [listen] in its configuration.
    #[arg(long, value_name = "IP:PORT", default_value_t = listen::DEFAULT_ADDRESS)]
    pub address: SocketAddr,
    /// How to write.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `gostray doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArguments {
    /// Process id of a program to look at, too.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: Option<i32>,
    /// How to write.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// See [`AttachArguments::sites`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sites {
    /// Instructions that cost one trap.
    SingleTrap,
    /// The functions' first instructions.
    Entry,
}

fn interval(text: &str) -> Result<Duration, String> {
    Interval::try_from(text.to_owned()).map(Interval::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }
}
