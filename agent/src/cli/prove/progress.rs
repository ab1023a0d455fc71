//! How far a proof has come, in one line of the terminal that is taken away in the end.

use std::{
    io::{self, IsTerminal as _, Write as _},
    os::fd::AsFd as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, raise},
};

use crate::{
    cli::signals,
    report::size,
    session::{Phase, Progress},
};

/// Time between two lines: enough to be seen to move.
const BETWEEN: Duration = Duration::from_millis(200);

/// Takes the line away.
const ERASE: &[u8] = b"\r\x1b[K";

/// Shows progress on stderr, if that is a terminal.
pub(super) struct Shown {
    wanted: bool,
    told: Option<(Instant, Phase)>,
}

impl Shown {
    /// Nothing is shown yet. From here on, where there will be, Ctrl-C takes the line away before it ends
    /// the command.
    pub(super) fn start(unwanted: bool) -> anyhow::Result<Self> {
        let wanted = !unwanted && io::stderr().is_terminal();
        if wanted {
            clean_up_when_interrupted().context("cannot receive signals")?;
        }
        Ok(Self { wanted, told: None })
    }

    /// Shows it, unless it was only just shown.
    pub(super) fn show(&mut self, progress: Progress) {
        if !self.wanted {
            return;
        }
        let now = Instant::now();
        if self
            .told
            .is_some_and(|(at, phase)| phase == progress.phase && now < at + BETWEEN)
        {
            return;
        }
        self.told = Some((now, progress.phase));
        // Progress that nobody can read is no reason to fail.
        let mut line = ERASE.to_vec();
        line.extend_from_slice(words(progress).as_bytes());
        let _ = io::stderr().write_all(&line);
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if self.told.is_some() {
            let _ = io::stderr().write_all(ERASE);
        }
    }
}

/// Nothing has to be undone but the line, so a thread of its own can end the command at once, wherever
/// it is: and by the signal itself, which shells want to see.
fn clean_up_when_interrupted() -> io::Result<()> {
    let signals = signals::receive()?;
    let wait = move || {
        loop {
            let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::NONE).is_err() {
                continue;
            }
            if let Ok(Some(signal)) = signals.read_signal() {
                let _ = io::stderr().write_all(ERASE);
                let number = i32::try_from(signal.ssi_signo).unwrap_or(libc::SIGINT);
                let signal = Signal::try_from(number).unwrap_or(Signal::SIGINT);
                let _ = signals::release();
                let _ = raise(signal);
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(())
}

fn words(progress: Progress) -> String {
    let Progress {
        pass,
        passes,
        bytes_done,
        bytes_expected,
        phase,
    } = progress;
    let what = match phase {
        Phase::Candidates => "goroutines".into(),
        Phase::Marking if bytes_expected == 0 => size(bytes_done),
        // What it grows by while it is read was not expected.
        Phase::Marking => format!(
            "{} of about {}",
            size(bytes_done),
            size(bytes_expected.max(bytes_done))
        ),
        Phase::Retained => "what the leaked ones retain".into(),
        Phase::Pause => return format!("pass {pass} of {passes} is done; waiting for the next"),
    };
    format!("pass {pass} of {passes}: {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let at = |phase, bytes_done, bytes_expected| {
            words(Progress {
                pass: 2,
                passes: 3,
                bytes_done,
                bytes_expected,
                phase,
            })
        };
        let (mib, gib) = (1 << 20, 1 << 30);
        assert_eq!(at(Phase::Candidates, 0, 0), "pass 2 of 3: goroutines");
        assert_eq!(
            at(Phase::Marking, 412 * mib, gib),
            "pass 2 of 3: 412.0 MiB of about 1.0 GiB"
        );
        assert_eq!(at(Phase::Marking, 412 * mib, 0), "pass 2 of 3: 412.0 MiB");
        assert_eq!(
            at(Phase::Marking, 2 * gib, gib),
            "pass 2 of 3: 2.0 GiB of about 2.0 GiB"
        );
        assert_eq!(
            at(Phase::Retained, gib, gib),
            "pass 2 of 3: what the leaked ones retain"
        );
        assert_eq!(
            at(Phase::Pause, gib, gib),
            "pass 2 of 3 is done; waiting for the next"
        );
    }
}
