//! The global variables of a process: data and bss of all its modules, and which of their words may
//! be pointers.
//!
//! As the collector does it (`markroot` in `src/runtime/mgcmark.go`, all releases from 1.18 to 1.27):
//! of each active module the ranges `data..edata` and `bss..ebss`, by masks that the runtime
//! expanded when the module was loaded (`modulesinit` in `src/runtime/symtab.go`). `noptrdata` and
//! `noptrbss` are no roots: a variable is put there because its type has no pointers, and what
//! only such a word leads to is freed by the collector, so no program can come by it that way.
//! The same is true of C's data, heap and stacks, which no Go pointer may be left in unless it is
//! pinned or has a handle, and those are kept in Go's own structs.

use std::collections::HashSet;

use thiserror::Error;

use super::layout::{LayoutError, Layouts};
use crate::{
    binary::{
        GoBinary, LoadBias, ModuleData, RuntimeAddress,
        bytes::{u32_at, u64_at},
    },
    memory::{MemoryError, MemoryReader, bounded},
};

/// More modules than a process has: each is a shared object of its own.
const MAX_MODULES: usize = 1024;
/// More global variables than a program has; their mask takes a 64th of that.
const MAX_RANGE: u64 = 16 << 30;

/// Why the global variables are not known.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModulesError {
    /// Fields of `runtime.moduledata` are not known.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Not readable, or of sizes that cannot be.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The first module is not the executable's: what is in memory is not what the file says.
    #[error("the runtime's moduledata in the process is not that of the executable")]
    NotThisProgram,
    /// The list of modules has no end, or more of them than is believable.
    #[error("the runtime's list of modules does not end")]
    Endless,
}

/// Consecutive global variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataRange {
    /// The first byte, aligned to a word.
    pub start: RuntimeAddress,
    /// How many; whole words.
    pub bytes: u64,
    /// Bit `n % 8` of byte `n / 8` says whether word `n` may be a pointer. `None`: any may.
    pub mask: Option<Vec<u8>>,
    /// `"data"` or `"bss"`.
    pub name: &'static str,
    /// Which module: 0 the one with the runtime, others in the order of the runtime's list.
    pub module: usize,
}

impl DataRange {
    /// Whether the word `index` of the range may be a pointer.
    #[must_use]
    pub fn may_point(&self, index: usize) -> bool {
        self.mask
            .as_ref()
            .and_then(|mask| mask.get(index / 8))
            // What the mask does not cover may be anything.
            .is_none_or(|byte| byte >> (index % 8) & 1 != 0)
    }
}

/// The ranges of all modules, those of the executable first. Empty ones are left out.
///
/// # Errors
/// What is found is not the program's, or cannot be read: then some root may be missing, and
/// nothing can be concluded.
pub fn data_ranges(
    binary: &GoBinary,
    memory: &impl MemoryReader,
    bias: LoadBias,
    layouts: &Layouts,
) -> Result<Vec<DataRange>, ModulesError> {
    let fields = Fields::new(layouts)?;
    let module = binary.module_data();
    let mut at = bias.to_runtime(module.address);
    let head: [u8; ModuleData::HEAD_SIZE] = memory.read_array(at)?;
    if !module.is_head(&head, bias) {
        return Err(ModulesError::NotThisProgram);
    }
    let mut ranges = Vec::new();
    let mut seen = HashSet::new();
    for number in 0..MAX_MODULES {
        if !seen.insert(at) {
            break;
        }
        // A plugin that failed to load is no root for the collector either.
        let [is_bad] = memory.read_array(at.plus(fields.bad)?)?;
        if number == 0 || is_bad == 0 {
            ranges.extend(fields.range(memory, at, number, "data", fields.data)?);
            ranges.extend(fields.range(memory, at, number, "bss", fields.bss)?);
        }
        at = RuntimeAddress(memory.read_u64(at.plus(fields.next)?)?);
        if at.0 == 0 {
            return Ok(ranges);
        }
    }
    Err(ModulesError::Endless)
}

/// Byte offsets in `runtime.moduledata`.
struct Fields {
    bad: u64,
    next: u64,
    data: RangeFields,
    bss: RangeFields,
}

/// Of one kind of range: where it begins, ends, and its `bitvector`.
#[derive(Clone, Copy)]
struct RangeFields {
    begin: u64,
    end: u64,
    mask: u64,
    mask_bits: u64,
    mask_bytes: u64,
}

impl Fields {
    fn new(layouts: &Layouts) -> Result<Self, LayoutError> {
        let field = |name, size| -> Result<u64, LayoutError> {
            let offset = layouts.offset_of_size("runtime.moduledata", name, size)?;
            Ok(offset.into())
        };
        let bitvector = |name, size| -> Result<u64, LayoutError> {
            Ok(layouts
                .offset_of_size("runtime.bitvector", name, size)?
                .into())
        };
        let range = |begin, end, mask| -> Result<RangeFields, LayoutError> {
            Ok(RangeFields {
                begin: field(begin, 8)?,
                end: field(end, 8)?,
                mask: field(mask, 16)?,
                mask_bits: bitvector("n", 4)?,
                mask_bytes: bitvector("bytedata", 8)?,
            })
        };
        Ok(Self {
            bad: field("bad", 1)?,
            next: field("next", 8)?,
            data: range("data", "edata", "gcdatamask")?,
            bss: range("bss", "ebss", "gcbssmask")?,
        })
    }

    fn range(
        &self,
        memory: &impl MemoryReader,
        module: RuntimeAddress,
        number: usize,
        name: &'static str,
        fields: RangeFields,
    ) -> Result<Option<DataRange>, MemoryError> {
        let begin = memory.read_u64(module.plus(fields.begin)?)?;
        let end = memory.read_u64(module.plus(fields.end)?)?;
        let size = end.checked_sub(begin).unwrap_or(u64::MAX);
        bounded("global variables of the module", module, size, MAX_RANGE)?;
        // A beginning inside of a word would make all words of it wrong.
        bounded("misalignment of the module", module, begin % 8, 0)?;
        let bytes = size - size % 8;
        Ok((bytes != 0).then(|| DataRange {
            start: RuntimeAddress(begin),
            bytes,
            // Without its mask all of it is taken for pointers, which loses proofs at most.
            mask: fields.mask(memory, module, bytes / 8).unwrap_or(None),
            name,
            module: number,
        }))
    }
}

impl RangeFields {
    /// The mask of so many words; `None` where the runtime has not expanded it yet, or it does not
    /// cover them.
    fn mask(
        self,
        memory: &impl MemoryReader,
        module: RuntimeAddress,
        words: u64,
    ) -> Result<Option<Vec<u8>>, MemoryError> {
        let vector: [u8; 16] = memory.read_array(module.plus(self.mask)?)?;
        let bits = u32_at(&vector, self.mask_bits).unwrap_or(0);
        let at = u64_at(&vector, self.mask_bytes).unwrap_or(0);
        if at == 0 || u64::from(bits) < words {
            return Ok(None);
        }
        let Ok(length) = usize::try_from(words.div_ceil(8)) else {
            return Ok(None);
        };
        // Before memory is reserved for so many bytes, the last one should be there.
        let last = RuntimeAddress(at).plus(length as u64 - 1)?;
        memory.read_array::<1>(last)?;
        let mut mask = vec![0; length];
        memory.read(RuntimeAddress(at), &mut mask)?;
        Ok(Some(mask))
    }
}

#[cfg(test)]
mod tests;
