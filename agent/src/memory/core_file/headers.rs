//! The headers of a core file: what it is a core of, and where the memory is in it.

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use super::{
    CoreFileError,
    ranges::{Starts, rooms},
};
use crate::binary::{Architecture, FileOffset, RuntimeAddress, check_class};

/// More than a process has mappings: `vm.max_map_count` is 65530 unless somebody raised it.
const MAX_SEGMENTS: usize = 1 << 20;

/// What other files that people take for core files begin with.
const COMPRESSED: [(&[u8], &str, &str); 4] = [
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
    (b"\x04\x22\x4d\x18", "lz4", "unlz4"),
    (b"\xfd7zXZ\0", "xz", "unxz"),
    (b"\x1f\x8b", "gzip", "gunzip"),
];

/// A range of memory that was mapped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) address: RuntimeAddress,
    /// Bytes in memory; the range does not go round the end of the address space.
    pub(super) memory_size: u64,
    pub(super) offset: FileOffset,
    /// Bytes in the file, from the segment's start: at most those in memory.
    pub(super) file_size: u64,
}

impl Starts for Segment {
    fn start(&self) -> RuntimeAddress {
        self.address
    }
}

/// The headers of one core file.
#[derive(Debug)]
pub(super) struct Headers {
    pub(super) architecture: Architecture,
    /// By address.
    pub(super) segments: Vec<Segment>,
    /// Offset and size of each list of notes.
    pub(super) notes: Vec<(FileOffset, u64)>,
    /// What the file should have at least, in bytes.
    pub(super) size: u64,
}

impl Headers {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, CoreFileError> {
        let header = file_header(bytes)?;
        let order = LittleEndian;
        let architecture = Architecture::of_machine(header.e_machine(order));
        let architecture = architecture.map_err(|what| CoreFileError::NotSupported { what })?;
        let found = match header.e_type(order) {
            elf::ET_CORE => None,
            elf::ET_EXEC => Some("a program"),
            elf::ET_DYN => Some("a program or library"),
            elf::ET_REL => Some("an object file"),
            _ => Some("an ELF file of unknown kind"),
        };
        if let Some(found) = found {
            return Err(CoreFileError::NotCore { found });
        }
        let size = bytes.len() as u64;
        // Where there are too many for its field, a section header at the very end counts them.
        let count = header.phnum(order, bytes).map_err(|_| {
            let what = "the section header that counts the segments";
            let end = header.e_shoff(order).saturating_add(64);
            CoreFileError::HeadersCutShort { what, end, size }
        })?;
        let malformed = |reason| CoreFileError::Malformed {
            what: "the program header table",
            reason,
        };
        if count > MAX_SEGMENTS {
            return Err(malformed("it has more than 1048576 segments"));
        }
        let table = header.program_headers(order, bytes).map_err(|_| {
            let end = header.e_phoff(order).saturating_add(count as u64 * 56);
            if end > size {
                let what = "the program header table";
                return CoreFileError::HeadersCutShort { what, end, size };
            }
            malformed("its place or the size of its entries is none there is")
        })?;
        if table.is_empty() {
            return Err(malformed("it is empty"));
        }
        Ok(Self::of(architecture, table))
    }

    fn of(architecture: Architecture, table: &[elf::ProgramHeader64<LittleEndian>]) -> Self {
        let order = LittleEndian;
        let (mut segments, mut notes, mut size) = (Vec::new(), Vec::new(), 0);
        for entry in table {
            let offset = FileOffset(entry.p_offset(order));
            let file_size = entry.p_filesz(order);
            match entry.p_type(order) {
                elf::PT_LOAD => {
                    segments.push(Segment {
                        address: RuntimeAddress(entry.p_vaddr(order)),
                        memory_size: entry.p_memsz(order),
                        offset,
                        file_size,
                    });
                }
                elf::PT_NOTE => notes.push((offset, file_size)),
                _ => continue,
            }
            if file_size > 0 {
                size = size.max(offset.0.saturating_add(file_size));
            }
        }
        segments.sort_by_key(|segment: &Segment| segment.address);
        let rooms = rooms(&segments);
        for (segment, room) in segments.iter_mut().zip(rooms) {
            segment.memory_size = segment.memory_size.min(room);
            segment.file_size = segment.file_size.min(segment.memory_size);
        }
        Self {
            architecture,
            segments,
            notes,
            size,
        }
    }
}

/// The header of a 64-bit little-endian file; the rest is refused by name.
fn file_header(bytes: &[u8]) -> Result<&FileHeader64<LittleEndian>, CoreFileError> {
    if bytes.is_empty() {
        return Err(CoreFileError::Empty);
    }
    if !bytes.starts_with(&elf::ELFMAG) {
        let packed = COMPRESSED
            .iter()
            .find(|(magic, ..)| bytes.starts_with(magic));
        return Err(match *packed.unwrap_or(&(b"", "", "")) {
            (b"", ..) => CoreFileError::NotElf,
            (_, format, command) => CoreFileError::Compressed { format, command },
        });
    }
    check_class(bytes).map_err(|what| CoreFileError::NotSupported { what })?;
    let size = size_of::<FileHeader64<LittleEndian>>() as u64;
    if (bytes.len() as u64) < size {
        return Err(CoreFileError::HeadersCutShort {
            what: "the ELF header",
            end: size,
            size: bytes.len() as u64,
        });
    }
    FileHeader64::parse(bytes).map_err(|_| CoreFileError::Malformed {
        what: "the ELF header",
        reason: "its class, byte order or version is none there is",
    })
}
