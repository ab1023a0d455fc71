//! What can be wrong with a process one wants to look at.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a process cannot be watched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Nobody has this pid.
    #[error("no process has pid {pid}; it may have ended (`pgrep -a NAME` lists what runs)")]
    NoSuchProcess {
        /// The pid asked for.
        pid: i32,
    },
    /// The number is a thread's, not its process's.
    #[error("{tid} is a thread of process {pid}, not a process; use {pid}")]
    ThreadId {
        /// The number asked for.
        tid: i32,
        /// The process that thread belongs to.
        pid: i32,
    },
    /// It runs inside the kernel.
    #[error("process {pid} is a kernel thread and has no program to look at")]
    KernelThread {
        /// The pid asked for.
        pid: i32,
    },
    /// It has ended; only its exit status is left.
    #[error("process {pid} has ended and waits to be reaped by its parent")]
    Zombie {
        /// The pid asked for.
        pid: i32,
    },
    /// No process has that name.
    #[error("no process is called `{name}` (`pgrep -a {name}` searches more loosely)")]
    NoSuchName {
        /// The name asked for.
        name: String,
    },
    /// Several have.
    #[error("{} processes are called `{name}`: pids {}; choose one", pids.len(), list(pids))]
    AmbiguousName {
        /// The name asked for.
        name: String,
        /// All that have it.
        pids: Vec<i32>,
    },
    /// The executable's code is not mapped where its program headers say.
    #[error("process {pid} does not map the code of {path}; it may be starting or ending")]
    NotMapped {
        /// The process.
        pid: i32,
        /// Its executable.
        path: PathBuf,
    },
    /// Not allowed.
    #[error(
        "process {pid}: {what} was denied; run as root, or grant CAP_SYS_PTRACE \
         (`gostray doctor {pid}` says what is missing)"
    )]
    Denied {
        /// The process.
        pid: i32,
        /// What was attempted.
        what: &'static str,
    },
    /// Anything else the kernel said.
    #[error("process {pid}: {what}: {source}")]
    Io {
        /// The process.
        pid: i32,
        /// What was attempted.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl TargetError {
    /// Sorts what the kernel said about an attempt to look at `pid`.
    pub(crate) fn from_io(pid: i32, what: &'static str, source: io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::ENOENT | libc::ESRCH) => Self::NoSuchProcess { pid },
            Some(libc::EACCES | libc::EPERM) => Self::Denied { pid, what },
            _ => Self::Io { pid, what, source },
        }
    }

    /// As [`Self::from_io`], for what the `procfs` crate gives.
    pub(crate) fn from_procfs(pid: i32, what: &'static str, error: procfs::ProcError) -> Self {
        match error {
            procfs::ProcError::PermissionDenied(_) => Self::Denied { pid, what },
            procfs::ProcError::NotFound(_) => Self::NoSuchProcess { pid },
            procfs::ProcError::Io(source, _) => Self::from_io(pid, what, source),
            other => Self::Io {
                pid,
                what,
                source: io::Error::other(other),
            },
        }
    }
}

fn list(pids: &[i32]) -> String {
    let pids: Vec<_> = pids.iter().map(i32::to_string).collect();
    pids.join(", ")
}
