//! The memory of a running process, through `process_vm_readv`: no stop, no write, no ptrace
//! attachment.

use std::io::IoSliceMut;

use nix::{
    errno::Errno,
    sys::uio::{RemoteIoVec, process_vm_readv},
    unistd::Pid,
};

use super::{MemoryError, MemoryReader, VisitRecord};
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

/// Ranges of one call: `UIO_MAXIOV` of `include/uapi/linux/uio.h`.
const MAX_RANGES: usize = 1024;

impl MemoryReader for LiveMemory {
    fn read_records(
        &self,
        addresses: &[RuntimeAddress],
        length: usize,
        visit: &mut VisitRecord<'_>,
    ) {
        let mut buffer = vec![0; length * MAX_RANGES.min(addresses.len())];
        let mut next = 0;
        while next < addresses.len() {
            let batch = &addresses[next..addresses.len().min(next + MAX_RANGES)];
            let remote: Vec<RemoteIoVec> = batch
                .iter()
                .map(|address| RemoteIoVec {
                    // An address beyond this machine's is not mapped; neither is the highest.
                    base: usize::try_from(address.0).unwrap_or(usize::MAX),
                    len: length,
                })
                .collect();
            let local = &mut buffer[..length * batch.len()];
            let read = process_vm_readv(self.pid, &mut [IoSliceMut::new(local)], &remote);
            // The kernel stops at the first range it cannot read; what came before is good.
            let good = read.unwrap_or(0).checked_div(length).unwrap_or(0);
            for (record, index) in buffer.chunks_exact(length).zip(next..).take(good) {
                visit(index, Ok(record));
            }
            next += good;
            if let Some(address) = batch.get(good) {
                // Alone it says why.
                let mut record = vec![0; length];
                let read = self.read(*address, &mut record);
                visit(next, read.map(|()| &record[..]));
                next += 1;
            }
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A process may always read itself.
    fn own() -> LiveMemory {
        LiveMemory::new(std::process::id().cast_signed())
    }

    fn address_of<T>(value: &T) -> RuntimeAddress {
        RuntimeAddress(std::ptr::from_ref(value) as u64)
    }

    #[test]
    fn what_is_not_mapped_is_an_error_with_its_address() {
        let value = 0x1234_u64;
        assert_eq!(own().read_u64(address_of(&value)).expect("mapped"), value);
        let nowhere = RuntimeAddress(8);
        assert!(matches!(
            own().read_u64(nowhere),
            Err(MemoryError::Unmapped { address, length: 8 }) if address == nowhere
        ));
    }

    #[test]
    fn records_come_in_order_and_fail_alone() {
        let values: Vec<u64> = (0..2500).collect();
        let mut addresses: Vec<RuntimeAddress> = values.iter().map(address_of).collect();
        for bad in [0, 1023, 1024, 2499] {
            addresses[bad] = RuntimeAddress(16);
        }
        let mut seen = Vec::new();
        own().read_records(&addresses, 8, &mut |index, record| {
            assert_eq!(index, seen.len());
            seen.push(
                record
                    .ok()
                    .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())),
            );
        });
        for (index, value) in seen.iter().enumerate() {
            let bad = [0, 1023, 1024, 2499].contains(&index);
            assert_eq!(*value, (!bad).then_some(index as u64), "{index}");
        }
        assert_eq!(seen.len(), values.len());
    }
}
