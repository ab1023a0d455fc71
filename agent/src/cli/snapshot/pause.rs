//! The time between two snapshots.

use std::{
    io::{self, IsTerminal as _, Write as _},
    os::fd::AsFd as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use crate::{cli::signals, session::Inspected, target::Vitality};

/// How often one looks whether the process is still the same program, which nothing tells.
const LOOK: Duration = Duration::from_secs(1);

/// Waits for `time`, or until Ctrl-C, and tells on stderr how long it takes.
///
/// # Errors
/// The process ended or became another program; SIGTERM or SIGHUP came.
pub(super) fn pause(inspected: &Inspected, goroutines: u64, time: Duration) -> anyhow::Result<()> {
    // Only from here on: before, Ctrl-C is to end the command as ever.
    let signals = signals::receive().context("cannot receive signals")?;
    let end = Instant::now() + time;
    let mut progress = Progress::new(goroutines);
    loop {
        still_there(inspected)?;
        let left = end.saturating_duration_since(Instant::now());
        progress.show(left);
        if left.is_zero() {
            break;
        }
        // Rounded up, so as not to wake a little early and then again.
        let millis = left.min(LOOK).as_micros().div_ceil(1000);
        let mut fds = [
            PollFd::new(inspected.lifetime.ended(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        let timeout = PollTimeout::from(u16::try_from(millis).unwrap_or(u16::MAX));
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).context("waiting for the process and for signals"),
        }
        if fds[1].any() == Some(true)
            && let Some(signal) = signals.read_signal().context("reading a signal")?
        {
            if i32::try_from(signal.ssi_signo) == Ok(libc::SIGINT) {
                break;
            }
            bail!("ended by a signal before the second snapshot");
        }
    }
    signals::release().context("cannot leave signals to the kernel")
}

/// Whether the process still runs the program it ran.
///
/// # Errors
/// It does not.
pub(super) fn still_there(inspected: &Inspected) -> anyhow::Result<()> {
    let pid = inspected.process.pid();
    match inspected.lifetime.vitality() {
        Vitality::Alive => Ok(()),
        Vitality::Ended => {
            bail!("process {pid} ended before the second snapshot; there is nothing to compare")
        }
        Vitality::Replaced => bail!(
            "process {pid} became another program (execve) before the second snapshot; \
             there is nothing to compare"
        ),
    }
}

/// Tells once how long it takes; a terminal is told each second, in one line that is taken away
/// in the end.
struct Progress {
    goroutines: u64,
    terminal: bool,
    told: bool,
}

impl Progress {
    fn new(goroutines: u64) -> Self {
        Self {
            goroutines,
            terminal: io::stderr().is_terminal(),
            told: false,
        }
    }

    fn show(&mut self, left: Duration) {
        if self.told && !self.terminal {
            return;
        }
        let line = format!(
            "{} goroutines; the second snapshot in {} s, with Ctrl-C now",
            self.goroutines,
            left.as_secs_f64().ceil()
        );
        self.told = true;
        // Progress that nobody can read is no reason to fail.
        let _ = if self.terminal {
            write!(io::stderr(), "\r\x1b[K{line}")
        } else {
            writeln!(io::stderr(), "{line}")
        };
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && self.told {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
