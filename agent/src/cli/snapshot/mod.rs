//! `gostray snapshot`: one census, grouped; or two, compared.

mod comparison;
mod pause;

use std::path::Path;

use anyhow::{Context as _, bail};

use super::{
    Exit,
    arguments::{SnapshotArguments, SnapshotFormat},
    output::{json, not_for_a_terminal, print},
    terminal,
};
use crate::{
    binary::BinaryCache,
    memory::LiveMemory,
    report::{Filter, Snapshot},
    session::{CoreProgram, Inspected, SnapshotOptions, Subject, snapshot},
    target::Vitality,
};

/// Runs the command.
pub(super) fn run(arguments: &SnapshotArguments) -> anyhow::Result<Exit> {
    if let Some([before, after]) = arguments.source.diff.as_deref() {
        return comparison::of_files(arguments, before, after);
    }
    if arguments.format == SnapshotFormat::Pprof {
        not_for_a_terminal("gostray snapshot PID --format pprof > goroutines.pb.gz")?;
    }
    let mut snapshot = match (&arguments.source.core, &arguments.exe) {
        (Some(core), Some(exe)) => of_core(arguments, core, exe)?,
        _ => {
            let pid = arguments.source.target().resolve()?;
            let inspected = Inspected::new(pid, &BinaryCache::new())?;
            if let Some(time) = arguments.diff_after {
                return comparison::over_time(arguments, &inspected, time);
            }
            of_process(&inspected, &options(arguments))?
        }
    };
    if !arguments.full {
        // Goroutines differ in more than can be seen: in where their labels are, for one.
        snapshot.group_by(&arguments.group_by.clone().unwrap_or_default());
    }
    print(|output| match arguments.format {
        SnapshotFormat::Text => snapshot.text(output, terminal::width()),
        SnapshotFormat::Json => json(output, &snapshot),
        SnapshotFormat::Folded => snapshot.folded(output),
        SnapshotFormat::Svg => snapshot.svg(output),
        SnapshotFormat::Pprof => snapshot.pprof(output),
    })
}

/// Of a living process.
fn of_process(inspected: &Inspected, options: &SnapshotOptions) -> anyhow::Result<Snapshot> {
    let pid = inspected.process.pid();
    let taken = snapshot(Subject::from(inspected), &LiveMemory::new(pid), options);
    // What was read while it ended, or became another program, is worth nothing; and whatever went
    // wrong then, this is why.
    match inspected.lifetime.vitality() {
        Vitality::Alive => taken.with_context(|| format!("process {pid}")),
        Vitality::Ended => bail!("process {pid} ended while its goroutines were read"),
        Vitality::Replaced => bail!(
            "process {pid} became another program (execve) while its goroutines were read; try again"
        ),
    }
}

fn of_core(arguments: &SnapshotArguments, core: &Path, exe: &Path) -> anyhow::Result<Snapshot> {
    let program = CoreProgram::open(core, exe, &BinaryCache::new())?;
    if let Some(shortfall) = program.core.shortfall() {
        let core = core.display();
        tracing::warn!("{core}: {shortfall}; what is missing is not shown");
    }
    Ok(program.snapshot(&options(arguments))?)
}

fn options(arguments: &SnapshotArguments) -> SnapshotOptions {
    SnapshotOptions {
        filter: filter(arguments),
        full: arguments.full,
    }
}

fn filter(arguments: &SnapshotArguments) -> Filter {
    Filter {
        state: arguments.state.clone(),
        wait: arguments.wait.clone(),
        min_age: arguments.min_age,
    }
}
