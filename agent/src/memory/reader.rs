//! The one way in which memory is read.

use std::io;

use thiserror::Error;

use super::FileChanged;
use crate::binary::RuntimeAddress;

/// A read that did not give what was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// Nothing, or not enough, is mapped there.
    #[error("{length} bytes at {address} are not mapped")]
    Unmapped {
        /// First byte asked for.
        address: RuntimeAddress,
        /// Bytes asked for.
        length: usize,
    },
    /// It was mapped, but the core file does not have it, and no file that could be read instead.
    #[error(
        "{length} bytes at {address} were not written to the core file (core(5) says under \
         `coredump_filter` what is)"
    )]
    NotInCore {
        /// First byte asked for.
        address: RuntimeAddress,
        /// Bytes asked for.
        length: usize,
    },
    /// The core file ends before it.
    #[error("{length} bytes at {address} should be behind the end of the core file")]
    CutShort {
        /// First byte asked for.
        address: RuntimeAddress,
        /// Bytes asked for.
        length: usize,
    },
    /// The core file changed while it was read, or the executable.
    #[error(transparent)]
    FileChanged(#[from] FileChanged),
    /// The process is gone.
    #[error("the process ended while {address} was read")]
    ProcessGone {
        /// First byte asked for.
        address: RuntimeAddress,
    },
    /// Not allowed.
    #[error(
        "reading the process's memory was denied; run as root, or grant CAP_SYS_PTRACE \
         (where kernel.yama.ptrace_scope is 3 nobody may)"
    )]
    Denied,
    /// A size read from the target is beyond what such a thing can have.
    #[error("{what} at {address} claims {claimed}, more than the {bound} that are believable")]
    Implausible {
        /// What was read.
        what: &'static str,
        /// Where.
        address: RuntimeAddress,
        /// What the target says.
        claimed: u64,
        /// What is believed at most.
        bound: u64,
    },
    /// Anything else the kernel said.
    #[error("{length} bytes at {address}: {source}")]
    Io {
        /// First byte asked for.
        address: RuntimeAddress,
        /// Bytes asked for.
        length: usize,
        /// What the kernel said.
        source: io::Error,
    },
}

/// What the target claims of `what` at `address`; an error where it is more than `bound`.
#[inline]
pub(crate) fn bounded(
    what: &'static str,
    address: RuntimeAddress,
    claimed: u64,
    bound: u64,
) -> Result<u64, MemoryError> {
    if claimed <= bound {
        return Ok(claimed);
    }
    Err(MemoryError::Implausible {
        what,
        address,
        claimed,
        bound,
    })
}

impl RuntimeAddress {
    /// `self + bytes`. Past the end of the address space nothing is mapped.
    pub(crate) fn plus(self, bytes: u64) -> Result<Self, MemoryError> {
        self.checked_add(bytes).ok_or(MemoryError::Unmapped {
            address: self,
            length: 8,
        })
    }
}

/// Some bytes of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first.
    pub address: RuntimeAddress,
    /// How many.
    pub length: usize,
}

impl Extent {
    /// `length` bytes at each of `addresses`.
    pub(crate) fn each(
        addresses: impl IntoIterator<Item = RuntimeAddress>,
        length: usize,
    ) -> Vec<Self> {
        let addresses = addresses.into_iter();
        addresses.map(|address| Self { address, length }).collect()
    }
}

/// Takes the index of an extent and what is there.
pub type VisitExtent<'a> = dyn FnMut(usize, Result<&[u8], MemoryError>) + 'a;

/// Memory at run-time addresses, little-endian.
pub trait MemoryReader {
    /// Fills `into` with the bytes at `address`.
    ///
    /// # Errors
    /// Not all of them could be read; `into` then holds anything.
    fn read(&self, address: RuntimeAddress, into: &mut [u8]) -> Result<(), MemoryError>;

    /// Reads all of `extents`, in any order, and passes on what is there with the index of the
    /// extent. Each fails on its own.
    ///
    /// They are not read at one moment: what belongs together has to be one extent, and even its
    /// bytes may change while they are copied.
    fn read_extents(&self, extents: &[Extent], visit: &mut VisitExtent<'_>) {
        let mut bytes = Vec::new();
        for (index, extent) in extents.iter().enumerate() {
            bytes.resize(extent.length, 0);
            let read = self.read(extent.address, &mut bytes);
            visit(index, read.map(|()| &bytes[..]));
        }
    }

    /// `N` bytes at `address`.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn read_array<const N: usize>(&self, address: RuntimeAddress) -> Result<[u8; N], MemoryError>
    where
        Self: Sized,
    {
        let mut bytes = [0; N];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// `N` words at `address`.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn read_words<const N: usize>(&self, address: RuntimeAddress) -> Result<[u64; N], MemoryError>
    where
        Self: Sized,
    {
        let mut words = [[0; 8]; N];
        self.read(address, words.as_flattened_mut())?;
        Ok(words.map(u64::from_le_bytes))
    }

    /// The word at `address`.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn read_u64(&self, address: RuntimeAddress) -> Result<u64, MemoryError>
    where
        Self: Sized,
    {
        self.read_array(address).map(u64::from_le_bytes)
    }
}

/// A test's own bytes.
#[derive(Clone, Debug, Default)]
pub struct BytesMemory {
    /// Where `bytes` begin.
    pub base: u64,
    /// What is there.
    pub bytes: Vec<u8>,
}

impl MemoryReader for BytesMemory {
    fn read(&self, address: RuntimeAddress, into: &mut [u8]) -> Result<(), MemoryError> {
        let found = address
            .0
            .checked_sub(self.base)
            .and_then(|start| usize::try_from(start).ok())
            .and_then(|start| self.bytes.get(start..)?.get(..into.len()));
        match found {
            Some(bytes) => {
                into.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(MemoryError::Unmapped {
                address,
                length: into.len(),
            }),
        }
    }
}
