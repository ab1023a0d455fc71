//! A Go program's file, mapped and understood.

use std::path::Path;
use std::sync::Arc;

use super::bytes::slice_at;
use super::elf::ElfHeaders;
use super::pclntab::{Function, Pclntab, PclntabLayout};
use super::{Architecture, BinaryError, BuildInfo, ElfView, FileOffset, LinkAddress, ModuleData};
use crate::memory::{FileIdentity, MappedFile};

/// A Go program's file: what is true of it whoever runs it. Made once for each file; see
/// [`BinaryCache`](super::BinaryCache).
#[derive(Debug)]
pub struct GoBinary {
    file: MappedFile,
    parsed: Parsed,
}

impl GoBinary {
    /// Maps and parses the file at `path`.
    ///
    /// # Errors
    /// `Io`; `NotElf`, `NotGo`, `NotSupported`, `GoTooOld`, `GoTooNew` for files of other kinds;
    /// `Truncated`, `Malformed`, `FileChanged` for damaged ones.
    pub fn open(path: &Path) -> Result<Self, BinaryError> {
        let mapped = MappedFile::open(path);
        Self::from_file(mapped.map_err(|source| BinaryError::Io {
            path: path.to_owned(),
            source,
        })?)
    }

    /// Parses the bytes of a file. Errors as for [`GoBinary::open`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BinaryError> {
        let mapped = MappedFile::from_bytes(bytes);
        Self::from_file(mapped.map_err(|source| BinaryError::Io {
            path: "<memory>".into(),
            source,
        })?)
    }

    /// Parses a mapped file. Errors as for [`GoBinary::open`].
    pub fn from_file(file: MappedFile) -> Result<Self, BinaryError> {
        let parsed = Parsed::of(&file);
        // Zeros in place of vanished pages explain any other error.
        file.check()?;
        Ok(Self {
            parsed: parsed?,
            file,
        })
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.file
    }

    /// The mapping, to check it for damage or to release its pages.
    #[must_use]
    pub fn file(&self) -> &MappedFile {
        &self.file
    }

    /// Which version of which file this is.
    #[must_use]
    pub fn identity(&self) -> FileIdentity {
        self.file.identity()
    }

    /// Segments, sections, symbols.
    #[must_use]
    pub fn elf(&self) -> ElfView<'_> {
        ElfView::with_headers(&self.file, Arc::clone(&self.parsed.headers))
    }

    /// What it was compiled for.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        self.elf().architecture()
    }

    /// Whether the loader chooses where it goes.
    #[must_use]
    pub fn is_pie(&self) -> bool {
        self.elf().is_pie()
    }

    /// Go version, main module, settings.
    #[must_use]
    pub fn build_info(&self) -> &BuildInfo {
        &self.parsed.build_info
    }

    /// What identifies this build: the host linker's build id in hexadecimal, else Go's.
    #[must_use]
    pub fn build_id(&self) -> Option<&str> {
        self.parsed.build_id.as_deref()
    }

    /// Where the linker put text, data and tables.
    #[must_use]
    pub fn module_data(&self) -> &ModuleData {
        &self.parsed.module
    }

    /// The table of all functions.
    #[must_use]
    pub fn pclntab(&self) -> Pclntab<'_> {
        let (_, table) = self.pclntab_bytes();
        let funcdata = self.elf().tail_at(self.parsed.module.gofunc);
        Pclntab::new(table, funcdata.unwrap_or(&[]), &self.parsed.layout)
    }

    /// The pclntab as it is in the file, and where it is loaded.
    #[must_use]
    pub fn pclntab_bytes(&self) -> (LinkAddress, &[u8]) {
        let table = slice_at(&self.file, self.parsed.table.0.0, self.parsed.table.1).unwrap_or(&[]);
        let address = self.elf().link_address(self.parsed.table.0);
        (address.unwrap_or(LinkAddress(0)), table)
    }

    /// The instructions of a function, padding behind it included.
    #[must_use]
    pub fn function_code(&self, function: &Function<'_>) -> Option<&[u8]> {
        self.code_at(
            function.entry(),
            function.end().0.checked_sub(function.entry().0)?,
        )
    }

    /// The `length` bytes of the file loaded at `address`.
    #[must_use]
    pub fn code_at(&self, address: LinkAddress, length: u64) -> Option<&[u8]> {
        let offset = self.file_offset(address)?;
        self.file_offset(address.checked_add(length.checked_sub(1)?)?)?;
        slice_at(&self.file, offset.0, length)
    }

    /// Where the byte loaded at `address` is in the file: what the kernel wants for a uprobe.
    #[must_use]
    pub fn file_offset(&self, address: LinkAddress) -> Option<FileOffset> {
        self.elf().file_offset(address)
    }
}

#[derive(Debug)]
struct Parsed {
    headers: Arc<ElfHeaders>,
    build_info: BuildInfo,
    build_id: Option<String>,
    module: ModuleData,
    layout: PclntabLayout,
    /// Where the pclntab is in the file, and its size.
    table: (FileOffset, u64),
}

impl Parsed {
    fn of(bytes: &[u8]) -> Result<Self, BinaryError> {
        let elf = ElfView::parse(bytes)?;
        let build_info = BuildInfo::read(&elf)?;
        let version = &build_info.go_version;
        let (address, offset, size) = find_pclntab(&elf).ok_or(BinaryError::Malformed {
            what: "the Go program",
            offset: 0,
            reason: "it has no pclntab",
        })?;
        let table = slice_at(bytes, offset.0, size).ok_or(BinaryError::Truncated {
            what: "the Go pclntab",
            offset: offset.0,
        })?;
        let module = ModuleData::find(&elf, version, address, table)?;
        let layout = PclntabLayout::parse(table, version, Some(module.text))?;
        let gnu = elf
            .gnu_build_id()
            .map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect());
        let build_id = gnu.or_else(|| elf.go_build_id().map(str::to_owned));
        Ok(Self {
            headers: elf.headers(),
            build_info,
            build_id,
            module,
            layout,
            table: (offset, size),
        })
    }
}

/// Address, place in the file and size of the pclntab.
fn find_pclntab(elf: &ElfView<'_>) -> Option<(LinkAddress, FileOffset, u64)> {
    if let Some(section) = elf.read_only_section(".gopclntab") {
        return Some((section.address, section.offset, section.size));
    }
    // Without section headers: by the header's first eight bytes. All that follows is checked
    // against moduledata, so a chance match is an error, not a wrong answer.
    for segment in elf.loaded() {
        let bytes = elf.tail_at(segment.address)?;
        let quantum = match elf.architecture() {
            Architecture::X86_64 => 1,
            Architecture::Aarch64 => 4,
        };
        let place = bytes.chunks_exact(8).position(|word| {
            matches!(word, [0xf0 | 0xf1, 0xff, 0xff, 0xff, 0, 0, unit, 8] if *unit == quantum)
        });
        if let Some(place) = place {
            let inside = place as u64 * 8;
            let size = segment
                .file_size
                .checked_sub(inside)?
                .min(bytes.len() as u64 - inside);
            return Some((
                segment.address.checked_add(inside)?,
                segment.offset.checked_add(inside)?,
                size,
            ));
        }
    }
    None
}
