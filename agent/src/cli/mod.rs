//! The command line: arguments become plain values first, side effects come later. One file a
//! command.

mod arguments;
mod attach;
mod doctor;
mod exit;

pub use arguments::{Arguments, AttachArguments, Command, Format};
pub use exit::Exit;

/// Runs one command.
///
/// # Errors
/// What went wrong, with its causes.
pub fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    match arguments.command {
        Command::Attach(arguments) => attach::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    }
}
