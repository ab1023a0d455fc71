//! Which words of a function's frame are live pointers at a call: what the collector goes by.
//!
//! As `(*stkframe).getStackMap` and `stackmapdata` do it
//! (<https://github.com/golang/go/blob/go1.27.0/src/runtime/stkframe.go>; before Go 1.20 the same is
//! in `stack.go`). The numbers and records are the same in all releases from 1.18 to 1.27, but for the
//! third word of a stack object's record.

use super::Function;
use crate::binary::LinkAddress;
use crate::binary::bytes::{i32_at, slice_at, tail_at, u8_at, u32_at, u64_at};

// `internal/abi/symtab.go`, before Go 1.21 `runtime/symtab.go`.
const PCDATA_STACK_MAP_INDEX: u32 = 1;
const FUNCDATA_ARGS_POINTER_MAPS: u8 = 0;
const FUNCDATA_LOCALS_POINTER_MAPS: u8 = 1;
const FUNCDATA_STACK_OBJECTS: u8 = 2;
/// Of `runtime._func`.
const ARGS: u64 = 8;
/// Of `runtime.stackmap`.
const STACK_MAP_HEADER: u64 = 8;
/// Of `runtime.stackObjectRecord`.
const STACK_OBJECT: u64 = 16;
/// More than a function has of either but in a test of the compiler; a hostile file could claim its
/// whole size. Larger frames count as damaged.
const MAX_WORDS: u64 = 1 << 17;
const MAX_STACK_OBJECTS: u64 = 1 << 12;

/// The pointers among some consecutive words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointerMap<'a> {
    /// How many words it is about.
    pub words: u64,
    bits: &'a [u8],
}

impl<'a> PointerMap<'a> {
    /// A map of `words`, the lowest bit of the first byte of `bits` for the first.
    #[must_use]
    pub fn new(words: u64, bits: &'a [u8]) -> Option<Self> {
        let bits = slice_at(bits, 0, words.div_ceil(8))?;
        Some(Self { words, bits })
    }

    /// The places of the words that are pointers, rising.
    pub fn pointers(self) -> impl Iterator<Item = u64> + use<'a> {
        (0..self.words).filter(move |word| {
            u8_at(self.bits, word / 8).is_some_and(|byte| byte >> (word % 8) & 1 != 0)
        })
    }
}

/// A variable whose address is taken, in a function's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackObject {
    /// Where it is: in bytes, negative from the top of the local variables, else from the first
    /// argument on.
    pub offset: i32,
    /// Its size in bytes.
    pub size: u32,
    /// Up to where there are pointers in it, in bytes; before Go 1.24 the negative of that where its map
    /// is a program.
    pub pointer_bytes: i32,
    /// Where its pointer map is, from `moduledata.rodata` on.
    pub map: u32,
}

/// What there is of such data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackData<T> {
    /// This.
    Known(T),
    /// The function has none.
    Missing,
    /// It has, and it is none that can be.
    Damaged,
}

impl<'a> Function<'a> {
    /// Bytes of its arguments and results on the stack; `None` where it is found out at run time (the
    /// stubs of package `reflect`), or the table is damaged.
    #[must_use]
    pub fn argument_bytes(&self) -> Option<u64> {
        let bytes = u64::try_from(i32_at(self.record, ARGS)?).ok()?;
        (bytes <= MAX_WORDS * 8).then_some(bytes)
    }

    /// Which of its maps is right for a frame that will go on at `pc`; `None` where the table is
    /// damaged.
    #[must_use]
    pub fn stack_map_index(&self, pc: LinkAddress) -> Option<u64> {
        let mut index = -1;
        if pc != self.entry() && self.has_pcdata(PCDATA_STACK_MAP_INDEX)? {
            // The instruction before a return address is the call.
            let call = LinkAddress(pc.0.checked_sub(1)?);
            index = self.pcdata(PCDATA_STACK_MAP_INDEX, call)?;
        }
        // −1 is what holds at its entry: the first map.
        u64::try_from(if index == -1 { 0 } else { index }).ok()
    }

    /// The map of its arguments and results with that index.
    #[must_use]
    pub fn arguments_map(&self, index: u64) -> StackData<PointerMap<'a>> {
        self.stack_map(FUNCDATA_ARGS_POINTER_MAPS, index)
    }

    /// The map of its local variables with that index: of the topmost so many words.
    #[must_use]
    pub fn locals_map(&self, index: u64) -> StackData<PointerMap<'a>> {
        self.stack_map(FUNCDATA_LOCALS_POINTER_MAPS, index)
    }

    /// Its variables whose address is taken.
    #[must_use]
    pub fn stack_objects(&self) -> StackData<Vec<StackObject>> {
        let records = match self.stack_data(FUNCDATA_STACK_OBJECTS) {
            StackData::Known(records) => records,
            StackData::Missing => return StackData::Missing,
            StackData::Damaged => return StackData::Damaged,
        };
        let read = || {
            let count = u64_at(records, 0).filter(|count| *count <= MAX_STACK_OBJECTS)?;
            let records = slice_at(records, 8, count * STACK_OBJECT)?;
            (0..count)
                .map(|n| {
                    let at = n * STACK_OBJECT;
                    Some(StackObject {
                        offset: i32_at(records, at)?,
                        size: u32_at(records, at + 4)?,
                        pointer_bytes: i32_at(records, at + 8)?,
                        map: u32_at(records, at + 12)?,
                    })
                })
                .collect::<Option<Vec<_>>>()
        };
        read().map_or(StackData::Damaged, StackData::Known)
    }

    fn stack_map(&self, number: u8, index: u64) -> StackData<PointerMap<'a>> {
        let maps = match self.stack_data(number) {
            StackData::Known(maps) => maps,
            StackData::Missing => return StackData::Missing,
            StackData::Damaged => return StackData::Damaged,
        };
        let read = || {
            let count = u64::try_from(i32_at(maps, 0)?).ok()?;
            let words = u64::try_from(i32_at(maps, 4)?).ok()?;
            if words > MAX_WORDS || count == 0 {
                return None;
            }
            // Where no word is a pointer, the runtime does not look at the index of local variables,
            // and at that of arguments it does.
            if index >= count && (words > 0 || number == FUNCDATA_ARGS_POINTER_MAPS) {
                return None;
            }
            let at = STACK_MAP_HEADER + index.checked_mul(words.div_ceil(8))?;
            PointerMap::new(
                words,
                tail_at(maps, at).filter(|_| words > 0).unwrap_or(&[]),
            )
        };
        read().map_or(StackData::Damaged, StackData::Known)
    }

    fn stack_data(&self, number: u8) -> StackData<&'a [u8]> {
        match (self.has_funcdata(number), self.funcdata(number)) {
            (Some(false), _) => StackData::Missing,
            (Some(true), Some(data)) => StackData::Known(data),
            _ => StackData::Damaged,
        }
    }
}
