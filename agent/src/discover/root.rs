//! Files as a process sees them, opened so that none of its links leads out of its root directory.
//!
//! `/proc/PID/root` leads into a container's files, but links in there are followed from there on by the
//! rules of whoever follows: an absolute one leads to the agent's own root. Whoever controls the container
//! could so have the agent, which may read everything, read any file of the machine. `openat2` resolves all of a path,
//! links included, with the container's root as the root.

use std::{
    fs::File,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use thiserror::Error;

use super::proc_files;

/// Why a file of a process was not read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RootError {
    /// Not there, or not to be opened; also what a link leads to that is none of a file system's own.
    #[error("{path} in the root directory of a process: {source}")]
    Open {
        /// As the process names it.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A folder, FIFO, socket or device.
    #[error("{path} in the root directory of a process is no regular file and was not opened")]
    NotAFile {
        /// As the process names it.
        path: PathBuf,
    },
    /// Longer than is believed.
    #[error("{path} in the root directory of a process has more than {limit} bytes")]
    TooLong {
        /// As the process names it.
        path: PathBuf,
        /// How many were allowed.
        limit: u64,
    },
    /// Before Linux 5.6, or forbidden by a filter of system calls.
    #[error(
        "files of processes are not read: this kernel has no openat2 (Linux 5.6), without which their \
         links could lead anywhere"
    )]
    NoOpenat2,
}

/// The root directory of a process.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
}

impl Root {
    /// That of process `pid`.
    ///
    /// # Errors
    /// It is gone, or we may not look.
    pub fn of_process(pid: i32) -> Result<Self, RootError> {
        Self::at(Path::new(&format!("/proc/{pid}/root")))
    }

    /// The folder at `path` as the root, to which `path` itself may be a link.
    ///
    /// # Errors
    /// It is none, or we may not look.
    pub fn at(path: &Path) -> Result<Self, RootError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(path, flags, Mode::empty()).map_err(|error| RootError::Open {
            path: path.to_owned(),
            source: error.into(),
        })?;
        Ok(Self { folder })
    }

    /// What the regular file at `path` holds, at most `limit` bytes. May wait as long as the file's
    /// file system likes.
    ///
    /// # Errors
    /// It is none, is longer, cannot be read; or the kernel cannot keep links from leading out.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, RootError> {
        let failed = |source| RootError::Open {
            path: path.to_owned(),
            source,
        };
        // Only named at first: opening a device can already do something.
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let named = match openat2(&self.folder, path, flags, Mode::empty(), resolve) {
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                return Err(RootError::NoOpenat2);
            }
            named => named.map_err(|error| failed(error.into()))?,
        };
        let stat = fstat(&named).map_err(|error| failed(error.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(RootError::NotAFile {
                path: path.to_owned(),
            });
        }
        // The very file that was looked at: the link leads to it, whatever its name means by now.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let link = format!("/proc/self/fd/{}", named.as_raw_fd());
        let file = rustix::fs::openat(CWD, link, flags, Mode::empty())
            .map_err(|error| failed(error.into()))?;
        let contents = proc_files::bounded(&File::from(file), limit).map_err(failed)?;
        if contents.is_cut {
            return Err(RootError::TooLong {
                path: path.to_owned(),
                limit,
            });
        }
        Ok(contents.bytes)
    }
}

#[cfg(test)]
mod tests;
