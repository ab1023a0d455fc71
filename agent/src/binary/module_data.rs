//! `runtime.firstmoduledata`: where the linker put text, data, types and the tables.
//!
//! Before Go 1.26 it has neither a section nor a fixed place, so it is found by its first field, the
//! address of the pclntab, and checked against that table. In position-independent programs the
//! words may be 0 in the file and come from relocations.

use object::elf;

use super::bytes::{tail_at, u32_at, u64_at, words};
use super::pclntab::PclntabLayout;
use super::{BinaryError, ElfView, GoVersion, LinkAddress, LoadBias};

/// Where the linker put things (`runtime.moduledata`,
/// <https://github.com/golang/go/blob/go1.27.0/src/runtime/symtab.go>). Ends are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleData {
    /// Where the structure itself is.
    pub address: LinkAddress,
    /// Entry of the first Go function.
    pub minpc: LinkAddress,
    /// End of the last one.
    pub maxpc: LinkAddress,
    /// Base of the function entries.
    pub text: LinkAddress,
    /// End of the Go code.
    pub etext: LinkAddress,
    /// Initialised data without pointers.
    pub noptrdata: (LinkAddress, LinkAddress),
    /// Initialised data with pointers.
    pub data: (LinkAddress, LinkAddress),
    /// Zeroed data with pointers.
    pub bss: (LinkAddress, LinkAddress),
    /// Zeroed data without pointers.
    pub noptrbss: (LinkAddress, LinkAddress),
    /// End of everything.
    pub end: LinkAddress,
    /// Bitmap (a GC program before Go 1.25 or so) of the pointers in `data`.
    pub gcdata: LinkAddress,
    /// The same for `bss`.
    pub gcbss: LinkAddress,
    /// Type descriptors.
    pub types: (LinkAddress, LinkAddress),
    /// Read-only data.
    pub rodata: LinkAddress,
    /// Base of the offsets of functions' data, such as inline trees and stack maps.
    pub gofunc: LinkAddress,
    /// Its first words, as linked: places and sizes of all tables and of the data.
    head: [u64; HEAD],
}

/// Words before those whose place depends on the release. The runtime changes none of them.
const HEAD: usize = 32;

/// Fields whose place is the same in all supported releases, in words.
mod word {
    pub(super) const PC_HEADER: u64 = 0;
    pub(super) const FUNCNAMETAB: u64 = 1;
    pub(super) const FTAB: u64 = 16;
    pub(super) const FTAB_LEN: u64 = 17;
    pub(super) const MINPC: u64 = 20;
    pub(super) const MAXPC: u64 = 21;
    pub(super) const TEXT: u64 = 22;
    pub(super) const ETEXT: u64 = 23;
    pub(super) const NOPTRDATA: u64 = 24;
    pub(super) const DATA: u64 = 26;
    pub(super) const BSS: u64 = 28;
    pub(super) const NOPTRBSS: u64 = 30;
}

/// Fields that moved, in words.
struct Moved {
    since: u16,
    end: u64,
    types: u64,
    etypes: u64,
    rodata: u64,
    gofunc: u64,
    text_sections_len: u64,
}

/// Read off `type moduledata` in each release's `runtime/symtab.go`. 1.20 brought `covctrs`, 1.26
/// `epclntab`, 1.27 `typedesclen`, `itaboffset` and `itabsize`.
const MOVED: [Moved; 4] = [
    Moved {
        since: 18,
        end: 32,
        types: 35,
        etypes: 36,
        rodata: 37,
        gofunc: 38,
        text_sections_len: 40,
    },
    Moved {
        since: 20,
        end: 34,
        types: 37,
        etypes: 38,
        rodata: 39,
        gofunc: 40,
        text_sections_len: 42,
    },
    Moved {
        since: 26,
        end: 34,
        types: 37,
        etypes: 38,
        rodata: 39,
        gofunc: 40,
        text_sections_len: 43,
    },
    Moved {
        since: 27,
        end: 34,
        types: 37,
        etypes: 39,
        rodata: 42,
        gofunc: 43,
        text_sections_len: 46,
    },
];

/// All fields above, in bytes.
const SIZE: u64 = 47 * 8;
/// The word we look for is an address that little else refers to.
const MAX_CANDIDATES: usize = 64;

impl ModuleData {
    /// Size of what [`Self::is_head`] compares, in bytes.
    pub const HEAD_SIZE: usize = HEAD * 8;

    /// Whether `bytes` are the beginning of this structure in a program loaded with `bias`: places
    /// and sizes of the tables and of the data, which two builds hardly have in common.
    #[must_use]
    pub fn is_head(&self, bytes: &[u8; Self::HEAD_SIZE], bias: LoadBias) -> bool {
        // Sizes are as linked, addresses are moved.
        self.head
            .iter()
            .zip(words(bytes))
            .all(|(linked, word)| word == *linked || word == linked.wrapping_add(bias.0))
    }

    /// Finds the structure that describes the pclntab `table`, loaded at `pclntab`.
    ///
    /// # Errors
    /// `Malformed` when nothing in the data fits that table.
    pub fn find(
        elf: &ElfView<'_>,
        version: &GoVersion,
        pclntab: LinkAddress,
        table: &[u8],
    ) -> Result<Self, BinaryError> {
        // The text start is not known yet, and not needed to check the rest.
        let layout = PclntabLayout::parse(table, version, None)?;
        let moved = MOVED
            .iter()
            .rev()
            .find(|moved| version.minor >= moved.since)
            .unwrap_or(&MOVED[0]);
        let mut several_texts = false;
        for candidate in candidates(elf, pclntab) {
            let words = Words::read(elf, candidate);
            if let Some(module) = check(&words, moved, pclntab, table, &layout) {
                if words.get(moved.text_sections_len) == Some(1) {
                    return Ok(module);
                }
                several_texts = true;
            }
        }
        if several_texts {
            let what = "a program with several text sections".to_owned();
            return Err(BinaryError::NotSupported { what });
        }
        Err(BinaryError::Malformed {
            what: "the runtime's moduledata for the pclntab",
            offset: elf.file_offset(pclntab).map_or(0, |offset| offset.0),
            reason: "not found: no place in the data fits",
        })
    }
}

fn check(
    words: &Words,
    moved: &Moved,
    pclntab: LinkAddress,
    table: &[u8],
    layout: &PclntabLayout,
) -> Option<ModuleData> {
    let at = |index| words.get(index).map(LinkAddress);
    let pair = |index| Some((at(index)?, at(index + 1)?));
    let entry = |index: u32| u32_at(table, layout.functions + u64::from(index) * 8).map(u64::from);
    let module = ModuleData {
        address: words.address,
        minpc: at(word::MINPC)?,
        maxpc: at(word::MAXPC)?,
        text: at(word::TEXT)?,
        etext: at(word::ETEXT)?,
        noptrdata: pair(word::NOPTRDATA)?,
        data: pair(word::DATA)?,
        bss: pair(word::BSS)?,
        noptrbss: pair(word::NOPTRBSS)?,
        end: at(moved.end)?,
        gcdata: at(moved.end + 1)?,
        gcbss: at(moved.end + 2)?,
        types: (at(moved.types)?, at(moved.etypes)?),
        rodata: at(moved.rodata)?,
        gofunc: at(moved.gofunc)?,
        head: *words.words.first_chunk()?,
    };
    let header_text = PclntabLayout::header_text_start(table)?;
    let fits = at(word::PC_HEADER)? == pclntab
        && at(word::FUNCNAMETAB)? == pclntab.checked_add(layout.names)?
        && at(word::FTAB)? == pclntab.checked_add(layout.functions)?
        && words.get(word::FTAB_LEN)? == u64::from(layout.function_count) + 1
        && module.minpc == module.text.checked_add(entry(0)?)?
        && module.maxpc == module.text.checked_add(entry(layout.function_count)?)?
        && module.minpc < module.maxpc
        && module.text < module.etext
        && (header_text == 0 || header_text == module.text.0);
    fits.then_some(module)
}

/// Addresses of words that hold `pclntab`, in the file or by relocation.
fn candidates(elf: &ElfView<'_>, pclntab: LinkAddress) -> Vec<LinkAddress> {
    // From Go 1.26 on the structure has a section of its own.
    if let Some(section) = elf.section(".go.module") {
        return vec![section.address];
    }
    let relocated = elf
        .relative_relocations()
        .filter(|&(_, addend)| addend == pclntab);
    let mut found: Vec<_> = relocated
        .map(|(address, _)| address)
        .take(MAX_CANDIDATES)
        .collect();
    if !found.is_empty() {
        return found;
    }
    // The linker puts it among the data without pointers; only if it is not there the rest is read.
    if let Some(section) = elf.section(".noptrdata") {
        let bytes = elf.section_bytes(&section).unwrap_or(&[]);
        found.extend(search(bytes, section.address, pclntab));
    }
    if found.is_empty() {
        for segment in elf
            .loaded()
            .filter(|segment| segment.flags & elf::PF_W != 0)
        {
            let bytes = elf.tail_at(segment.address).unwrap_or(&[]);
            found.extend(search(bytes, segment.address, pclntab));
        }
    }
    found.truncate(MAX_CANDIDATES);
    found
}

fn search(bytes: &[u8], base: LinkAddress, wanted: LinkAddress) -> Vec<LinkAddress> {
    let misaligned = base.0.wrapping_neg() % 8;
    let words = tail_at(bytes, misaligned).unwrap_or(&[]).chunks_exact(8);
    let hits = words
        .enumerate()
        .filter(|(_, word)| *word == wanted.0.to_le_bytes());
    let addresses = hits.filter_map(|(index, _)| base.checked_add(misaligned + index as u64 * 8));
    addresses.take(MAX_CANDIDATES).collect()
}

/// The words of a candidate, relocated.
struct Words {
    address: LinkAddress,
    words: Vec<u64>,
}

impl Words {
    fn read(elf: &ElfView<'_>, address: LinkAddress) -> Self {
        let bytes = elf.tail_at(address).unwrap_or(&[]);
        let mut words: Vec<u64> = (0..SIZE / 8)
            .map_while(|index| u64_at(bytes, index * 8))
            .collect();
        for (place, addend) in elf.relative_relocations() {
            let Some(offset) = place
                .0
                .checked_sub(address.0)
                .filter(|offset| *offset < SIZE)
            else {
                continue;
            };
            let word = usize::try_from(offset / 8)
                .ok()
                .and_then(|index| words.get_mut(index));
            if let Some(word) = word.filter(|_| offset % 8 == 0) {
                *word = addend.0;
            }
        }
        Self { address, words }
    }

    fn get(&self, index: u64) -> Option<u64> {
        self.words.get(usize::try_from(index).ok()?).copied()
    }
}
