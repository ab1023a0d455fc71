//! Calls that the compiler inlined: the tree of them that each function carries.
//!
//! As `runtime.inlineUnwinder` walks it
//! (<https://github.com/golang/go/blob/go1.27.0/src/runtime/symtabinl.go>); the older releases'
//! `gentraceback` does the same with records laid out differently.

use super::Function;
use super::offsets::{EntryOffset, NameOffset};
use crate::binary::LinkAddress;
use crate::binary::bytes::{i32_at, slice_at, u8_at, u32_at};

const PCDATA_INLINE_TREE_INDEX: u32 = 2;
const FUNCDATA_INLINE_TREE: u8 = 3;
/// Far more than the compiler's budget lets it nest; a damaged tree may be a ring.
const MAX_DEPTH: usize = 256;

/// One call active at a pc: an inlined one, or, as the last, the function itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InlinedFrame<'a> {
    /// The linker's name; `None` where the table is damaged.
    pub function: Option<&'a str>,
    /// Source file of the place the call is at.
    pub file: Option<&'a str>,
    /// Line there.
    pub line: Option<u32>,
    /// Line of the `func` keyword, since Go 1.20.
    pub start_line: Option<u32>,
    /// Whether it was inlined into the next frame.
    pub is_inlined: bool,
    /// `abi.FuncID`.
    pub function_id: u8,
}

impl<'a> Function<'a> {
    /// The calls active at the instruction `pc`, innermost first, this function itself last.
    #[must_use]
    pub fn inlined_calls(&self, pc: LinkAddress) -> Vec<InlinedFrame<'a>> {
        let mut frames = Vec::new();
        let mut at = pc;
        let tree = self.funcdata(FUNCDATA_INLINE_TREE);
        while let Some(call) = tree.and_then(|tree| self.inlined_call(tree, at)) {
            if frames.len() == MAX_DEPTH {
                break;
            }
            let (file, line) = self.file_line(at);
            frames.push(InlinedFrame {
                file,
                line,
                ..call.frame
            });
            let Some(parent) = self.entry.checked_add(u64::from(call.parent.0)) else {
                break;
            };
            at = parent;
        }
        let (file, line) = self.file_line(at);
        frames.push(InlinedFrame {
            function: self.name().ok(),
            file,
            line,
            start_line: self.start_line(),
            is_inlined: false,
            function_id: self.function_id(),
        });
        frames
    }

    fn inlined_call(&self, tree: &'a [u8], pc: LinkAddress) -> Option<Call<'a>> {
        let index = u64::try_from(self.pcdata(PCDATA_INLINE_TREE_INDEX, pc)?).ok()?;
        let layout = self.table.layout.dialect.inlined_call;
        let record = slice_at(tree, index.checked_mul(layout.size)?, layout.size)?;
        let start_line = layout.start_line.and_then(|offset| i32_at(record, offset));
        Some(Call {
            parent: EntryOffset(u32_at(record, layout.parent_pc)?),
            frame: InlinedFrame {
                function: u32_at(record, layout.name)
                    .map(NameOffset)
                    .and_then(|name| self.table.name_at(name)),
                file: None,
                line: None,
                start_line: start_line
                    .and_then(|line| u32::try_from(line).ok())
                    .filter(|&line| line > 0),
                is_inlined: true,
                function_id: u8_at(record, layout.function_id)?,
            },
        })
    }
}

struct Call<'a> {
    /// An instruction that belongs to the call site in the function it was inlined into.
    parent: EntryOffset,
    frame: InlinedFrame<'a>,
}
