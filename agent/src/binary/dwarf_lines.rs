//! Names of C code in Go programs (cgo), from DWARF or, without it, from the symbol table.
//!
//! Nothing is kept: DWARF takes many times the memory of everything else, C frames are rare, and
//! the symbolizer remembers the answers.

use std::borrow::Cow;

use gimli::{DwarfSections, EndianSlice, LittleEndian};

use super::debug_sections::debug_section;
use super::{ElfView, LinkAddress};

/// A call in C code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeFrame {
    /// Its name in the symbol table's spelling.
    pub function: String,
    /// Source file.
    pub file: Option<String>,
    /// Line there.
    pub line: Option<u32>,
    /// Whether it was inlined into the next frame.
    pub is_inlined: bool,
}

/// The calls active at `pc` in C code, innermost first; empty if nothing is known.
#[must_use]
pub fn native_frames(elf: &ElfView<'_>, pc: LinkAddress) -> Vec<NativeFrame> {
    match from_dwarf(elf, pc) {
        Ok(frames) if !frames.is_empty() => frames,
        result => {
            if let Err(error) = result {
                tracing::debug!(%pc, %error, "DWARF could not be read");
            }
            let symbol = elf.symbol_at(pc).map(|name| NativeFrame {
                function: name.to_owned(),
                file: None,
                line: None,
                is_inlined: false,
            });
            symbol.into_iter().collect()
        }
    }
}

fn from_dwarf(elf: &ElfView<'_>, pc: LinkAddress) -> Result<Vec<NativeFrame>, gimli::Error> {
    let sections = DwarfSections::load(|id| -> Result<Cow<'_, [u8]>, gimli::Error> {
        Ok(debug_section(elf, id.name()).unwrap_or_else(|error| {
            tracing::debug!(%error, section = id.name(), "debug section left out");
            Cow::Borrowed(&[])
        }))
    })?;
    let dwarf = sections.borrow(|section| EndianSlice::new(section, LittleEndian));
    let context = addr2line::Context::from_dwarf(dwarf)?;
    let mut found = context.find_frames(pc.0).skip_all_loads()?;
    let mut frames: Vec<NativeFrame> = Vec::new();
    // Inlining nests no deeper in real programs.
    while let Some(frame) = found.next()?.filter(|_| frames.len() < 256) {
        let Some(function) = frame.function else {
            continue;
        };
        let location = frame.location;
        frames.push(NativeFrame {
            function: function.raw_name()?.into_owned(),
            file: location
                .as_ref()
                .and_then(|place| place.file)
                .map(str::to_owned),
            line: location.and_then(|place| place.line),
            is_inlined: true,
        });
    }
    if let Some(outermost) = frames.last_mut() {
        outermost.is_inlined = false;
    }
    Ok(frames)
}
