//! Signals that end a command, as a file descriptor.

use nix::sys::{
    signal::{SigSet, Signal, raise},
    signalfd::{SfdFlags, SignalFd, siginfo},
};

/// Ctrl-C, `kill` and a closed terminal.
fn set() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])
}

/// From now on they end nothing by themselves.
pub(super) fn receive() -> nix::Result<SignalFd> {
    receive_all(&set())
}

/// As [`receive`], and Ctrl-Z stops nothing by itself.
pub(super) fn receive_stops_too() -> nix::Result<SignalFd> {
    let mut set = set();
    set.add(Signal::SIGTSTP);
    receive_all(&set)
}

/// Whether `signal` is Ctrl-Z.
pub(super) fn is_stop(signal: &siginfo) -> bool {
    i32::try_from(signal.ssi_signo) == Ok(Signal::SIGTSTP as i32)
}

/// What Ctrl-Z would have done; returns when the shell lets the process go on.
pub(super) fn stop() -> nix::Result<()> {
    raise(Signal::SIGSTOP)
}

fn receive_all(set: &SigSet) -> nix::Result<SignalFd> {
    set.thread_block()?;
    SignalFd::with_flags(set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// They do again.
pub(super) fn release() -> nix::Result<()> {
    set().thread_unblock()
}
