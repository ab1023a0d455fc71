//! `gostray history`: what is remembered of leaks.

use std::{
    io::{self, Write as _},
    path::Path,
};

use super::{Exit, Format, arguments::HistoryArguments, terminal};
use crate::{
    report::History,
    store::{DEFAULT_PATH, Store, StoreError},
};

/// Runs the command.
pub(super) fn run(arguments: &HistoryArguments) -> anyhow::Result<Exit> {
    let program = arguments.program.as_deref();
    let incidents = match Store::open_to_read(&arguments.history) {
        // On this machine nothing was watched yet.
        Err(StoreError::Missing { path }) if path == Path::new(DEFAULT_PATH) => Vec::new(),
        store => store?.incidents(program)?,
    };
    let file = arguments.history.display().to_string();
    let history = History::new(file, incidents, arguments.all);
    let output = io::stdout().lock();
    let written = match arguments.format {
        Format::Text => history.text(output, terminal::width()),
        Format::Json => json(&history, output),
    };
    match written {
        // Whoever read it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        written => Ok(written.map(|()| Exit::Done)?),
    }
}

fn json(history: &History, mut output: io::StdoutLock<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut output, history)?;
    writeln!(output)
}
