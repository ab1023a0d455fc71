//! `gostray daemon`: all Go programs of a machine.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
};

use anyhow::Context as _;
use serde::Serialize;

use super::{DaemonArguments, Exit, signals};
use crate::{config::Config, node::Daemon, report::timestamp};

/// The one line that tells whoever started the daemon that it is ready.
#[derive(Serialize)]
struct Ready {
    event: &'static str,
    time: String,
    pid: u32,
    /// The address that is listened on; null where none is.
    listen: Option<SocketAddr>,
}

/// Runs the command.
pub(super) fn run(arguments: &DaemonArguments) -> anyhow::Result<Exit> {
    if arguments.example_config {
        io::stdout().write_all(Config::example().as_bytes())?;
        return Ok(Exit::Done);
    }
    if arguments.check {
        Config::read(&arguments.config)?;
        println!("{} is right", arguments.config.display());
        return Ok(Exit::Done);
    }
    // Blocked before there is any thread, so that none of them takes a signal.
    let signals = signals::receive().context("cannot receive signals")?;
    let daemon = Daemon::start(&arguments.config)?;
    daemon.run(&signals, |listen| {
        let ready = Ready {
            event: "ready",
            time: timestamp(std::time::SystemTime::now()),
            pid: std::process::id(),
            listen,
        };
        let line = serde_json::to_string(&ready).unwrap_or_default();
        // Nobody has to read it.
        let _ = writeln!(io::stdout(), "{line}");
    })?;
    Ok(Exit::Done)
}
