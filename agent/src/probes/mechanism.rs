//! How a program comes to an instruction of a process. One small interface, because the kernel
//! has several ways and the best one depends on its release.

use std::{num::NonZeroU32, path::Path};

use aya::programs::{
    ProgramError, UProbe,
    uprobe::{UProbeLink, UProbeScope},
};

use super::{ProbeError, ProbeKind};
use crate::binary::FileOffset;

/// Where to attach.
#[derive(Clone, Copy, Debug)]
pub struct AttachPoint<'a> {
    /// Which event.
    pub kind: ProbeKind,
    /// Opens the executable.
    pub exe: &'a Path,
    /// The instruction in it.
    pub offset: FileOffset,
    /// Fire for all threads of this process, and no other.
    pub pid: NonZeroU32,
}

/// A live attachment. Dropping it detaches, which blocks for 40 to 250 ms.
#[derive(Debug)]
pub struct Attachment {
    _link: UProbeLink,
}

/// A way to attach.
pub trait Mechanism {
    /// For `doctor` and reports.
    fn name(&self) -> &'static str;

    /// Attaches a loaded program.
    ///
    /// # Errors
    /// The kernel does not allow it.
    fn attach(
        &self,
        program: &mut UProbe,
        point: &AttachPoint<'_>,
    ) -> Result<Attachment, ProbeError>;
}

/// One perf event for each probe. Needs CAP_SYS_ADMIN; works on every kernel with uprobes.
#[derive(Clone, Copy, Debug, Default)]
pub struct PerfUprobes;

impl Mechanism for PerfUprobes {
    fn name(&self) -> &'static str {
        "perf uprobes"
    }

    fn attach(
        &self,
        program: &mut UProbe,
        point: &AttachPoint<'_>,
    ) -> Result<Attachment, ProbeError> {
        let attach_error = |error: ProgramError| attach_error(point, &error);
        let link = program
            .attach(
                point.offset.0,
                point.exe,
                UProbeScope::OneProcess(point.pid),
            )
            .and_then(|id| program.take_link(id))
            .map_err(attach_error)?;
        Ok(Attachment { _link: link })
    }
}

fn attach_error(point: &AttachPoint<'_>, error: &ProgramError) -> ProbeError {
    if let ProgramError::SyscallError(syscall) = error
        && matches!(
            syscall.io_error.raw_os_error(),
            Some(libc::EACCES | libc::EPERM)
        )
    {
        return ProbeError::Denied {
            what: "attaching a uprobe",
        };
    }
    ProbeError::Attach {
        probe: point.kind.name(),
        offset: point.offset,
        reason: super::programs::with_causes(error),
    }
}
