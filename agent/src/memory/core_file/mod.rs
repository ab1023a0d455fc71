//! The memory of a process that is no more, from the core file it left.
//!
//! A core file has only a part of the memory: the kernel leaves out what it can find in files
//! elsewhere (`coredump_filter` of core(5)), gdb's gcore leaves those ranges out altogether, and
//! either may have been cut short by a full disk or a limit. What is not there is an error, never
//! zeros, unless the executable has it.

mod error;
mod headers;
mod notes;
mod ranges;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::{CoreFileError, Shortfall};
pub use notes::{FileMapping, Process};

use super::{FileIdentity, MappedFile, MemoryError, MemoryReader};
use crate::binary::{Architecture, FileOffset, RuntimeAddress, bytes::slice_at};
use headers::{Headers, Segment};
use ranges::{Starts, last_at, rooms};

/// A core file of the kernel or of gdb's gcore.
#[derive(Debug)]
pub struct CoreFile {
    file: MappedFile,
    headers: Headers,
    process: Process,
    executable: Option<Executable>,
}

/// A range of memory that no one could write to, and where its bytes are in the executable.
#[derive(Clone, Copy, Debug)]
pub struct ReadOnly {
    /// First byte in memory.
    pub address: RuntimeAddress,
    /// Where it is in the executable.
    pub offset: FileOffset,
    /// Bytes of the range.
    pub size: u64,
}

impl Starts for ReadOnly {
    fn start(&self) -> RuntimeAddress {
        self.address
    }
}

#[derive(Debug)]
struct Executable {
    file: MappedFile,
    /// By address.
    ranges: Vec<ReadOnly>,
}

impl CoreFile {
    /// Maps the core file at `path` and reads its headers and notes.
    ///
    /// # Errors
    /// It cannot be mapped, is no core file, or its headers are not whole. That memory is missing
    /// is no error here: see [`Self::shortfall`].
    pub fn open(path: &Path) -> Result<Self, CoreFileError> {
        Self::from_file(MappedFile::open(path).map_err(CoreFileError::Io)?)
    }

    /// As [`Self::open`], of a mapped file.
    pub fn from_file(file: MappedFile) -> Result<Self, CoreFileError> {
        let headers = Headers::parse(&file);
        // Zeros in place of vanished pages explain any other error.
        file.check()?;
        let headers = headers?;
        let mut process = Process::default();
        for (offset, size) in &headers.notes {
            // Of notes that are cut short, those before the cut are good.
            let end = offset.0.saturating_add(*size).min(file.len() as u64);
            let size = end.saturating_sub(offset.0);
            process.add(slice_at(&file, offset.0, size).unwrap_or_default());
        }
        file.check()?;
        Ok(Self {
            file,
            headers,
            process,
            executable: None,
        })
    }

    /// What the process was compiled for.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.headers.architecture
    }

    /// What the notes say of the process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Which version of which file this is.
    #[must_use]
    pub fn identity(&self) -> FileIdentity {
        self.file.identity()
    }

    /// What is missing of the file, judged by its headers; `None` when it is whole.
    #[must_use]
    pub fn shortfall(&self) -> Option<Shortfall> {
        let (present, expected) = (self.file.len() as u64, self.headers.size);
        (present < expected).then_some(Shortfall { present, expected })
    }

    /// Where the ranges of memory begin of which the file has bytes, in order.
    pub fn starts(&self) -> impl Iterator<Item = RuntimeAddress> + '_ {
        let segments = self.headers.segments.iter();
        segments
            .filter(|segment| segment.file_size > 0)
            .map(|segment| segment.address)
    }

    /// Reads what the core file does not have from the program's executable instead, where no one
    /// could have written to it.
    pub fn set_executable(&mut self, file: MappedFile, mut ranges: Vec<ReadOnly>) {
        ranges.sort_by_key(|range| range.address);
        let rooms = rooms(&ranges);
        for (range, room) in ranges.iter_mut().zip(rooms) {
            range.size = range.size.min(room);
        }
        self.executable = Some(Executable { file, ranges });
    }

    /// The bytes at `address`, at least one, up to where they end or go on elsewhere.
    fn bytes_at(&self, address: RuntimeAddress) -> Result<&[u8], Missing> {
        let missing = match self.segment_at(address) {
            Some((segment, inside)) => match segment.bytes_at(inside, &self.file) {
                Ok(bytes) => return Ok(bytes),
                Err(missing) => missing,
            },
            // gcore leaves out whole mappings.
            None if self.process.file_at(address).is_some() => Missing::NotDumped,
            None => Missing::NotMapped,
        };
        let executable = self.executable.as_ref();
        let bytes = executable.and_then(|executable| executable.bytes_at(address));
        // Only up to where the core file may have bytes again.
        let room = self
            .segment_behind(address)
            .map_or(u64::MAX, |next| next.address.0 - address.0);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        bytes
            .map(|bytes| bytes.get(..room).unwrap_or(bytes))
            .ok_or(missing)
    }

    /// The first segment that begins behind `address`.
    fn segment_behind(&self, address: RuntimeAddress) -> Option<&Segment> {
        let segments = &self.headers.segments;
        segments.get(segments.partition_point(|segment| segment.address <= address))
    }

    fn segment_at(&self, address: RuntimeAddress) -> Option<(&Segment, u64)> {
        let last = last_at(&self.headers.segments, address);
        last.filter(|(segment, inside)| *inside < segment.memory_size)
    }
}

/// Why a byte is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    NotMapped,
    NotDumped,
    CutShort,
}

impl Segment {
    /// The bytes in `file` from `inside` the segment on.
    fn bytes_at<'a>(&self, inside: u64, file: &'a [u8]) -> Result<&'a [u8], Missing> {
        let size = self.file_size.checked_sub(inside).filter(|size| *size > 0);
        let size = size.ok_or(Missing::NotDumped)?;
        let offset = self.offset.0.checked_add(inside);
        let offset = offset.ok_or(Missing::CutShort)?;
        let size = size.min((file.len() as u64).saturating_sub(offset));
        slice_at(file, offset, size)
            .filter(|bytes| !bytes.is_empty())
            .ok_or(Missing::CutShort)
    }
}

impl Executable {
    fn bytes_at(&self, address: RuntimeAddress) -> Option<&[u8]> {
        let (range, inside) = last_at(&self.ranges, address)?;
        let offset = range.offset.0.checked_add(inside)?;
        let left = (self.file.len() as u64).checked_sub(offset)?;
        let size = range.size.checked_sub(inside)?.min(left);
        slice_at(&self.file, offset, size).filter(|bytes| !bytes.is_empty())
    }
}

impl MemoryReader for CoreFile {
    fn read(&self, address: RuntimeAddress, into: &mut [u8]) -> Result<(), MemoryError> {
        let length = into.len();
        let mut rest = into;
        let mut next = Some(address);
        while !rest.is_empty() {
            let bytes = next.map_or(Err(Missing::NotMapped), |next| self.bytes_at(next));
            let bytes = bytes.map_err(|missing| match missing {
                Missing::NotMapped => MemoryError::Unmapped { address, length },
                Missing::NotDumped => MemoryError::NotInCore { address, length },
                Missing::CutShort => MemoryError::CutShort { address, length },
            })?;
            let size = bytes.len().min(rest.len());
            let (now, later) = rest.split_at_mut(size);
            now.copy_from_slice(&bytes[..size]);
            rest = later;
            next = next.and_then(|next| next.checked_add(size as u64));
        }
        // What a vanished page left are zeros that nobody wrote.
        self.file.check()?;
        if let Some(executable) = &self.executable {
            executable.file.check()?;
        }
        Ok(())
    }
}
