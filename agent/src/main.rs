//! The `gostray` command.
#![forbid(unsafe_code)]

use std::io::IsTerminal as _;

use gostray::cli::{Arguments, Exit};
use tracing_subscriber::filter::LevelFilter;

fn main() -> Exit {
    let arguments = Arguments::from_command_line();
    tracing_subscriber::fmt()
        .with_max_level(match arguments.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        })
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    gostray::cli::run(arguments).unwrap_or_else(|error| {
        eprintln!("gostray: {}", gostray::cli::message(&error));
        Exit::Failed
    })
}
