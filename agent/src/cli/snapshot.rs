//! `gostray snapshot`: one census, grouped.

use std::io::{self, BufWriter, Write as _};

use super::{
    Exit,
    arguments::{SnapshotArguments, SnapshotFormat},
};
use crate::{
    binary::BinaryCache,
    report::Filter,
    session::{Inspected, snapshot},
};

/// Runs the command.
pub(super) fn run(arguments: &SnapshotArguments) -> anyhow::Result<Exit> {
    let pid = arguments.target.resolve()?;
    let inspected = Inspected::new(pid, &BinaryCache::new())?;
    let mut snapshot = snapshot(&inspected)?;
    snapshot.retain(&Filter {
        state: arguments.state.clone(),
        wait: arguments.wait.clone(),
        min_age: arguments.min_age,
    });
    let mut output = BufWriter::new(io::stdout().lock());
    let written = match arguments.format {
        SnapshotFormat::Text => snapshot.text(&mut output, 100),
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
