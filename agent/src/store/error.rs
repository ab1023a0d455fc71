//! What can be wrong with the database. None of it ends the watching, and nothing is ever done about
//! the file: whose it is decides.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;
use thiserror::Error;

use super::VERSION;

/// Why there is no memory of the past.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such file to read.
    #[error("{path}: there is no such file; `gostray attach` makes one while it watches")]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// Its directory is not there.
    #[error(
        "{path}: its directory is not there; make it, or choose another file (`--history FILE`)"
    )]
    NoDirectory {
        /// The database.
        path: PathBuf,
    },
    /// A directory has that name.
    #[error("{path}: this is a directory; name a file in it")]
    IsDirectory {
        /// The database.
        path: PathBuf,
    },
    /// A device, pipe or socket has that name.
    #[error("{path}: not a regular file; name one, or a new one")]
    NotAFile {
        /// The database.
        path: PathBuf,
    },
    /// Not allowed.
    #[error("{path}: access was denied; run as root, or choose another file (`--history FILE`)")]
    Denied {
        /// The database.
        path: PathBuf,
    },
    /// It cannot be written to.
    #[error(
        "{path}: it is read-only, or on a file system that is; allow writing, or choose another file \
         (`--history FILE`)"
    )]
    ReadOnly {
        /// The database.
        path: PathBuf,
    },
    /// Somebody else keeps it to himself.
    #[error(
        "{path}: another process keeps it locked; end what holds it (`fuser {path}` names it), or \
         choose another file (`--history FILE`)"
    )]
    Locked {
        /// The database.
        path: PathBuf,
    },
    /// No room.
    #[error(
        "{path}: no room for more, on the disk or within the size it may have; make room, or move the \
         file away to begin anew"
    )]
    Full {
        /// The database.
        path: PathBuf,
    },
    /// It is no database, or a damaged one.
    #[error(
        "{path}: damaged, or no SQLite database; it was left as it is: move it away to begin anew, or \
         try `sqlite3 {path} .recover`"
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
    },
    /// A database, but not ours.
    #[error("{path}: this is another program's SQLite database; choose another file")]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// A newer gostray made it.
    #[error(
        "{path}: made by a newer gostray (version {found} of the database, this one knows {VERSION}); use \
         that one, or choose another file (`--history FILE`)"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// What the operating system said.
    #[error("{path}: {source}")]
    Io {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Anything else that SQLite said.
    #[error("{path}: {source}")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Sorts what the operating system said about `path`.
    pub(crate) fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => Self::NoDirectory { path },
            Some(libc::EACCES | libc::EPERM) => Self::Denied { path },
            Some(libc::EROFS) => Self::ReadOnly { path },
            Some(libc::EISDIR) => Self::IsDirectory { path },
            Some(libc::ENOSPC | libc::EDQUOT) => Self::Full { path },
            _ => Self::Io { path, source },
        }
    }

    /// Sorts what SQLite said about `path`.
    pub(crate) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { path },
            Some(ErrorCode::PermissionDenied) => Self::Denied { path },
            _ => match source {
                // A value of another type than we wrote, or a table that is not there any more.
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnName(..) => Self::Corrupt { path },
                source => Self::Sqlite { path, source },
            },
        }
    }

    /// Whether it may go away by itself.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }
}
