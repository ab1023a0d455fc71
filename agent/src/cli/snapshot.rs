//! `gostray snapshot`: one census, grouped.

use std::io::{self, BufWriter, Write as _};

use super::{
    Exit,
    arguments::{SnapshotArguments, SnapshotFormat, Target},
};
use crate::{
    binary::BinaryCache,
    memory::LiveMemory,
    report::{Filter, Snapshot},
    session::{CoreProgram, Inspected, SnapshotOptions, Subject, snapshot},
};

/// Runs the command.
pub(super) fn run(arguments: &SnapshotArguments) -> anyhow::Result<Exit> {
    let snapshot = take(arguments)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let written = match arguments.format {
        SnapshotFormat::Text => snapshot.text(&mut output),
        SnapshotFormat::Json => serde_json::to_writer(&mut output, &snapshot)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(output)),
        SnapshotFormat::Folded => snapshot.folded(&mut output),
    };
    match written.and_then(|()| output.flush()) {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        written => Ok(written.map(|()| Exit::Done)?),
    }
}

/// Of the core file, if there is one, else of the process.
fn take(arguments: &SnapshotArguments) -> anyhow::Result<Snapshot> {
    let binaries = BinaryCache::new();
    let options = SnapshotOptions {
        filter: Filter {
            state: arguments.state.clone(),
            wait: arguments.wait.clone(),
            min_age: arguments.min_age,
        },
        full: arguments.full,
    };
    let source = &arguments.source;
    if let (Some(core), Some(exe)) = (&source.core, &arguments.exe) {
        let core_program = CoreProgram::open(core, exe, &binaries)?;
        if let Some(shortfall) = core_program.core.shortfall() {
            tracing::warn!(
                "{}: {shortfall}; what is missing is not shown",
                core.display()
            );
        }
        return Ok(core_program.snapshot(&options)?);
    }
    let target = Target {
        pid: source.pid,
        name: source.name.clone(),
    };
    let inspected = Inspected::new(target.resolve()?, &binaries)?;
    let memory = LiveMemory::new(inspected.process.pid());
    Ok(snapshot(Subject::from(&inspected), &memory, &options)?)
}
