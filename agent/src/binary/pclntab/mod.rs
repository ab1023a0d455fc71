//! The table of all functions of a Go program, which survives stripping: names, entries, files,
//! lines, inlined calls. Read in place; see `runtime/symtab.go`.

mod function;
mod inline;
mod layout;
mod offsets;
mod pc_values;
mod stack_maps;
#[cfg(test)]
mod tests;

pub use function::Function;
pub use inline::InlinedFrame;
pub use layout::{FunctionIds, PclntabLayout};
pub use stack_maps::{PointerMap, StackData, StackObject};

use offsets::{FuncOffset, NameOffset, TextOffset};

use super::LinkAddress;
use super::bytes::{c_string_at, slice_at, tail_at, u32_at};

/// A view of the table. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Pclntab<'a> {
    bytes: &'a [u8],
    /// From `moduledata.gofunc` on; empty if unknown, then inlined calls are not seen.
    funcdata: &'a [u8],
    layout: &'a PclntabLayout,
}

impl<'a> Pclntab<'a> {
    /// A view of the table `bytes`, whose header was parsed into `layout`. `funcdata` are the bytes
    /// from `moduledata.gofunc` on.
    #[must_use]
    pub fn new(bytes: &'a [u8], funcdata: &'a [u8], layout: &'a PclntabLayout) -> Self {
        Self {
            bytes,
            funcdata,
            layout,
        }
    }

    /// How many functions there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.layout.function_count
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All functions, by rising address. Damaged entries are left out.
    pub fn functions(&self) -> impl Iterator<Item = Function<'a>> + use<'a> {
        let table = *self;
        (0..self.len()).filter_map(move |index| table.function(index))
    }

    /// The function at a place of the table.
    #[must_use]
    pub fn function(&self, index: u32) -> Option<Function<'a>> {
        if index >= self.len() {
            return None;
        }
        let start = self.entry_offset(index)?;
        let end = self.entry_offset(index + 1)?;
        let record = FuncOffset(u32_at(self.bytes, self.index_at(index) + 4)?);
        Some(Function {
            table: *self,
            index,
            entry: self.layout.text.checked_add(u64::from(start.0))?,
            end: self.layout.text.checked_add(u64::from(end.0))?,
            record: tail_at(self.bytes, self.layout.functions + u64::from(record.0))?,
        })
    }

    /// The function whose code holds `pc`.
    #[must_use]
    pub fn function_at(&self, pc: LinkAddress) -> Option<Function<'a>> {
        let target = TextOffset(u32::try_from(pc.0.checked_sub(self.layout.text.0)?).ok()?);
        // The first index whose function begins behind the pc; the entry at `len` is the end.
        let (mut low, mut high) = (0, self.len() + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.entry_offset(middle)? <= target {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.function(low.checked_sub(1)?)
    }

    /// The function called `name` by the linker. See [`Pclntab::functions_named`] for several.
    #[must_use]
    pub fn function_named(&self, name: &str) -> Option<Function<'a>> {
        let [found] = self.functions_named([name]);
        found
    }

    /// The functions with the given linker names, in one pass.
    ///
    /// First the names are sought, which lie close together, then the functions that refer to them;
    /// both end when all are found, early for the runtime's, which come first.
    #[must_use]
    pub fn functions_named<const N: usize>(&self, names: [&str; N]) -> [Option<Function<'a>>; N] {
        let mut found = [None; N];
        let mut wanted: [Option<NameOffset>; N] = self.name_offsets(&names);
        let mut missing = wanted.iter().flatten().count();
        let mut index = 0;
        while missing > 0 && index < self.len() {
            if let Some(offset) = self.name_offset_of(index)
                && let Some(place) = wanted.iter().position(|wanted| *wanted == Some(offset))
            {
                found[place] = self.function(index);
                wanted[place] = None;
                missing -= 1;
            }
            index += 1;
        }
        found
    }

    fn name_offset_of(&self, index: u32) -> Option<NameOffset> {
        let record = FuncOffset(u32_at(self.bytes, self.index_at(index) + 4)?);
        u32_at(self.bytes, self.layout.functions + u64::from(record.0) + 4).map(NameOffset)
    }

    /// Where each of `names` is among the names, which hold each name once.
    fn name_offsets<const N: usize>(&self, names: &[&str; N]) -> [Option<NameOffset>; N] {
        let mut found = [None; N];
        let mut missing = N;
        let end = self.layout.compilation_units.max(self.layout.names);
        let all = slice_at(self.bytes, self.layout.names, end - self.layout.names).unwrap_or(&[]);
        let mut at = 0_u64;
        while missing > 0 {
            let Some(name) = c_string_at(all, at) else {
                break;
            };
            if let Some(place) = names.iter().position(|wanted| wanted.as_bytes() == name)
                && found[place].is_none()
            {
                found[place] = u32::try_from(at).ok().map(NameOffset);
                missing -= 1;
            }
            at += name.len() as u64 + 1;
        }
        found
    }

    fn index_at(&self, index: u32) -> u64 {
        self.layout.functions + u64::from(index) * 8
    }

    fn entry_offset(&self, index: u32) -> Option<TextOffset> {
        u32_at(self.bytes, self.index_at(index)).map(TextOffset)
    }
}
