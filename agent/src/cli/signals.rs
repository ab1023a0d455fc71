//! Signals that end a command, as a file descriptor.

use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};

/// Ctrl-C, `kill` and a closed terminal.
fn set() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])
}

/// From now on they end nothing by themselves.
pub(super) fn receive() -> nix::Result<SignalFd> {
    let set = set();
    set.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// They do again.
pub(super) fn release() -> nix::Result<()> {
    set().thread_unblock()
}
