//! Results on stdout.

use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};

use anyhow::ensure;
use serde::Serialize;

use super::Exit;

pub(super) type Output = BufWriter<StdoutLock<'static>>;

/// Writes to stdout.
pub(super) fn print(write: impl FnOnce(&mut Output) -> io::Result<()>) -> anyhow::Result<Exit> {
    let mut output = BufWriter::new(io::stdout().lock());
    match write(&mut output).and_then(|()| output.flush()) {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        written => Ok(written.map(|()| Exit::Done)?),
    }
}

/// Writes one object and ends the line.
pub(super) fn json(output: &mut Output, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    writeln!(output)
}

/// Refuses to write a profile to a terminal; `instead` is the command that does right.
pub(super) fn not_for_a_terminal(instead: &str) -> anyhow::Result<()> {
    ensure!(
        !io::stdout().is_terminal(),
        "a profile is nothing for a terminal; write it to a file: {instead}"
    );
    Ok(())
}
