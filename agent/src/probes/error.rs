//! Everything that can go wrong between a target and its probes.

use std::io;

use thiserror::Error;

use super::site::SiteError;
use crate::binary::{FileOffset, RuntimeAddress};

/// Why probes are not attached, or cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The agent was built with `GOSTRAY_SKIP_EBPF=1`.
    #[error("this gostray was built without its eBPF object; build it without GOSTRAY_SKIP_EBPF")]
    NoObject,
    /// No instruction to attach to.
    #[error("no place for the {probe} probe: {source}")]
    NoSite {
        /// Which probe.
        probe: &'static str,
        /// Why.
        source: SiteError,
    },
    /// The instruction is not in a file-backed segment.
    #[error("the {probe} probe's instruction is not in the file")]
    NotInFile {
        /// Which probe.
        probe: &'static str,
    },
    /// The target's memory does not hold what its file says.
    #[error(
        "the target's code at {address} is not what its file says ({found}, not {expected}); \
         nothing was attached"
    )]
    CodeDiffers {
        /// Where.
        address: RuntimeAddress,
        /// Bytes in memory, hexadecimal.
        found: String,
        /// Bytes in the file, hexadecimal.
        expected: String,
    },
    /// The target's code could not be read.
    #[error("the target's code cannot be checked: {0}")]
    Unreadable(#[from] crate::memory::MemoryError),
    /// Not allowed to load or attach.
    #[error(
        "the kernel denied {what}; run as root, or with CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE \
         and CAP_SYS_ADMIN (`gostray doctor` says what is missing)"
    )]
    Denied {
        /// What was attempted.
        what: &'static str,
    },
    /// The kernel's verifier or loader refused a program.
    #[error("the kernel refused the {program} program: {reason}")]
    Refused {
        /// Which program.
        program: &'static str,
        /// The kernel's reason, in one line.
        reason: String,
        /// All the verifier said.
        verifier_log: String,
    },
    /// The object could not be loaded.
    #[error("the eBPF object could not be loaded: {0}")]
    Load(String),
    /// The programs could not be tried on the agent itself.
    #[error(
        "what a probe costs here could not be measured: {0}; `--no-probes` watches without any"
    )]
    Uncalibrated(Box<Self>),
    /// The kernel refused a probe.
    #[error("the {probe} probe could not be attached at file offset {offset}: {reason}")]
    Attach {
        /// Which probe.
        probe: &'static str,
        /// Where.
        offset: FileOffset,
        /// The kernel's reason.
        reason: String,
    },
    /// A map could not be read or written.
    #[error("the kernel map {map} could not be {action}: {source}")]
    Map {
        /// Which map.
        map: &'static str,
        /// `read` or `written`.
        action: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The object lacks a map or program this agent knows: they were built apart.
    #[error("the eBPF object has no {0}; agent and object do not belong together")]
    Missing(&'static str),
}
