//! The memory of a running process, through `process_vm_readv`: no stop, no write, no ptrace
//! attachment.

use std::{cell::Cell, io::IoSliceMut};

use nix::{
    errno::Errno,
    sys::uio::{RemoteIoVec, process_vm_readv},
    unistd::Pid,
};

use super::{
    Extent, MemoryError, MemoryReader, VisitExtent,
    joined::{Piece, pieces, within},
};
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
/// Bytes of one call, unless a single extent is longer.
const MAX_BYTES: usize = 1 << 20;

thread_local! {
    /// Kept from call to call: zeroing it each time would be a tenth of the work.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl MemoryReader for LiveMemory {
    fn read_extents(&self, extents: &[Extent], visit: &mut VisitExtent<'_>) {
        let mut order: Vec<usize> = (0..extents.len()).collect();
        order.sort_unstable_by_key(|index| extents[*index].address);
        let pieces = pieces(extents, &order);
        let mut buffer = BUFFER.take();
        let mut rest = &pieces[..];
        while !rest.is_empty() {
            let batch = &rest[..batch(rest)];
            let length = batch.iter().map(|piece| piece.extent.length).sum();
            if buffer.len() < length {
                buffer.resize(length, 0);
            }
            let remote: Vec<RemoteIoVec> = batch.iter().map(|piece| remote(piece.extent)).collect();
            let local = &mut buffer[..length];
            let read = process_vm_readv(self.pid, &mut [IoSliceMut::new(local)], &remote);
            // The kernel stops at the first range it cannot read; what came before is good.
            let mut good = &buffer[..read.unwrap_or(0).min(length)];
            for piece in batch {
                rest = &rest[1..];
                let bytes = good.split_off(..piece.extent.length);
                for index in &order[piece.members.clone()] {
                    match bytes.and_then(|bytes| within(extents[*index], piece.extent, bytes)) {
                        Some(bytes) => visit(*index, Ok(bytes)),
                        None => self.read_alone(*index, extents[*index], visit),
                    }
                }
                if bytes.is_none() {
                    break;
                }
            }
        }
        BUFFER.set(buffer);
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

impl LiveMemory {
    /// What was not read together with others: alone it is read, or says why not.
    fn read_alone(self, index: usize, extent: Extent, visit: &mut VisitExtent<'_>) {
        let mut bytes = vec![0; extent.length];
        let read = self.read(extent.address, &mut bytes);
        visit(index, read.map(|()| &bytes[..]));
    }
}

/// How many of `pieces`, at least one, are read in one call.
fn batch(pieces: &[Piece]) -> usize {
    let mut bytes = 0;
    let fitting = pieces.iter().take(MAX_RANGES).take_while(|piece| {
        bytes += piece.extent.length;
        bytes <= MAX_BYTES
    });
    fitting.count().max(1)
}

fn remote(extent: Extent) -> RemoteIoVec {
    RemoteIoVec {
        // An address beyond this machine's is not mapped; neither is the highest.
        base: usize::try_from(extent.address.0).unwrap_or(usize::MAX),
        len: extent.length,
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
    fn extents_come_once_and_fail_alone() {
        let values: Vec<u64> = (0..2500).collect();
        let mut extents: Vec<Extent> = values
            .iter()
            .map(|value| Extent {
                address: address_of(value),
                length: 8,
            })
            .collect();
        // Neighbours, so that most are read together; some that are not there among them.
        for bad in [0, 1023, 1024, 2499] {
            extents[bad].address = RuntimeAddress(16);
        }
        let mut seen = vec![0; values.len()];
        own().read_extents(&extents, &mut |index, bytes| {
            seen[index] += 1;
            match bytes {
                Ok(bytes) => assert_eq!(bytes, values[index].to_le_bytes()),
                Err(error) => {
                    assert!(matches!(error, MemoryError::Unmapped { address, length: 8 }
                        if address == RuntimeAddress(16)));
                    assert!([0, 1023, 1024, 2499].contains(&index));
                }
            }
        });
        assert!(seen.iter().all(|times| *times == 1));
    }

    #[test]
    fn one_that_cannot_be_read_does_not_hide_its_neighbours() {
        let page = 4096;
        let mut map = memmap2::MmapMut::map_anon(2 * page).expect("memory");
        map[page - 8..page].copy_from_slice(&7_u64.to_le_bytes());
        let begin = RuntimeAddress(map.as_ptr() as u64);
        let ranges = [(page - 8, 8), (usize::MAX / 2, 8), (page - 16, 8)];
        let extents = ranges.map(|(offset, length)| Extent {
            address: begin.checked_add(offset as u64).expect("an address"),
            length,
        });
        let mut read = [None; 3];
        own().read_extents(&extents, &mut |index, bytes| {
            read[index] = bytes.ok().and_then(|bytes| bytes.try_into().ok());
        });
        assert_eq!(read, [Some(7_u64.to_le_bytes()), None, Some([0; 8])]);
    }
}
