//! Why sinks cannot be started.

use std::{io, path::PathBuf};

/// A section that cannot be used, though each value in it is one that can be.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file that a section names.
    #[error("[{section}] {key}: {}: {source}", path.display())]
    File {
        /// Of which section.
        section: &'static str,
        /// Its key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A value that cannot be, or not with another.
    #[error("[{section}] {key}: {reason}")]
    Value {
        /// Of which section.
        section: &'static str,
        /// Its key, or a variable of the agent's environment.
        key: String,
        /// What is wrong, without secrets, and what to do.
        reason: String,
    },
    /// No thread, or nothing to wait on.
    #[error("cannot start the thread that exports: {0}")]
    Thread(#[from] io::Error),
}
