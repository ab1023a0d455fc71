//! The command line: arguments become plain values first, side effects come later. One file a
//! command.

mod arguments;
mod attach;
mod doctor;
mod exit;
mod history;
mod output;
mod prove;
mod signals;
mod snapshot;
mod status;
mod terminal;

pub use arguments::{Arguments, AttachArguments, Command, Format, ProveArguments};
pub use exit::Exit;

use std::time::Duration;

use crate::probes::wait_for_detaching;

/// The kernel needs a tenth of a second for a probe; whoever waits at a terminal does so no longer.
const DETACH_GRACE: Duration = Duration::from_secs(5);

/// An error and its causes in one line. Many of our errors tell their cause themselves, so that they
/// can be shown alone; what was told is not said again.
#[must_use]
pub fn message(error: &anyhow::Error) -> String {
    let mut message = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !message.contains(&cause) {
            message.push_str(": ");
            message.push_str(&cause);
        }
    }
    message
}

/// Runs one command.
///
/// # Errors
/// What went wrong, with its causes.
pub fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let ended = match arguments.command {
        Command::Attach(arguments) => attach::run(&arguments),
        Command::Snapshot(arguments) => snapshot::run(&arguments),
        Command::Prove(arguments) => prove::run(&arguments),
        Command::History(arguments) => history::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
    };
    let left = wait_for_detaching(DETACH_GRACE);
    if left > 0 {
        tracing::warn!(
            "the kernel has not taken away {left} probes after {} s; their breakpoints may stay \
             in the program, which goes on, slower at these places, until it is restarted",
            DETACH_GRACE.as_secs()
        );
    }
    ended
}
