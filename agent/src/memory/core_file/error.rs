//! Why a file is of no use as a core file.

use std::{fmt, io};

use thiserror::Error;

use crate::memory::FileChanged;

/// Why a core file could not be understood. Tests and callers match on the variant.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoreFileError {
    /// The file could not be opened or mapped.
    #[error("cannot be read: {0}")]
    Io(#[source] io::Error),
    /// Nothing is in it.
    #[error("empty; the disk was full, or `ulimit -c` was 0, when the program crashed")]
    Empty,
    /// A packed core file, as systemd and others keep them.
    #[error("compressed with {format}; unpack it first with `{command}`")]
    Compressed {
        /// The format.
        format: &'static str,
        /// What unpacks it.
        command: &'static str,
    },
    /// The file does not begin with the ELF magic.
    #[error("not an ELF file, so no core file")]
    NotElf,
    /// An ELF file of another kind.
    #[error(
        "{found}, not a core file; `--core` takes the core file and `--exe` the program that made it"
    )]
    NotCore {
        /// What it is.
        found: &'static str,
    },
    /// A core file that gostray does not handle.
    #[error(
        "not supported: {what}; gostray handles core files of 64-bit little-endian x86-64 and arm64 Linux programs"
    )]
    NotSupported {
        /// What it is that is not handled.
        what: String,
    },
    /// Not even the headers are whole.
    #[error(
        "cut short: {what} should end at byte {end}, and the file has {size}; make a new one, with room on the disk and `ulimit -c unlimited`"
    )]
    HeadersCutShort {
        /// The part.
        what: &'static str,
        /// Where it should end, from the start of the file.
        end: u64,
        /// Size of the file in bytes.
        size: u64,
    },
    /// A part of the file contradicts itself.
    #[error("{what} is malformed: {reason}")]
    Malformed {
        /// The part.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file changed while it was read.
    #[error(transparent)]
    FileChanged(#[from] FileChanged),
}

/// The headers of a core file promise more than the file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortfall {
    /// Size of the file in bytes.
    pub present: u64,
    /// The size it should have, in bytes.
    pub expected: u64,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { present, expected } = self;
        write!(f, "cut short: {present} of {expected} bytes are there")
    }
}
