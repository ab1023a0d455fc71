//! The parts of an ELF file that the rest needs: segments, sections, notes, symbols, relocations.

use std::sync::Arc;

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

use super::bytes::{c_string_at, slice_at, tail_at, u32_at};
use super::{BinaryError, FileOffset, LinkAddress};

/// The instruction sets that gostray knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// amd64.
    X86_64,
    /// arm64.
    Aarch64,
}

impl Architecture {
    /// From `e_machine`; the error says what it is instead.
    pub(crate) fn of_machine(machine: u16) -> Result<Self, String> {
        match machine {
            elf::EM_X86_64 => Ok(Self::X86_64),
            elf::EM_AARCH64 => Ok(Self::Aarch64),
            other => Err(format!("machine type {other}")),
        }
    }
}

/// Whether the ELF file `bytes` may have 64 bits and be little-endian; the error says what it is
/// instead.
pub(crate) fn check_class(bytes: &[u8]) -> Result<(), String> {
    match (bytes.get(4), bytes.get(5)) {
        (Some(&elf::ELFCLASS32), _) => Err("a 32-bit program".to_owned()),
        (_, Some(&elf::ELFDATA2MSB)) => Err("a big-endian program".to_owned()),
        _ => Ok(()),
    }
}

/// One program header.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// `p_type`, for example `PT_LOAD`.
    pub kind: u32,
    /// `p_flags`: `PF_R`, `PF_W`, `PF_X`.
    pub flags: u32,
    /// Where its bytes are in the file.
    pub offset: FileOffset,
    /// Where they are loaded.
    pub address: LinkAddress,
    /// How many bytes come from the file.
    pub file_size: u64,
    /// How many it takes in memory.
    pub memory_size: u64,
}

/// One section header.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Where its name is in the file.
    name: u64,
    /// `sh_type`, for example `SHT_PROGBITS`.
    pub kind: u32,
    /// `sh_flags`, for example `SHF_ALLOC`.
    pub flags: u64,
    /// Where it is loaded; 0 if it is not.
    pub address: LinkAddress,
    /// Where its bytes are in the file.
    pub offset: FileOffset,
    /// Its size in bytes.
    pub size: u64,
    /// `sh_link`: for a symbol table, the index of its string table.
    link: u32,
}

/// The headers of one file, checked and independent of its bytes.
#[derive(Debug)]
pub(crate) struct ElfHeaders {
    architecture: Architecture,
    is_pie: bool,
    entry: LinkAddress,
    segments: Vec<Segment>,
    sections: Vec<Section>,
}

/// More sections than any linker makes for a program; hostile headers could claim 2^32.
const MAX_SECTIONS: usize = 65_536;

impl ElfHeaders {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, BinaryError> {
        if bytes.get(..4) != Some(&elf::ELFMAG) {
            return Err(BinaryError::NotElf);
        }
        check_class(bytes).map_err(|what| BinaryError::NotSupported { what })?;
        let malformed = |what, offset, reason| BinaryError::Malformed {
            what,
            offset,
            reason,
        };
        let header = FileHeader64::<LittleEndian>::parse(bytes).map_err(|_| {
            malformed(
                "the ELF header",
                0,
                "wrong size, class, byte order or version",
            )
        })?;
        let order = LittleEndian;
        let architecture = Architecture::of_machine(header.e_machine(order));
        let architecture = architecture.map_err(|what| BinaryError::NotSupported { what })?;
        let table = header
            .program_headers(order, bytes)
            .map_err(|_| BinaryError::Truncated {
                what: "the program header table",
                offset: header.e_phoff(order),
            })?;
        let segments = table
            .iter()
            .map(|segment| Segment {
                kind: segment.p_type(order),
                flags: segment.p_flags(order),
                offset: FileOffset(segment.p_offset(order)),
                address: LinkAddress(segment.p_vaddr(order)),
                file_size: segment.p_filesz(order),
                memory_size: segment.p_memsz(order),
            })
            .collect();
        Ok(Self {
            architecture,
            is_pie: header.e_type(order) == elf::ET_DYN,
            entry: LinkAddress(header.e_entry(order)),
            segments,
            sections: sections(header, bytes)?,
        })
    }
}

fn sections(
    header: &FileHeader64<LittleEndian>,
    bytes: &[u8],
) -> Result<Vec<Section>, BinaryError> {
    let order = LittleEndian;
    let truncated = || BinaryError::Truncated {
        what: "the section header table",
        offset: header.e_shoff(order),
    };
    let table = header
        .section_headers(order, bytes)
        .map_err(|_| truncated())?;
    if table.is_empty() {
        return Ok(Vec::new());
    }
    if table.len() > MAX_SECTIONS {
        return Err(BinaryError::Malformed {
            what: "the section header table",
            offset: header.e_shoff(order),
            reason: "more than 65536 sections",
        });
    }
    let names = header
        .shstrndx(order, bytes)
        .ok()
        .and_then(|index| table.get(index as usize))
        .map_or(0, |names| names.sh_offset(order));
    let sections = table.iter().map(|section| Section {
        name: names.saturating_add(u64::from(section.sh_name(order))),
        kind: section.sh_type(order),
        flags: section.sh_flags(order),
        address: LinkAddress(section.sh_addr(order)),
        offset: FileOffset(section.sh_offset(order)),
        size: section.sh_size(order),
        link: section.sh_link(order),
    });
    Ok(sections.collect())
}

/// An ELF file in memory. Cheap to clone; holds nothing of the file but its headers.
#[derive(Clone, Debug)]
pub struct ElfView<'a> {
    bytes: &'a [u8],
    headers: Arc<ElfHeaders>,
}

impl<'a> ElfView<'a> {
    /// Reads and checks the headers of the file `bytes`.
    ///
    /// # Errors
    /// `NotElf`, `NotSupported`, or `Truncated`/`Malformed` naming the header table.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BinaryError> {
        Ok(Self {
            bytes,
            headers: Arc::new(ElfHeaders::parse(bytes)?),
        })
    }

    /// A view with headers parsed before from the same bytes.
    pub(crate) fn with_headers(bytes: &'a [u8], headers: Arc<ElfHeaders>) -> Self {
        Self { bytes, headers }
    }

    pub(crate) fn headers(&self) -> Arc<ElfHeaders> {
        Arc::clone(&self.headers)
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What it was compiled for.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.headers.architecture
    }

    /// Whether the loader chooses where it goes (`ET_DYN`).
    #[must_use]
    pub fn is_pie(&self) -> bool {
        self.headers.is_pie
    }

    /// The address of its first instruction, `e_entry`.
    #[must_use]
    pub fn entry(&self) -> LinkAddress {
        self.headers.entry
    }

    /// The program headers.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.headers.segments
    }

    /// The section headers; empty if they were removed.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.headers.sections
    }

    /// The first section called `name`.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<Section> {
        let sections = self.headers.sections.iter();
        sections
            .copied()
            .find(|section| self.section_name(section) == name.as_bytes())
    }

    /// The first section called `name`, or called so behind `.data.rel.ro`, as read-only sections
    /// with pointers are in position-independent programs before Go 1.26.
    #[must_use]
    pub fn read_only_section(&self, name: &str) -> Option<Section> {
        let sections = self.headers.sections.iter();
        sections.copied().find(|section| {
            let found = self.section_name(section);
            found.strip_prefix(b".data.rel.ro").unwrap_or(found) == name.as_bytes()
        })
    }

    /// The name of a section of this file; empty if it is damaged.
    #[must_use]
    pub fn section_name(&self, section: &Section) -> &'a [u8] {
        // Bounded, for without it a damaged table could make every look-up read the whole file.
        let names = tail_at(self.bytes, section.name).unwrap_or(&[]);
        c_string_at(names.get(..names.len().min(256)).unwrap_or(&[]), 0).unwrap_or(&[])
    }

    /// The bytes of a section as they are in the file (compressed, if it is); empty for one that
    /// takes none.
    ///
    /// # Errors
    /// `Truncated` when they lie beyond the end of the file.
    pub fn section_bytes(&self, section: &Section) -> Result<&'a [u8], BinaryError> {
        if section.kind == elf::SHT_NOBITS {
            return Ok(&[]);
        }
        slice_at(self.bytes, section.offset.0, section.size).ok_or(BinaryError::Truncated {
            what: "a section",
            offset: section.offset.0,
        })
    }

    /// The loaded segment whose memory holds `address`.
    #[must_use]
    pub fn segment_at(&self, address: LinkAddress) -> Option<Segment> {
        self.loaded().find(|segment| {
            address
                .0
                .checked_sub(segment.address.0)
                .is_some_and(|offset| offset < segment.memory_size)
        })
    }

    /// The segments that are loaded, in the order of the file.
    pub fn loaded(&self) -> impl Iterator<Item = Segment> + '_ {
        self.headers
            .segments
            .iter()
            .copied()
            .filter(|segment| segment.kind == elf::PT_LOAD)
    }

    /// Where the byte loaded at `address` is in the file; `None` for bss and what is not loaded.
    #[must_use]
    pub fn file_offset(&self, address: LinkAddress) -> Option<FileOffset> {
        let segment = self.segment_at(address)?;
        let inside = address.0.checked_sub(segment.address.0)?;
        if inside >= segment.file_size {
            return None;
        }
        segment.offset.checked_add(inside)
    }

    /// The link address of the byte at `offset` in the file, if it is loaded.
    #[must_use]
    pub fn link_address(&self, offset: FileOffset) -> Option<LinkAddress> {
        let segment = self.loaded().find(|segment| {
            offset
                .0
                .checked_sub(segment.offset.0)
                .is_some_and(|inside| inside < segment.file_size)
        })?;
        segment.address.checked_add(offset.0 - segment.offset.0)
    }

    /// The `length` bytes of the file loaded at `address`; `None` unless one segment holds all.
    #[must_use]
    pub fn bytes_at(&self, address: LinkAddress, length: u64) -> Option<&'a [u8]> {
        self.tail_at(address)?.get(..usize::try_from(length).ok()?)
    }

    /// The bytes of the file from `address` to the end of its segment.
    #[must_use]
    pub fn tail_at(&self, address: LinkAddress) -> Option<&'a [u8]> {
        let segment = self.segment_at(address)?;
        let inside = address.0.checked_sub(segment.address.0)?;
        let length = segment.file_size.checked_sub(inside)?;
        let start = segment.offset.0.checked_add(inside)?;
        let rest = tail_at(self.bytes, start)?;
        // A truncated file still gives what is left of the segment.
        let length = usize::try_from(length).ok()?.min(rest.len());
        rest.get(..length)
    }

    /// The link address at which an executable mapping of the file from `offset` on begins. The
    /// kernel rounds a segment down to whole pages, so it may lie before the segment, where another
    /// segment's bytes are in the file.
    #[must_use]
    pub fn text_mapping_address(&self, offset: FileOffset) -> Option<LinkAddress> {
        // No architecture we know has larger pages than arm64 with 64 KiB.
        const MAX_PAGE: u64 = 1 << 16;
        let segment = self
            .loaded()
            .filter(|segment| segment.flags & elf::PF_X != 0)
            .find(|segment| {
                let end = segment.offset.0.saturating_add(segment.file_size);
                offset.0 < end && offset.0.saturating_add(MAX_PAGE) > segment.offset.0
            })?;
        let base = segment.address.0.wrapping_sub(segment.offset.0);
        Some(LinkAddress(base.wrapping_add(offset.0)))
    }

    /// The address and size of the defined symbol `name`; `None` also when the program is stripped.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<(LinkAddress, u64)> {
        let (symbols, names) = self.symbols(elf::SHT_SYMTAB)?;
        let symbol = symbols
            .iter()
            .filter(|symbol| is_defined(symbol))
            .find(|symbol| {
                let rest = tail_at(names, u64::from(symbol.st_name.get(LittleEndian)));
                let rest = rest.and_then(|rest| rest.strip_prefix(name.as_bytes()));
                rest.is_some_and(|rest| rest.first() == Some(&0))
            })?;
        Some((
            LinkAddress(symbol.st_value.get(LittleEndian)),
            symbol.st_size.get(LittleEndian),
        ))
    }

    /// The name of the function symbol that covers `address`, in the symbol table or, in a stripped
    /// program, among the exported ones.
    #[must_use]
    pub fn symbol_at(&self, address: LinkAddress) -> Option<&'a str> {
        self.covering(address, elf::STT_FUNC).map(|(name, _)| name)
    }

    /// The name of the variable that covers `address`, as [`Self::symbol_at`], and where it begins.
    #[must_use]
    pub fn variable_at(&self, address: LinkAddress) -> Option<(&'a str, LinkAddress)> {
        self.covering(address, elf::STT_OBJECT)
    }

    fn covering(&self, address: LinkAddress, kind: u8) -> Option<(&'a str, LinkAddress)> {
        let tables = [elf::SHT_SYMTAB, elf::SHT_DYNSYM].into_iter();
        let mut covering = tables.filter_map(|table| {
            let (symbols, names) = self.symbols(table)?;
            let covers = |symbol: &&elf::Sym64<LittleEndian>| {
                let inside = address.0.checked_sub(symbol.st_value.get(LittleEndian));
                symbol.st_info & 0xf == kind
                    && inside.is_some_and(|inside| inside < symbol.st_size.get(LittleEndian))
            };
            let symbol = symbols.iter().filter(|s| is_defined(s)).find(covers)?;
            let name = c_string_at(names, u64::from(symbol.st_name.get(LittleEndian)))?;
            let name = std::str::from_utf8(name)
                .ok()
                .filter(|name| !name.is_empty())?;
            Some((name, LinkAddress(symbol.st_value.get(LittleEndian))))
        });
        covering.next()
    }

    /// A symbol table and the strings its names are in.
    fn symbols(&self, kind: u32) -> Option<(&'a [elf::Sym64<LittleEndian>], &'a [u8])> {
        let table = self
            .headers
            .sections
            .iter()
            .find(|section| section.kind == kind)?;
        let names = self
            .section_bytes(self.headers.sections.get(table.link as usize)?)
            .ok()?;
        let symbols = object::slice_from_all_bytes(self.section_bytes(table).ok()?).ok()?;
        Some((symbols, names))
    }

    /// The build id that the host linker wrote (`NT_GNU_BUILD_ID`), usually 20 bytes.
    #[must_use]
    pub fn gnu_build_id(&self) -> Option<&'a [u8]> {
        self.note(b"GNU", elf::NT_GNU_BUILD_ID)
    }

    /// The build id that Go wrote (`.note.go.buildid`): `action/content` hashes as text.
    #[must_use]
    pub fn go_build_id(&self) -> Option<&'a str> {
        const GO_BUILD_ID: u32 = 4;
        std::str::from_utf8(self.note(b"Go", GO_BUILD_ID)?).ok()
    }

    fn note(&self, owner: &[u8], kind: u32) -> Option<&'a [u8]> {
        let in_segments = self
            .headers
            .segments
            .iter()
            .filter(|segment| segment.kind == elf::PT_NOTE);
        let in_segments = in_segments.map(|segment| (segment.offset.0, segment.file_size));
        let in_sections = self
            .headers
            .sections
            .iter()
            .filter(|section| section.kind == elf::SHT_NOTE);
        let in_sections = in_sections.map(|section| (section.offset.0, section.size));
        in_segments
            .chain(in_sections)
            .filter_map(|(offset, size)| slice_at(self.bytes, offset, size))
            .find_map(|notes| find_note(notes, owner, kind))
    }

    /// The run-time relocations that add the load bias (`R_*_RELATIVE`): address and addend.
    pub(crate) fn relative_relocations(
        &self,
    ) -> impl Iterator<Item = (LinkAddress, LinkAddress)> + use<'a> {
        let relative = match self.headers.architecture {
            Architecture::X86_64 => elf::R_X86_64_RELATIVE,
            Architecture::Aarch64 => elf::R_AARCH64_RELATIVE,
        };
        let table = self.relocation_table().unwrap_or(&[]);
        let table: &[elf::Rela64<LittleEndian>] =
            object::slice_from_all_bytes(table).unwrap_or(&[]);
        table
            .iter()
            .filter(move |entry| entry.r_type(LittleEndian, false) == relative)
            .map(|entry| {
                let addend = entry.r_addend.get(LittleEndian).cast_unsigned();
                (
                    LinkAddress(entry.r_offset.get(LittleEndian)),
                    LinkAddress(addend),
                )
            })
    }

    /// The bytes of the table that `DT_RELA` names, whole entries only.
    fn relocation_table(&self) -> Option<&'a [u8]> {
        type Dyn = elf::Dyn64<LittleEndian>;
        let dynamic = self
            .headers
            .segments
            .iter()
            .find(|segment| segment.kind == elf::PT_DYNAMIC)?;
        let dynamic = slice_at(self.bytes, dynamic.offset.0, dynamic.file_size)?;
        let whole = dynamic.len() / size_of::<Dyn>() * size_of::<Dyn>();
        let entries: &[Dyn] = object::slice_from_all_bytes(dynamic.get(..whole)?).ok()?;
        let value = |tag: i64| -> Option<u64> {
            let entry = entries
                .iter()
                .find(|entry| entry.d_tag.get(LittleEndian) == tag)?;
            Some(entry.d_val.get(LittleEndian))
        };
        let address = LinkAddress(value(elf::DT_RELA)?);
        let entry = size_of::<elf::Rela64<LittleEndian>>() as u64;
        let size = value(elf::DT_RELASZ)?;
        self.bytes_at(address, size - size % entry)
    }
}

fn is_defined(symbol: &elf::Sym64<LittleEndian>) -> bool {
    symbol.st_shndx.get(LittleEndian) != elf::SHN_UNDEF
}

/// The description of the first note of `owner` and `kind`.
pub(crate) fn find_note<'a>(bytes: &'a [u8], owner: &[u8], kind: u32) -> Option<&'a [u8]> {
    notes(bytes)
        .find(|note| note.kind == kind && note.owner == owner)
        .map(|note| note.description)
}

/// One entry of a list of notes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note<'a> {
    /// Who defines the kinds, such as `GNU`.
    pub(crate) owner: &'a [u8],
    /// `n_type`.
    pub(crate) kind: u32,
    /// What the note says.
    pub(crate) description: &'a [u8],
}

/// The notes of a section or segment, up to the first that is not whole.
pub(crate) fn notes(mut bytes: &[u8]) -> impl Iterator<Item = Note<'_>> {
    std::iter::from_fn(move || {
        let name_size = u32_at(bytes, 0)?;
        let description_size = u32_at(bytes, 4)?;
        let kind = u32_at(bytes, 8)?;
        let name = slice_at(bytes, 12, u64::from(name_size))?;
        let description_at = 12 + u64::from(name_size.checked_next_multiple_of(4)?);
        let description = slice_at(bytes, description_at, u64::from(description_size))?;
        let next = description_at + u64::from(description_size.checked_next_multiple_of(4)?);
        // The padding behind the last one may be missing.
        bytes = tail_at(bytes, next).unwrap_or(&[]);
        // Go counts the padding of its name as part of it.
        let owner = name.split(|&byte| byte == 0).next().unwrap_or(name);
        Some(Note {
            owner,
            kind,
            description,
        })
    })
}
