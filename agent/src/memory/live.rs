//! The memory of a running process, through `process_vm_readv`: no stop, no write, no ptrace
//! attachment.

use std::io::IoSliceMut;

use nix::{
    errno::Errno,
    sys::uio::{RemoteIoVec, process_vm_readv},
    unistd::Pid,
};

use super::{MemoryError, MemoryReader};
use crate::binary::RuntimeAddress;

/// A running process's memory. Reads whatever has the pid now; the caller watches over its
/// identity with [`crate::target::Lifetime`].
#[derive(Clone, Copy, Debug)]
pub struct LiveMemory {
    pid: Pid,
}

impl LiveMemory {
    /// The memory of `pid`. Nothing is opened: permission is checked at each read.
    #[must_use]
    pub fn new(pid: i32) -> Self {
        Self {
            pid: Pid::from_raw(pid),
        }
    }
}

impl MemoryReader for LiveMemory {
    fn read(&self, address: RuntimeAddress, into: &mut [u8]) -> Result<(), MemoryError> {
        let length = into.len();
        let unmapped = MemoryError::Unmapped { address, length };
        let Ok(base) = usize::try_from(address.0) else {
            return Err(unmapped);
        };
        let remote = [RemoteIoVec { base, len: length }];
        match process_vm_readv(self.pid, &mut [IoSliceMut::new(into)], &remote) {
            Ok(read) if read == length => Ok(()),
            Ok(_) | Err(Errno::EFAULT) => Err(unmapped),
            Err(Errno::ESRCH) => Err(MemoryError::ProcessGone { address }),
            Err(Errno::EPERM) => Err(MemoryError::Denied),
            Err(errno) => Err(MemoryError::Io {
                address,
                length,
                source: errno.into(),
            }),
        }
    }
}
