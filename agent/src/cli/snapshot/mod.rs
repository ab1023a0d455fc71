//! `gostray snapshot`: one census, grouped; or two, compared.

mod comparison;
mod pause;

use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};

use anyhow::ensure;
use serde::Serialize;

use super::{
    Exit,
    arguments::{SnapshotArguments, SnapshotFormat},
    terminal,
};
use crate::{
    binary::BinaryCache,
    memory::LiveMemory,
    report::{Filter, Snapshot},
    session::{CoreProgram, Inspected, SnapshotOptions, Subject, snapshot},
};

type Output = BufWriter<StdoutLock<'static>>;

/// Runs the command.
pub(super) fn run(arguments: &SnapshotArguments) -> anyhow::Result<Exit> {
    if let Some([before, after]) = arguments.source.diff.as_deref() {
        return comparison::of_files(arguments, before, after);
    }
    ensure!(
        arguments.format != SnapshotFormat::Pprof || !io::stdout().is_terminal(),
        "a profile is nothing for a terminal; write it to a file: \
         gostray snapshot PID --format pprof > goroutines.pb.gz"
    );
    if let Some(time) = arguments.diff_after {
        return comparison::over_time(arguments, time);
    }
    let mut snapshot = take(arguments)?;
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

/// Of the core file, if there is one, else of the process.
fn take(arguments: &SnapshotArguments) -> anyhow::Result<Snapshot> {
    let options = SnapshotOptions {
        filter: filter(arguments),
        full: arguments.full,
    };
    let source = &arguments.source;
    if let (Some(core), Some(exe)) = (&source.core, &arguments.exe) {
        let core_program = CoreProgram::open(core, exe, &BinaryCache::new())?;
        if let Some(shortfall) = core_program.core.shortfall() {
            tracing::warn!(
                "{}: {shortfall}; what is missing is not shown",
                core.display()
            );
        }
        return Ok(core_program.snapshot(&options)?);
    }
    take_live(&inspect(arguments)?, &options)
}

fn inspect(arguments: &SnapshotArguments) -> anyhow::Result<Inspected> {
    let pid = arguments.source.target().resolve()?;
    Ok(Inspected::new(pid, &BinaryCache::new())?)
}

fn take_live(inspected: &Inspected, options: &SnapshotOptions) -> anyhow::Result<Snapshot> {
    let memory = LiveMemory::new(inspected.process.pid());
    Ok(snapshot(Subject::from(inspected), &memory, options)?)
}

fn filter(arguments: &SnapshotArguments) -> Filter {
    Filter {
        state: arguments.state.clone(),
        wait: arguments.wait.clone(),
        min_age: arguments.min_age,
    }
}

/// Writes to stdout.
fn print(write: impl FnOnce(&mut Output) -> io::Result<()>) -> anyhow::Result<Exit> {
    let mut output = BufWriter::new(io::stdout().lock());
    match write(&mut output).and_then(|()| output.flush()) {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        written => Ok(written.map(|()| Exit::Done)?),
    }
}

fn json(output: &mut Output, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    writeln!(output)
}
