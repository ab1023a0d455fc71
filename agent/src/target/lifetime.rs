//! Noticing, without polling `/proc`, that a process ended or became another program.

use std::{
    fs::File,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt as _,
    },
};

use rustix::process::{PidfdFlags, pidfd_open};

use super::{Process, TargetError};
use crate::binary::RuntimeAddress;

/// For how long one without its memory may still be about to end: then it has not been replaced.
const DYING: i64 = 200_000_000;

/// What has become of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vitality {
    /// It runs the program it ran when it was opened.
    Alive,
    /// It called `execve`: same pid, other memory.
    Replaced,
    /// It ended.
    Ended,
}

/// Two handles that a reuse of the pid cannot fool.
#[derive(Debug)]
pub struct Lifetime {
    pidfd: OwnedFd,
    /// Belongs to the memory the process had when it was opened, not to the pid: it reads nothing
    /// any more once that memory is gone.
    memory: File,
    mapped: RuntimeAddress,
}

impl Lifetime {
    /// Begins to watch over `process`, of which `mapped` is an address that stays readable as
    /// long as it runs this program: its code.
    ///
    /// # Errors
    /// It is gone, or we may not look.
    pub fn watch(process: &Process, mapped: RuntimeAddress) -> Result<Self, TargetError> {
        let pid = process.pid();
        let raw = rustix::process::Pid::from_raw(pid).ok_or(TargetError::NoSuchProcess { pid })?;
        let pidfd = pidfd_open(raw, PidfdFlags::empty())
            .map_err(|e| TargetError::from_io(pid, "opening a pidfd", e.into()))?;
        let memory = File::open(format!("/proc/{pid}/mem"))
            .map_err(|e| TargetError::from_io(pid, "opening its memory", e))?;
        // The handles are of this pid; were they opened in time, the identity is still the same.
        if Process::open(pid)?.identity != process.identity {
            return Err(TargetError::NoSuchProcess { pid });
        }
        Ok(Self {
            pidfd,
            memory,
            mapped,
        })
    }

    /// Becomes readable when the process ends.
    #[must_use]
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// What has become of it.
    #[must_use]
    pub fn vitality(&self) -> Vitality {
        let mut byte = [0];
        let same_memory =
            matches!(self.memory.read_at(&mut byte, self.mapped.0), Ok(read) if read > 0);
        if same_memory {
            return Vitality::Alive;
        }
        // One that is killed loses its memory a moment before it ends.
        let timeout = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: DYING,
        };
        let mut fds = [rustix::event::PollFd::new(
            &self.pidfd,
            rustix::event::PollFlags::IN,
        )];
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(0) => Vitality::Replaced,
            _ => Vitality::Ended,
        }
    }
}
