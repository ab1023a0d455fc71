//! Why a file could not be understood.

use std::path::PathBuf;

use crate::memory::FileChanged;

/// Why a file, or a part of it, could not be understood. Tests and callers match on the variant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinaryError {
    /// The file could not be opened or mapped.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The file does not begin with the ELF magic.
    #[error("not an ELF file; gostray looks into Linux programs only")]
    NotElf,
    /// A valid file of a kind that gostray does not handle.
    #[error(
        "not supported: {what}; gostray handles 64-bit little-endian x86-64 and arm64 Linux programs"
    )]
    NotSupported {
        /// What it is that is not handled.
        what: String,
    },
    /// A part of the file lies outside the file.
    #[error("{what} at offset {offset:#x} lies beyond the end of the file; is it complete?")]
    Truncated {
        /// The part.
        what: &'static str,
        /// Where it was to be, from the start of the file.
        offset: u64,
    },
    /// A part of the file contradicts itself or the rest.
    #[error(
        "{what} at offset {offset:#x} is malformed: {reason}; if the program runs, please report this"
    )]
    Malformed {
        /// The part.
        what: &'static str,
        /// Where it is: from the start of the file, or of the part where that is said.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No Go build information: some other language, or an object that is no program.
    #[error(
        "no Go build information found; this is not a Go program, or it was packed (UPX) or edited"
    )]
    NotGo,
    /// A Go release before the supported window.
    #[error("built with {version}; gostray supports Go 1.18 to 1.27: rebuild with a newer Go")]
    GoTooOld {
        /// As the binary states it, or what is known of it.
        version: String,
    },
    /// A Go release after the supported window.
    #[error("built with {version}; this gostray supports Go 1.18 to 1.27: use a newer gostray")]
    GoTooNew {
        /// As the binary states it.
        version: String,
    },
    /// The file changed while it was read.
    #[error(transparent)]
    FileChanged(#[from] FileChanged),
}
