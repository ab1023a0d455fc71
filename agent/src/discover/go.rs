//! Whether the program that a process runs is a Go program.
//!
//! A busy machine starts thousands of programs, nearly all of files that were started before. So what is
//! known is known of the file, and asking for a file known costs one system call.

use std::{
    collections::{HashMap, HashSet},
    fs::{File, OpenOptions},
    os::{fd::AsFd, unix::fs::OpenOptionsExt as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::{
    fs::{AtFlags, CWD, Statx, StatxFlags, statx},
    io::Errno,
};

use super::patience::{self, Impatience};
use crate::{
    binary::{BinaryError, BuildInfo, ElfView},
    memory::{FileIdentity, MappedFile},
};

/// Files remembered. A compiler's tests are a new file each time; then all are forgotten now and again, and
/// looked at once more.
const MAX_FILES: usize = 8192;
/// For looking at one new file; what takes longer goes on, and counts when it is done.
const PATIENCE: Duration = Duration::from_millis(20);
/// A process that goes from program to program while it is looked at has another chance.
const ATTEMPTS: usize = 3;

/// What is known of a process's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is one, of whatever release.
    Go(FileIdentity),
    /// It is none.
    Other,
    /// No program to look at: the process is gone, or one of the kernel's own.
    Nothing,
    /// It is being found out, and takes its time.
    Pending,
    /// It could not be found out this time.
    Unknown,
}

/// Files that were looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct GoFiles(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    known: HashMap<FileIdentity, bool>,
    /// Those that are looked at just now.
    pending: HashSet<FileIdentity>,
}

impl GoFiles {
    /// Asks for the program of process `pid`.
    pub(super) fn ask(&self, pid: i32) -> Answer {
        let path = format!("/proc/{pid}/exe");
        for _ in 0..ATTEMPTS {
            let identity = match identity_at(&path) {
                Ok(Some(identity)) => identity,
                Ok(None) => return Answer::Other,
                Err(Errno::NOENT | Errno::SRCH) => return Answer::Nothing,
                Err(error) => {
                    tracing::debug!(pid, %error, "the executable of a process is not known");
                    return Answer::Unknown;
                }
            };
            match self.lock().known.get(&identity) {
                Some(true) => return Answer::Go(identity),
                Some(false) => return Answer::Other,
                None => {}
            }
            // Afterwards it may turn out that it was another file than the one asked for.
            if let Err(answer) = self.look(pid, &path, identity) {
                return answer;
            }
        }
        Answer::Unknown
    }

    /// Looks at the file and remembers what it is. The error is the answer if that is not done now.
    fn look(&self, pid: i32, path: &str, asked: FileIdentity) -> Result<(), Answer> {
        if !self.lock().pending.insert(asked) {
            return Err(Answer::Pending);
        }
        let (files, path) = (self.clone(), path.to_owned());
        let looked = patience::within(PATIENCE, move || {
            let looked = look_into(&path);
            let mut files = files.lock();
            files.pending.remove(&asked);
            // It has ended meanwhile, which the next question finds out.
            if let Some((identity, is_go)) = looked? {
                if files.known.len() >= MAX_FILES {
                    files.known.clear();
                }
                files.known.insert(identity, is_go);
            }
            Ok::<(), BinaryError>(())
        });
        match looked {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(pid, %error, "an executable could not be looked at");
                Err(Answer::Unknown)
            }
            Err(Impatience::TookTooLong(_)) => Err(Answer::Pending),
            Err(error) => {
                tracing::warn!(pid, %error, "an executable could not be looked at");
                self.lock().pending.remove(&asked);
                Err(Answer::Unknown)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        // Consistent between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many files are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().known.len()
    }
}

/// The file and whether it is a Go program; `None` if there is no process any more.
fn look_into(path: &str) -> Result<Option<(FileIdentity, bool)>, BinaryError> {
    let failed = |source: std::io::Error| BinaryError::Io {
        path: path.into(),
        source,
    };
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {
            return Ok(None);
        }
        opened => opened.map_err(failed)?,
    };
    let Some(identity) = identity_of(&file).map_err(|error| failed(error.into()))? else {
        return Ok(None);
    };
    let mapped = MappedFile::from_file(&file).map_err(failed)?;
    let is_go = is_go(&mapped);
    mapped.check()?;
    Ok(Some((identity, is_go)))
}

/// Whether a file holds Go's build information. A release that is too old or too new is Go too: that it cannot be
/// watched is said when it is inspected.
fn is_go(file: &[u8]) -> bool {
    let Ok(elf) = ElfView::parse(file) else {
        return false;
    };
    // Where there are sections the linker has made one for it. The search through all data, which may be
    // hundreds of megabytes, is for files without.
    let named = [".go.buildinfo", ".gopclntab"];
    let is_possible =
        elf.sections().is_empty() || named.iter().any(|name| elf.section(name).is_some());
    is_possible
        && match BuildInfo::read(&elf) {
            Ok(_) | Err(BinaryError::GoTooOld { .. } | BinaryError::GoTooNew { .. }) => true,
            Err(BinaryError::NotGo) => elf.section(".gopclntab").is_some(),
            Err(_) => true,
        }
}

/// Without asking whoever serves the file system: the kernel has what it was told when the program was
/// started.
const FLAGS: AtFlags = AtFlags::STATX_DONT_SYNC;

fn wanted() -> StatxFlags {
    StatxFlags::TYPE | StatxFlags::INO | StatxFlags::SIZE | StatxFlags::MTIME
}

/// Which file `path` leads to; `None` if it is no regular one.
fn identity_at(path: &str) -> Result<Option<FileIdentity>, Errno> {
    Ok(identity(&statx(CWD, path, FLAGS, wanted())?))
}

fn identity_of(file: &File) -> Result<Option<FileIdentity>, Errno> {
    let flags = FLAGS | AtFlags::EMPTY_PATH;
    Ok(identity(&statx(file.as_fd(), "", flags, wanted())?))
}

fn identity(found: &Statx) -> Option<FileIdentity> {
    let mode = rustix::fs::RawMode::from(found.stx_mode);
    let is_file = rustix::fs::FileType::from_raw_mode(mode) == rustix::fs::FileType::RegularFile;
    is_file.then(|| FileIdentity {
        device: rustix::fs::makedev(found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
        size: found.stx_size,
        mtime: i128::from(found.stx_mtime.tv_sec) * 1_000_000_000
            + i128::from(found.stx_mtime.tv_nsec),
    })
}

#[cfg(test)]
mod tests {
    use super::super::running::Running;
    use super::*;

    /// With all the time that looking takes on a busy machine.
    fn answer(files: &GoFiles, pid: i32) -> Answer {
        loop {
            match files.ask(pid) {
                Answer::Pending => std::thread::yield_now(),
                answer => return answer,
            }
        }
    }

    #[test]
    fn other_programs_are_looked_at_once() {
        let files = GoFiles::default();
        let (one, two) = (Running::start(&[]), Running::start(&[]));
        assert_eq!(answer(&files, one.pid()), Answer::Other);
        assert_eq!(files.ask(two.pid()), Answer::Other);
        assert_eq!(files.len(), 1);
        let gone = one.pid();
        drop(one);
        assert_eq!(files.ask(gone), Answer::Nothing);
    }

    #[test]
    fn nobody_waits_twice_for_a_file() {
        let files = GoFiles::default();
        let running = Running::start(&[]);
        let identity = identity_at(&format!("/proc/{}/exe", running.pid()));
        let identity = identity.expect("it runs").expect("a file");
        files.lock().pending.insert(identity);
        assert_eq!(files.ask(running.pid()), Answer::Pending);
        // Whoever looked at it is done.
        files.lock().pending.remove(&identity);
        files.lock().known.insert(identity, true);
        assert_eq!(files.ask(running.pid()), Answer::Go(identity));
    }

    #[test]
    fn the_kernels_own_have_no_program() {
        // Of a machine's own process 2; in a container there is none, or another.
        if std::fs::read_to_string("/proc/2/comm").is_ok_and(|name| name == "kthreadd\n") {
            assert_eq!(GoFiles::default().ask(2), Answer::Nothing);
        }
    }

    #[test]
    fn the_memory_of_files_is_bounded() {
        let files = GoFiles::default();
        let identity = |inode| FileIdentity {
            device: 0,
            inode,
            size: 0,
            mtime: 0,
        };
        files.lock().known = (0..8192).map(|n| (identity(n), false)).collect();
        let running = Running::start(&[]);
        assert_eq!(answer(&files, running.pid()), Answer::Other);
        assert_eq!(files.len(), 1);
    }

    #[test]
    fn what_is_no_program_is_no_go_program() {
        assert!(!is_go(b""));
        assert!(!is_go(b"#!/bin/sh\n"));
        assert!(!is_go(b"\x7fELF\x02\x01\x01"));
        let own = std::fs::read("/proc/self/exe").expect("it is there");
        assert!(!is_go(&own), "Rust");
    }
}
