//! Struct layouts of the Go runtime, read from a binary's own debug information.
//!
//! Go's linker collects all type entries of a program in one compile unit, the one named
//! `runtime` (`movetomodule` in [`cmd/link/internal/ld/dwarf.go`][ld], so since Go 1.7). The
//! sections are therefore streamed: units before that one are inflated and dropped, those behind
//! it are not even inflated, and memory peaks at the size of that one unit.
//!
//! Names are read only where they stand inline (`DW_FORM_string`), the only form Go writes for
//! types; C units in the same file keep theirs in `.debug_str`, which is never opened.
//!
//! The file belongs to a stranger. Sizes are bounded before memory is reserved, work is metered,
//! and whatever does not add up is an error.
//!
//! [ld]: https://github.com/golang/go/blob/go1.27.4/src/cmd/link/internal/ld/dwarf.go

mod budget;
mod error;
mod section;
mod types;
mod unit;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use object::read::elf::ElfFile64;
use object::{LittleEndian, Object};

pub use error::DwarfError;

/// Where one field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLayout {
    /// Bytes from the start of the struct.
    pub offset: u32,
    /// Bytes it occupies; 0 for an empty struct.
    pub size: u32,
}

/// One struct: its size in bytes and the fields asked for, by their Go names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StructLayout {
    /// Bytes the struct occupies, padding at its end included.
    pub size: u32,
    /// Field name → place. Embedded fields go by the name of their type, without the package.
    pub fields: BTreeMap<String, FieldLayout>,
}

/// Struct name as DWARF has it (`runtime.g`, `internal/sync.Mutex`) → layout.
///
/// What this binary does not have is not in it: neither structs nor fields.
pub type StructLayouts = BTreeMap<String, StructLayout>;

/// What to look for: struct names with the names of their fields. An empty list means all fields.
pub type Wanted<'a> = [(&'a str, &'a [&'a str])];

/// Reads the layouts of the `wanted` structs from the DWARF (4 or 5; plain, `SHF_COMPRESSED` with
/// zlib, or `.zdebug_*`) of a 64-bit little-endian ELF file.
///
/// # Errors
///
/// [`DwarfError::NoDwarf`] for a stripped file; [`DwarfError::NoRuntimeTypes`] when there is
/// DWARF, but not that of a Go runtime; the others say what is damaged or not supported, and where.
pub fn struct_layouts(file_bytes: &[u8], wanted: &Wanted<'_>) -> Result<StructLayouts, DwarfError> {
    let file = ElfFile64::<LittleEndian>::parse(file_bytes).map_err(DwarfError::NotElf)?;
    // Up to Go 1.18 debug sections were compressed the old GNU way, under a name of their own.
    let section = |name, gnu_name| {
        file.section_by_name(name)
            .or_else(|| file.section_by_name(gnu_name))
            .ok_or(DwarfError::NoDwarf)
    };
    let info = section(".debug_info", ".zdebug_info")?;
    let abbrev = section(".debug_abbrev", ".zdebug_abbrev")?;
    let abbrev = section::read_whole(".debug_abbrev", &abbrev)?;
    let mut units = unit::Units::new(section::Stream::open(".debug_info", &info)?, &abbrev);
    let mut budget = budget::Budget::new();
    // With hand-written assembly the linker makes several units named `runtime`; one has the types.
    while let Some(unit) = units.next_named(b"runtime", &mut budget)? {
        let found = types::collect(&unit, wanted, &mut budget)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(DwarfError::NoRuntimeTypes)
}
