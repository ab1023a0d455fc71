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
    report::Filter,
    session::{Inspected, snapshot},
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
    let pid = arguments.source.target().resolve()?;
    let inspected = Inspected::new(pid, &BinaryCache::new())?;
    if let Some(time) = arguments.diff_after {
        return comparison::over_time(arguments, &inspected, time);
    }
    let mut snapshot = snapshot(&inspected, arguments.full)?;
    snapshot.retain(&filter(arguments));
    if let Some(by) = &arguments.group_by {
        snapshot.group_by(by);
    }
    print(|output| match arguments.format {
        SnapshotFormat::Text => snapshot.text(output, terminal::width()),
        SnapshotFormat::Json => json(output, &snapshot),
        SnapshotFormat::Folded => snapshot.folded(output),
        SnapshotFormat::Svg => snapshot.svg(output),
        SnapshotFormat::Pprof => snapshot.pprof(output),
    })
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
